#include "capture-object.h"

#include <arpa/inet.h>

#include <algorithm>

#include "addon.h"

namespace homespin {

namespace {

MeterOptions read_options(const Napi::Object& from) {
  const auto number = [&from](const char* name) {
    return from.Get(name).As<Napi::Number>().Int64Value();
  };
  MeterOptions options;
  options.flows.max_flows = static_cast<uint32_t>(number("maxFlows"));
  options.flows.idle_us[kIdleTcp] = number("tcpIdleSeconds") * 1'000'000;
  options.flows.idle_us[kIdleHalfOpen] =
      std::min(options.flows.idle_us[kIdleTcp], number("halfOpenIdleSeconds") * 1'000'000);
  options.flows.idle_us[kIdleUdp] = number("udpIdleSeconds") * 1'000'000;
  options.flows.idle_us[kIdleOther] = number("otherIdleSeconds") * 1'000'000;
  options.names.per_second = from.Get("namesPerSecond").As<Napi::Number>().DoubleValue();
  options.names.burst = static_cast<double>(number("namesBurst"));
  options.names.kinds = static_cast<uint32_t>(number("nameBits"));
  options.flows.updates = from.Get("updates").As<Napi::Boolean>();
  return options;
}

/** `02:0d:e0:00:00:01`, checked before. */
Mac read_mac(const std::string& text) {
  Mac mac;
  for (size_t i = 0; i < mac.size(); i++) {
    mac[i] = static_cast<uint8_t>(std::stoul(text.substr(i * 3, 2), nullptr, 16));
  }
  return mac;
}

RingOptions read_interface(const Napi::Object& from, uint32_t ring_bytes) {
  RingOptions options;
  options.bytes = ring_bytes;
  options.name = from.Get("name").As<Napi::String>();
  const std::string count = from.Get("count").As<Napi::String>();
  if (count == "incoming") options.count = CountRule::kIncoming;
  if (count == "own_outgoing") options.count = CountRule::kOwnOutgoing;
  options.promiscuous = from.Get("promiscuous").As<Napi::Boolean>();
  const Napi::Array macs = from.Get("upstreamMacs").As<Napi::Array>();
  for (uint32_t i = 0; i < macs.Length(); i++) {
    options.upstream.push_back(read_mac(macs.Get(i).As<Napi::String>()));
  }
  const Napi::Array vlans = from.Get("withoutVlans").As<Napi::Array>();
  for (uint32_t i = 0; i < vlans.Length(); i++) {
    const Napi::Object tag = vlans.Get(i).As<Napi::Object>();
    options.without_vlans.push_back(tag.Get("type").As<Napi::Number>().Uint32Value() << 16 |
                                    tag.Get("id").As<Napi::Number>().Uint32Value());
  }
  return options;
}

/** Addresses with or without a length, checked before. */
std::vector<Prefix> read_prefixes(const Napi::Array& from) {
  std::vector<Prefix> prefixes;
  for (uint32_t i = 0; i < from.Length(); i++) {
    const std::string text = from.Get(i).As<Napi::String>();
    const size_t slash = text.find('/');
    const std::string ip = text.substr(0, std::min(slash, text.find('%')));
    Prefix prefix{};
    prefix.ipv6 = ip.find(':') != std::string::npos;
    if (inet_pton(prefix.ipv6 ? AF_INET6 : AF_INET, ip.c_str(), prefix.ip) != 1) continue;
    prefix.bits = slash == std::string::npos ? (prefix.ipv6 ? 128 : 32)
                                             : static_cast<uint8_t>(std::stoul(text.substr(slash + 1)));
    prefixes.push_back(prefix);
  }
  return prefixes;
}

double milliseconds(int64_t us) { return static_cast<double>(us) / 1000; }

Napi::Object counters_object(Napi::Env env, Meter& meter, uint64_t ring_dropped) {
  const MeterCounters& from = meter.counters();
  FlowTable& flows = meter.flows();
  Napi::Object to = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) {
    to.Set(name, Napi::Number::New(env, value));
  };
  set("packets", static_cast<double>(from.packets));
  set("decoded", static_cast<double>(from.decoded));
  set("malformed", static_cast<double>(from.malformed));
  set("unsupported", static_cast<double>(from.unsupported));
  set("bytes", static_cast<double>(from.bytes));
  set("ipPackets", static_cast<double>(from.ip_packets));
  set("ipBytes", static_cast<double>(from.ip_bytes));
  set("flows", static_cast<double>(flows.begun()));
  set("liveFlows", flows.live());
  set("flowsEvicted", static_cast<double>(flows.evicted()));
  set("dnsQueries", static_cast<double>(meter.names().dns_queries()));
  set("namesDropped", static_cast<double>(meter.names().queue().dropped()));
  set("ringDropped", static_cast<double>(ring_dropped));
  set("firstMs", milliseconds(meter.clock().told(from.first_us)));
  set("lastMs", milliseconds(meter.clock().told(from.last_us)));
  return to;
}

Napi::Array interfaces_array(Napi::Env env, const std::vector<std::unique_ptr<Ring>>& rings) {
  Napi::Array all = Napi::Array::New(env, rings.size());
  for (uint32_t i = 0; i < rings.size(); i++) {
    Ring& ring = *rings[i];
    Napi::Object each = Napi::Object::New(env);
    each.Set("name", Napi::String::New(env, ring.options().name));
    each.Set("up", Napi::Boolean::New(env, ring.up()));
    const RingTotals totals = ring.totals();
    each.Set("packets", Napi::Number::New(env, static_cast<double>(totals.packets)));
    each.Set("dropped", Napi::Number::New(env, static_cast<double>(totals.dropped)));
    if (!ring.up()) each.Set("reason", Napi::String::New(env, ring.reason()));
    all.Set(i, each);
  }
  return all;
}

Napi::Array strings_array(Napi::Env env, const std::vector<std::string>& from) {
  Napi::Array all = Napi::Array::New(env, from.size());
  for (uint32_t i = 0; i < from.size(); i++) all.Set(i, Napi::String::New(env, from[i]));
  return all;
}

Napi::Array faults_array(Napi::Env env, const std::vector<SourceFault>& from) {
  Napi::Array all = Napi::Array::New(env, from.size());
  for (uint32_t i = 0; i < from.size(); i++) {
    Napi::Object each = Napi::Object::New(env);
    each.Set("source", Napi::Number::New(env, from[i].source));
    if (!from[i].error.empty()) each.Set("error", Napi::String::New(env, from[i].error));
    each.Set("unsupportedLinks", strings_array(env, from[i].unsupported_links));
    all.Set(i, each);
  }
  return all;
}

}  // namespace

