#include "addon.h"

#include "capture-object.h"
#include "ring.h"

namespace homespin {

namespace {

/** Why an interface can't be captured, or undefined. */
Napi::Value try_interface(const Napi::CallbackInfo& info) {
  std::string refusal = capture_refusal();
  if (refusal.empty()) {
    RingOptions options;
    options.name = info[0].As<Napi::String>();
    options.bytes = 65536;
    Ring ring(options);
    ring.check();
    refusal = ring.reason();
  }
  if (refusal.empty()) return info.Env().Undefined();
  return Napi::String::New(info.Env(), refusal);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Addon* addon = new Addon;
  env.SetInstanceData(addon);
  env.AddCleanupHook([captures = addon->captures] {
    for (CaptureObject* capture : *captures) capture->shut_down();
  });
  exports.Set("Capture", CaptureObject::define(env));
  exports.Set("tryInterface", Napi::Function::New<try_interface>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(homespin_native, init)

}  // namespace homespin
