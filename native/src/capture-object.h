// `Capture` of ../index.ts, as JavaScript holds it.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>

#include "capture.h"

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
  /** On any thread: has `onReady` called, unless that is under way already. */
  void notify();
  void release_callback();

  std::unique_ptr<Capture> capture_;
  uint32_t ring_bytes_;
  Napi::Reference<Napi::ArrayBuffer> room_;
  std::shared_ptr<std::set<CaptureObject*>> all_;
  std::mutex callback_mutex_;
  Napi::ThreadSafeFunction callback_;
  bool callback_open_ = false;
  /** Shared with calls that are under way, which may outlive this object. */
  struct Calls {
    std::atomic<bool> waiting{false};
    std::atomic<bool> wanted{true};
  };
  std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
};

}  // namespace homespin
