#include "addon.h"

#include "capture-object.h"

namespace homespin {

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Addon* addon = new Addon;
  env.SetInstanceData(addon);
  env.AddCleanupHook([captures = addon->captures] {
    for (CaptureObject* capture : *captures) capture->shut_down();
  });
  exports.Set("Capture", CaptureObject::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(homespin_native, init)

}  // namespace homespin
