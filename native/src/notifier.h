// Has a JavaScript function called from another thread: one call at a time, however often it is asked for.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <mutex>

namespace homespin {

class Notifier {
 public:
  /** On JavaScript's thread. */
  void open(Napi::Env env, const Napi::Function& call, const char* name) {
    const std::lock_guard lock(mutex_);
    callback_ = Napi::ThreadSafeFunction::New(env, call, name, 0, 1);
    open_ = true;
  }

  /** On any thread. */
  void notify() {
    if (calls_->waiting.exchange(true)) return;
    const std::lock_guard lock(mutex_);
    if (!open_) return;
    const napi_status status =
        callback_.NonBlockingCall([calls = calls_](Napi::Env env, Napi::Function call) {
          calls->waiting = false;
          if (calls->wanted) call.Call({});
        });
    // The environment is going away; after this answer the function may not be touched again.
    if (status == napi_closing) open_ = false;
  }

  /** On JavaScript's thread; false: it was not open. */
  bool close() {
    const std::lock_guard lock(mutex_);
    if (!open_) return false;
    open_ = false;
    calls_->wanted = false;
    callback_.Release();
    return true;
  }

 private:
  /** Shared with calls that are under way, which may outlive this object. */
  struct Calls {
    std::atomic<bool> waiting{false};
    std::atomic<bool> wanted{true};
  };
  std::mutex mutex_;
  Napi::ThreadSafeFunction callback_;
  bool open_ = false;
  std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
};

}  // namespace homespin