Napi::Function CaptureObject::define(Napi::Env env) {
  return DefineClass(env, "Capture",
                     {
                         InstanceMethod<&CaptureObject::read_file>("readFile"),
                         InstanceMethod<&CaptureObject::read_descriptor>("readDescriptor"),
                         InstanceMethod<&CaptureObject::set_interfaces>("setInterfaces"),
                         InstanceMethod<&CaptureObject::set_locality>("setLocality"),
                         InstanceMethod<&CaptureObject::start>("start"),
                         InstanceMethod<&CaptureObject::drain>("drain"),
                         InstanceMethod<&CaptureObject::stop>("stop"),
                     });
}

CaptureObject::CaptureObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<CaptureObject>(info),
      capture_(std::make_unique<Capture>(read_options(info[0].As<Napi::Object>()))),
      ring_bytes_(info[0].As<Napi::Object>().Get("ringBytes").As<Napi::Number>().Uint32Value()),
      all_(info.Env().GetInstanceData<Addon>()->captures) {
  all_->insert(this);
}

CaptureObject::~CaptureObject() {
  shut_down();
  all_->erase(this);
}

void CaptureObject::read_file(const Napi::CallbackInfo& info) {
  const std::string error = capture_->read_file(info[0].As<Napi::String>());
  if (!error.empty()) Napi::Error::New(info.Env(), error).ThrowAsJavaScriptException();
}

