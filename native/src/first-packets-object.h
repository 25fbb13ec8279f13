// `FirstPackets` of ../queue.ts, as JavaScript holds it.
#pragma once

#include <napi.h>

#include <memory>
#include <set>

#include "addon.h"
#include "first-packets.h"
#include "notifier.h"
#include "queue-thread.h"

namespace homespin {

class FirstPacketsObject : public Napi::ObjectWrap<FirstPacketsObject>, public QueueObject {
 public:
  static Napi::Function define(Napi::Env env);
  explicit FirstPacketsObject(const Napi::CallbackInfo& info);
  ~FirstPacketsObject() override;
  void shut_down() override;

 private:
  void start(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  void set_devices(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  void answer(const Napi::CallbackInfo& info);
  void remember(const Napi::CallbackInfo& info);
  void forget(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);

  FirstPackets packets_;
  QueueThread thread_;
  Notifier notifier_;
  Napi::Reference<Napi::ArrayBuffer> room_;
  std::shared_ptr<std::set<QueueObject*>> all_;
};

}  // namespace homespin
