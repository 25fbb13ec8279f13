#include "dns-gate-object.h"

#include <netinet/in.h>
// Behind the C library's own names for the same things.
#include <linux/netfilter.h>

#include "object-read.h"
#include "queue-counters.h"

namespace homespin {

namespace {

/** Whole packets. */
constexpr uint32_t kCopyBytes = 0xffff;

std::vector<SetTarget> read_sets(const Napi::Object& from) {
  std::vector<SetTarget> targets;
  each_of(from.Get("sets"), [&](const Napi::Value& value) {
    const Napi::Object set = value.As<Napi::Object>();
    const std::string family = set.Get("family").As<Napi::String>();
    const std::string kind = set.Get("kind").As<Napi::String>();
    SetTarget target;
    target.family = family == "bridge" ? NFPROTO_BRIDGE : family == "netdev" ? NFPROTO_NETDEV : NFPROTO_INET;
    target.kind = kind == "resolved" ? kResolved : kind == "block" ? kShut : kOpen;
    target.ipv6 = set.Get("ipv6").As<Napi::Boolean>();
    const std::string key = set.Get("key").As<Napi::String>();
    target.key = key == "mac" ? SetKey::kMac : key == "ip" ? SetKey::kIp : SetKey::kNothing;
    target.table = set.Get("table").As<Napi::String>();
    target.set = set.Get("set").As<Napi::String>();
    targets.push_back(std::move(target));
  });
  return targets;
}

ServedSet read_served(const Napi::Object& from) {
  if (!from.Get("served").IsObject()) return {};
  const Napi::Object set = from.Get("served").As<Napi::Object>();
  return {NFPROTO_INET, set.Get("table").As<Napi::String>(), set.Get("set").As<Napi::String>()};
}

std::vector<uint32_t> read_indexes(const Napi::Value& from) {
  std::vector<uint32_t> all;
  each_of(from, [&](const Napi::Value& value) { all.push_back(value.As<Napi::Number>().Uint32Value()); });
  return all;
}

std::string read_text(const Napi::Value& from) { return from.As<Napi::String>(); }

const char* kind_name(uint8_t kind) {
  return kind == kResolved ? "resolved" : kind == kShut ? "block" : "allow";
}

/** A device in an event: by MAC, or by address; everybody by neither. */
void put_owner(Napi::Object& into, const Owner& owner) {
  if (owner.mac != 0) into.Set("mac", mac_text(owner.mac));
  if (owner.by_ip()) into.Set("source", ip_text(owner.ip));
}

HeardName read_heard(const Napi::Object& from) {
  HeardName heard{};
  if (from.Get("only").IsObject()) {
    const Napi::Object only = from.Get("only").As<Napi::Object>();
    heard.limited = true;
    if (only.Get("mac").IsString()) heard.only.mac = read_mac_number(read_text(only.Get("mac")));
    if (only.Get("ip").IsString()) heard.only.ip = read_ip(read_text(only.Get("ip")));
  }
  each_of(from.Get("names"), [&](const Napi::Value& name) { heard.names.push_back(read_text(name)); });
  each_of(from.Get("ips"), [&](const Napi::Value& ip) { heard.ips.push_back(read_ip(read_text(ip))); });
  heard.ttl_s = read_number(from, "ttlS");
  return heard;
}

GatedDevice read_device(const Napi::Object& from, DnsPolicy& policy, uint32_t index) {
  GatedDevice device{};
  if (from.Get("mac").IsString()) {
    device.mac = read_mac_number(read_text(from.Get("mac")));
    policy.index.add_mac(device.mac, index);
  }
  each_of(from.Get("ips"), [&](const Napi::Value& value) {
    const Ip ip = read_ip(read_text(value));
    // The unspecified address is nobody's, and stands for everybody in elements.
    if ((ip.word[0] | ip.word[1]) == 0) return;
    policy.index.add_ip(ip, index);
    if (device.mac == 0) device.ips.push_back(ip);
  });
  device.block = read_indexes(from.Get("block"));
  device.allow = read_indexes(from.Get("allow"));
  device.allow_list = from.Get("allowList").As<Napi::Boolean>();
  device.local_only = from.Get("localOnly").As<Napi::Boolean>();
  device.no_dns_no_connect = from.Get("noDnsNoConnect").As<Napi::Boolean>();
  device.canary = from.Get("canary").As<Napi::Boolean>();
  return device;
}

}  // namespace

Napi::Function DnsGateObject::define(Napi::Env env) {
  return DefineClass(env, "DnsGate",
                     {
                         InstanceMethod<&DnsGateObject::start>("start"),
                         InstanceMethod<&DnsGateObject::stop>("stop"),
                         InstanceMethod<&DnsGateObject::set_policy>("setPolicy"),
                         InstanceMethod<&DnsGateObject::hear>("hear"),
                         InstanceMethod<&DnsGateObject::take_marks>("takeMarks"),
                         InstanceMethod<&DnsGateObject::restore>("restore"),
                         InstanceMethod<&DnsGateObject::serve>("serve"),
                         InstanceMethod<&DnsGateObject::drain>("drain"),
                         InstanceMethod<&DnsGateObject::elements>("elements"),
                         InstanceMethod<&DnsGateObject::port>("port"),
                         InstanceMethod<&DnsGateObject::counters>("counters"),
                     });
}

DnsGateObject::DnsGateObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<DnsGateObject>(info),
      writer_(read_sets(info[0].As<Napi::Object>()), read_served(info[0].As<Napi::Object>())),
      gate_(draw_secret(), DnsElements::Limits{},
            read_number(info[0].As<Napi::Object>(), "answerMark"), writer_, marks_, answerer_),
      thread_(read_queue_options(info[0].As<Napi::Object>(), kCopyBytes), gate_),
      writes_(info[0].As<Napi::Object>().Get("sets").As<Napi::Array>().Length() > 0),
      answer_mark_(read_number(info[0].As<Napi::Object>(), "answerMark")),
      all_(info.Env().GetInstanceData<Addon>()->queues) {
  all_->insert(this);
}

DnsGateObject::~DnsGateObject() {
  shut_down();
  all_->erase(this);
}

void DnsGateObject::start(const Napi::CallbackInfo& info) {
  answerer_.open(answer_mark_);
  std::string error = writes_ ? writer_.open() : std::string();
  if (error.empty()) {
    notifier_.open(info.Env(), info[0].As<Napi::Function>(), "homespin dns gate");
    gate_.on_events([this] { notifier_.notify(); });
    error = thread_.start();
  }
  if (!error.empty()) {
    notifier_.close();
    Napi::Error::New(info.Env(), error).ThrowAsJavaScriptException();
    return;
  }
  Ref();
}

void DnsGateObject::stop(const Napi::CallbackInfo& info) { shut_down(); }

void DnsGateObject::shut_down() {
  thread_.stop();
  if (notifier_.close() && !IsEmpty()) Unref();
}

void DnsGateObject::set_policy(const Napi::CallbackInfo& info) {
  const Napi::Object from = info[0].As<Napi::Object>();
  auto policy = std::make_shared<DnsPolicy>(gate_.secret());
  each_of(from.Get("lists"), [&](const Napi::Value& list) {
    policy->lists.push_back(std::make_unique<NameList>(read_text(list)));
  });
  each_of(from.Get("devices"), [&](const Napi::Value& device) {
    const uint32_t index = static_cast<uint32_t>(policy->devices.size());
    policy->devices.push_back(read_device(device.As<Napi::Object>(), *policy, index));
  });
  if (from.Get("otherwise").IsObject()) {
    policy->otherwise = std::make_unique<GatedDevice>(
        read_device(from.Get("otherwise").As<Napi::Object>(), *policy, DeviceIndex::kNone));
  }
  policy->block = read_indexes(from.Get("block"));
  policy->allow = read_indexes(from.Get("allow"));
  each_of(from.Get("protect"),
          [&](const Napi::Value& prefix) { policy->protect.push_back(read_prefix(read_text(prefix))); });
  each_of(from.Get("home"),
          [&](const Napi::Value& prefix) { policy->home.push_back(read_prefix(read_text(prefix))); });
  each_of(from.Get("resolvers"),
          [&](const Napi::Value& ip) { policy->resolvers.push_back(read_ip(read_text(ip))); });
  policy->local = std::make_unique<NameList>(read_text(from.Get("local")));
  policy->encrypted = std::make_unique<NameList>(read_text(from.Get("encrypted")));
  {
    const std::lock_guard lock(thread_.mutex());
    gate_.set_policy(std::move(policy));
  }
  thread_.wake();
}

void DnsGateObject::hear(const Napi::CallbackInfo& info) {
  std::vector<HeardName> all;
  each_of(info[0], [&](const Napi::Value& heard) { all.push_back(read_heard(heard.As<Napi::Object>())); });
  {
    const std::lock_guard lock(thread_.mutex());
    for (HeardName& heard : all) gate_.hear(std::move(heard));
  }
  thread_.wake();
}

void DnsGateObject::take_marks(const Napi::CallbackInfo& info) {
  MarkOrder order{info[0].As<Napi::Number>().Uint32Value(), {}};
  each_of(info[1], [&](const Napi::Value& ip) { order.keep.push_back(read_ip(read_text(ip))); });
  {
    const std::lock_guard lock(thread_.mutex());
    gate_.take_marks(std::move(order));
  }
  thread_.wake();
}

void DnsGateObject::restore(const Napi::CallbackInfo& info) {
  {
    const std::lock_guard lock(thread_.mutex());
    gate_.restore();
  }
  thread_.wake();
}

void DnsGateObject::serve(const Napi::CallbackInfo& info) {
  std::vector<std::string> names;
  each_of(info[0], [&](const Napi::Value& name) { names.push_back(read_text(name)); });
  {
    const std::lock_guard lock(thread_.mutex());
    gate_.serve(std::move(names));
  }
  thread_.wake();
}

Napi::Value DnsGateObject::drain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<RefusedName> refused;
  std::vector<LearnedAddress> learned;
  std::vector<MarksTaken> taken;
  {
    const std::lock_guard lock(thread_.mutex());
    refused = gate_.take_refused();
    learned = gate_.take_learned();
    taken = gate_.take_marks_taken();
  }
  Napi::Array names = Napi::Array::New(env, refused.size());
  for (uint32_t i = 0; i < refused.size(); i++) {
    Napi::Object each = Napi::Object::New(env);
    put_owner(each, refused[i].who);
    each.Set("name", refused[i].name);
    each.Set("count", Napi::Number::New(env, refused[i].count));
    names.Set(i, each);
  }
  Napi::Array addresses = Napi::Array::New(env, learned.size());
  for (uint32_t i = 0; i < learned.size(); i++) {
    Napi::Object each = Napi::Object::New(env);
    put_owner(each, learned[i].owner);
    each.Set("ip", ip_text(learned[i].ip));
    each.Set("set", kind_name(learned[i].kind));
    each.Set("name", learned[i].name);
    addresses.Set(i, each);
  }
  Napi::Array marks = Napi::Array::New(env, taken.size());
  for (uint32_t i = 0; i < taken.size(); i++) {
    Napi::Object each = Napi::Object::New(env);
    each.Set("count", Napi::Number::New(env, taken[i].count));
    if (!taken[i].error.empty()) each.Set("error", taken[i].error);
    marks.Set(i, each);
  }
  Napi::Object events = Napi::Object::New(env);
  events.Set("refused", names);
  events.Set("learned", addresses);
  events.Set("marks", marks);
  return events;
}

