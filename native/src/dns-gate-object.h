// `DnsGate` of ../dns-gate.ts, as JavaScript holds it.
#pragma once

#include <napi.h>

#include <memory>
#include <set>

#include "addon.h"
#include "dns-gate.h"
#include "notifier.h"
#include "packet-answerer.h"
#include "queue-thread.h"
#include "set-writer.h"

namespace homespin {

class DnsGateObject : public Napi::ObjectWrap<DnsGateObject>, public QueueObject {
 public:
  static Napi::Function define(Napi::Env env);
  explicit DnsGateObject(const Napi::CallbackInfo& info);
  ~DnsGateObject() override;
  void shut_down() override;

 private:
  void start(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  void set_policy(const Napi::CallbackInfo& info);
  void hear(const Napi::CallbackInfo& info);
  void take_marks(const Napi::CallbackInfo& info);
  void restore(const Napi::CallbackInfo& info);
  void serve(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value elements(const Napi::CallbackInfo& info);
  Napi::Value port(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);

  SetWriter writer_;
  ConntrackMarks marks_;
  PacketAnswerer answerer_;
  DnsGate gate_;
  QueueThread thread_;
  Notifier notifier_;
  const bool writes_;
  const uint32_t answer_mark_;
  std::shared_ptr<std::set<QueueObject*>> all_;
};

}  // namespace homespin
