// `Capture` of ../index.ts, as JavaScript holds it.
#pragma once

#include <napi.h>

#include <memory>
#include <set>

#include "capture.h"
#include "notifier.h"

namespace homespin {

class CaptureObject : public Napi::ObjectWrap<CaptureObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit CaptureObject(const Napi::CallbackInfo& info);
  ~CaptureObject() override;

  /** Ends the thread; for when the environment goes away under it. */
  void shut_down();

 private:
  void read_file(const Napi::CallbackInfo& info);
  void read_descriptor(const Napi::CallbackInfo& info);
  void set_interfaces(const Napi::CallbackInfo& info);
  void set_locality(const Napi::CallbackInfo& info);
  void start(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  Napi::ArrayBuffer room_for(Napi::Env env, size_t bytes);
  void close_callback();

  std::unique_ptr<Capture> capture_;
  uint32_t ring_bytes_;
  Napi::Reference<Napi::ArrayBuffer> room_;
  std::shared_ptr<std::set<CaptureObject*>> all_;
  Notifier on_ready_;
};

}  // namespace homespin