Napi::Value DnsGateObject::elements(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  struct Row {
    ElementKey key;
    double left_ms;
  };
  std::vector<Row> rows;
  const int64_t now = boot_ns();
  {
    const std::lock_guard lock(thread_.mutex());
    gate_.elements().each([&](const ElementKey& key, const Element& element) {
      const double left_ms = static_cast<double>((element.until_ns - now) / 1'000'000);
      if (left_ms >= 1) rows.push_back({key, left_ms});
    });
  }
  Napi::Array all = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); i++) {
    const Napi::HandleScope scope(env);
    Napi::Object each = Napi::Object::New(env);
    each.Set("set", kind_name(rows[i].key.kind));
    put_owner(each, rows[i].key.owner);
    each.Set("ip", ip_text(rows[i].key.ip));
    each.Set("leftMs", Napi::Number::New(env, rows[i].left_ms));
    all.Set(i, each);
  }
  return all;
}

Napi::Value DnsGateObject::port(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), writer_.port());
}

Napi::Value DnsGateObject::counters(const Napi::CallbackInfo& info) {
  QueueCounters counters(info.Env(), thread_.counters());
  const std::lock_guard lock(thread_.mutex());
  const DnsGateCounters from = gate_.counters();
  counters.set("queries", from.queries);
  counters.set("answers", from.answers);
  counters.set("refused", from.refused);
  counters.set("blanked", from.blanked);
  counters.set("learned", from.learned);
  counters.set("overCap", from.over_cap);
  counters.set("failed", from.failed);
  counters.set("malformed", from.malformed);
  counters.set("unfit", from.unfit);
  counters.set("free", from.free);
  counters.set("eventsLost", from.events_lost);
  counters.set("segmentsExpired", gate_.segments_expired());
  counters.set("elements", gate_.elements().size());
  return counters.object();
}

}  // namespace homespin
