#pragma once

#include <napi.h>

#include "queue-thread.h"

namespace homespin {

// Counters of a queue for JavaScript, an object of numbers: those of its thread first, then what its purpose counts.
class QueueCounters {
 public:
  QueueCounters(Napi::Env env, const QueueThread::Counters& queue) : env_(env), to_(Napi::Object::New(env)) {
    set("packets", queue.packets);
    set("queueDropped", queue.losses.queue_dropped);
    set("userDropped", queue.losses.user_dropped);
    set("overruns", queue.overruns);
    set("unsent", queue.unsent);
  }

  void set(const char* name, uint64_t value) { to_.Set(name, Napi::Number::New(env_, static_cast<double>(value))); }

  Napi::Object object() const { return to_; }

 private:
  Napi::Env env_;
  Napi::Object to_;
};

}  // namespace homespin