void CaptureObject::read_descriptor(const Napi::CallbackInfo& info) {
  const std::string error = capture_->read_descriptor(info[0].As<Napi::Number>().Int32Value(),
                                                      info[1].As<Napi::Boolean>());
  if (!error.empty()) Napi::Error::New(info.Env(), error).ThrowAsJavaScriptException();
}

void CaptureObject::set_interfaces(const Napi::CallbackInfo& info) {
  const Napi::Array specs = info[0].As<Napi::Array>();
  std::vector<RingOptions> list;
  for (uint32_t i = 0; i < specs.Length(); i++) {
    list.push_back(read_interface(specs.Get(i).As<Napi::Object>(), ring_bytes_));
  }
  const std::string error = capture_->set_interfaces(list);
  if (!error.empty()) Napi::Error::New(info.Env(), error).ThrowAsJavaScriptException();
}

void CaptureObject::set_locality(const Napi::CallbackInfo& info) {
  const Napi::Object from = info[0].As<Napi::Object>();
  capture_->set_locality(Locality(read_prefixes(from.Get("prefixes").As<Napi::Array>()),
                                  read_prefixes(from.Get("own").As<Napi::Array>())));
}

void CaptureObject::start(const Napi::CallbackInfo& info) {
  on_ready_.open(info.Env(), info[0].As<Napi::Function>(), "homespin capture");
  Ref();
  capture_->start([this] { on_ready_.notify(); });
}

/** One buffer for all batches: a new one each time would be garbage that V8 does not see the size of. */
Napi::ArrayBuffer CaptureObject::room_for(Napi::Env env, size_t bytes) {
  if (room_.IsEmpty() || room_.Value().ByteLength() < bytes) {
    room_ = Napi::Reference<Napi::ArrayBuffer>::New(
        Napi::ArrayBuffer::New(env, std::max(bytes, size_t{128} * sizeof(FlowRecord)) * 5 / 4 / 128 * 128), 1);
  }
  return room_.Value();
}

Napi::Value CaptureObject::drain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object batch = Napi::Object::New(env);
  bool ended;
  {
    Capture::Drain drain(*capture_);
    const uint32_t count = drain.flow_count();
    Napi::ArrayBuffer flows = room_for(env, count * sizeof(FlowRecord));
    drain.meter().flows().take(static_cast<FlowRecord*>(flows.Data()), count);
    Napi::ArrayBuffer names = Napi::ArrayBuffer::New(env, drain.meter().names().queue().size());
    drain.meter().names().queue().take(static_cast<uint8_t*>(names.Data()));
    ended = drain.ended();
    batch.Set("flowCount", Napi::Number::New(env, count));
    batch.Set("flows", flows);
    batch.Set("names", names);
    batch.Set("counters", counters_object(env, drain.meter(), drain.ring_dropped()));
    batch.Set("interfaces", interfaces_array(env, drain.rings()));
    batch.Set("unsupportedLinks", strings_array(env, drain.file().unsupported_links()));
    batch.Set("timeMs", Napi::Number::New(env, milliseconds(drain.time_us())));
    batch.Set("ended", Napi::Boolean::New(env, ended));
    const std::vector<SourceFault>& faults = drain.faults();
    if (!faults.empty()) batch.Set("faults", faults_array(env, faults));
    if (!faults.empty() && !faults.back().error.empty()) {
      batch.Set("error", Napi::String::New(env, faults.back().error));
    }
  }
  if (capture_->more()) on_ready_.notify();
  if (ended) close_callback();
  return batch;
}

void CaptureObject::stop(const Napi::CallbackInfo& info) { shut_down(); }

void CaptureObject::shut_down() {
  capture_->stop();
  close_callback();
}

void CaptureObject::close_callback() {
  if (on_ready_.close()) Unref();
}

}  // namespace homespin
