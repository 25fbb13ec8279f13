#include "first-packets-object.h"

#include "object-read.h"
#include "queue-counters.h"

namespace homespin {

namespace {

/** Enough for every header that is looked at. */
constexpr uint32_t kCopyBytes = 128;

FirstPacketOptions read_options(const Napi::Object& from) {
  FirstPacketOptions options;
  options.deadline_ns = read_number(from, "deadlineMs") * int64_t{1'000'000};
  options.max_held = read_number(from, "maxHeld");
  options.max_held_per_device = read_number(from, "maxHeldPerDevice");
  options.accept_mark = read_number(from, "acceptMark");
  return options;
}

uint64_t read_key(const Napi::Value& value) {
  return std::stoull(value.As<Napi::String>().Utf8Value(), nullptr, 16);
}

}  // namespace

Napi::Function FirstPacketsObject::define(Napi::Env env) {
  return DefineClass(env, "FirstPackets",
                     {
                         InstanceMethod<&FirstPacketsObject::start>("start"),
                         InstanceMethod<&FirstPacketsObject::stop>("stop"),
                         InstanceMethod<&FirstPacketsObject::set_devices>("setDevices"),
                         InstanceMethod<&FirstPacketsObject::drain>("drain"),
                         InstanceMethod<&FirstPacketsObject::answer>("answer"),
                         InstanceMethod<&FirstPacketsObject::remember>("remember"),
                         InstanceMethod<&FirstPacketsObject::forget>("forget"),
                         InstanceMethod<&FirstPacketsObject::counters>("counters"),
                     });
}

FirstPacketsObject::FirstPacketsObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<FirstPacketsObject>(info),
      packets_(read_options(info[0].As<Napi::Object>()), draw_secret()),
      thread_(read_queue_options(info[0].As<Napi::Object>(), kCopyBytes), packets_),
      all_(info.Env().GetInstanceData<Addon>()->queues) {
  all_->insert(this);
}

FirstPacketsObject::~FirstPacketsObject() {
  shut_down();
  all_->erase(this);
}

void FirstPacketsObject::start(const Napi::CallbackInfo& info) {
  notifier_.open(info.Env(), info[0].As<Napi::Function>(), "homespin first packets");
  packets_.on_asking([this] { notifier_.notify(); });
  const std::string error = thread_.start();
  if (!error.empty()) {
    notifier_.close();
    Napi::Error::New(info.Env(), error).ThrowAsJavaScriptException();
    return;
  }
  Ref();
}

void FirstPacketsObject::stop(const Napi::CallbackInfo& info) { shut_down(); }

void FirstPacketsObject::shut_down() {
  thread_.stop();
  if (notifier_.close() && !IsEmpty()) Unref();
}

void FirstPacketsObject::set_devices(const Napi::CallbackInfo& info) {
  auto asked = std::make_shared<AskedDevices>(packets_.secret());
  each_of(info[0], [&](const Napi::Value& value) {
    const Napi::Object from = value.As<Napi::Object>();
    const uint32_t index = static_cast<uint32_t>(asked->devices.size());
    asked->devices.push_back({read_key(from.Get("id")), from.Get("accept").As<Napi::Boolean>()});
    if (from.Get("mac").IsString()) {
      asked->index.add_mac(read_mac_number(from.Get("mac").As<Napi::String>()), index);
    }
    each_of(from.Get("ips"), [&](const Napi::Value& ip) {
      asked->index.add_ip(read_ip(ip.As<Napi::String>()), index);
    });
  });
  const std::lock_guard lock(thread_.mutex());
  packets_.set_devices(std::move(asked));
}

Napi::Value FirstPacketsObject::drain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::lock_guard lock(thread_.mutex());
  const size_t bytes = packets_.asking() * sizeof(ConnectionRecord);
  if (room_.IsEmpty() || room_.Value().ByteLength() < bytes) {
    room_ = Napi::Reference<Napi::ArrayBuffer>::New(
        Napi::ArrayBuffer::New(env, bytes + bytes / 2 + 16 * sizeof(ConnectionRecord)), 1);
  }
  Napi::ArrayBuffer room = room_.Value();
  const size_t count = packets_.take(static_cast<ConnectionRecord*>(room.Data()));
  Napi::Object batch = Napi::Object::New(env);
  batch.Set("count", Napi::Number::New(env, static_cast<double>(count)));
  batch.Set("connections", room);
  return batch;
}

void FirstPacketsObject::answer(const Napi::CallbackInfo& info) {
  const Napi::ArrayBuffer from = info[0].As<Napi::ArrayBuffer>();
  const size_t count = info[1].As<Napi::Number>().Uint32Value();
  {
    const std::lock_guard lock(thread_.mutex());
    packets_.answer(static_cast<const VerdictRecord*>(const_cast<Napi::ArrayBuffer&>(from).Data()), count);
  }
  thread_.wake();
}

void FirstPacketsObject::remember(const Napi::CallbackInfo& info) {
  const Napi::Object from = info[0].As<Napi::Object>();
  const Ip remote = read_ip(from.Get("remote").As<Napi::String>());
  const VerdictKey about{read_key(from.Get("id")),
                         {remote.word[0], remote.word[1]},
                         __builtin_bswap16(static_cast<uint16_t>(read_number(from, "port"))),
                         0,
                         static_cast<uint8_t>(read_number(from, "protocol")),
                         remote.ipv6,
                         from.Get("inbound").As<Napi::Boolean>(),
                         0};
  const bool accept = from.Get("accept").As<Napi::Boolean>();
  const int64_t now = boot_ns();
  const std::lock_guard lock(thread_.mutex());
  packets_.remember(about, accept, now + read_number(from, "forMs") * int64_t{1'000'000}, now);
}

void FirstPacketsObject::forget(const Napi::CallbackInfo& info) {
  const bool one = info[0].IsString();
  const uint64_t key = one ? read_key(info[0]) : 0;
  const std::lock_guard lock(thread_.mutex());
  packets_.forget(one ? &key : nullptr);
}

Napi::Value FirstPacketsObject::counters(const Napi::CallbackInfo& info) {
  QueueCounters counters(info.Env(), thread_.counters());
  const std::lock_guard lock(thread_.mutex());
  const FirstPacketCounters& from = packets_.counters();
  counters.set("asked", from.asked);
  counters.set("answered", from.answered);
  counters.set("expired", from.expired);
  counters.set("unasked", from.unasked);
  counters.set("remembered", from.remembered);
  counters.set("free", from.free);
  counters.set("malformed", from.malformed);
  counters.set("late", from.late);
  counters.set("accepted", from.accepted);
  counters.set("dropped", from.dropped);
  counters.set("held", packets_.held());
  counters.set("evicted", packets_.evicted());
  return counters.object();
}

}  // namespace homespin
