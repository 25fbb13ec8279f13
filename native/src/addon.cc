#include "addon.h"

#include "capture-object.h"
#include "clock-sync.h"
#include "device-listener.h"
#include "dns-gate-object.h"
#include "first-packets-object.h"
#include "flow-lines.h"
#include "layout.h"
#include "netlink-object.h"
#include "nft-object.h"
#include "nft-watch-object.h"
#include "ring.h"

namespace homespin {

namespace {

/** Offsets as the compiler has them, for the test that holds ../layout.ts against them. */
Napi::Object layout_object(Napi::Env env) {
  Napi::Object all = Napi::Object::New(env);
  Napi::Object part;
  const auto begin = [&](const char* name, size_t bytes) {
    part = Napi::Object::New(env);
    part.Set("BYTES", Napi::Number::New(env, static_cast<double>(bytes)));
    all.Set(name, part);
  };
  const auto at = [&](const char* name, size_t offset) {
    part.Set(name, Napi::Number::New(env, static_cast<double>(offset)));
  };
  begin("FLOW", sizeof(FlowRecord));
  at("SLOT", offsetof(FlowRecord, slot));
  at("STATE", offsetof(FlowRecord, state));
  at("CLOSED_BY", offsetof(FlowRecord, closed_by));
  at("PROTOCOL", offsetof(FlowRecord, protocol));
  at("FLAGS", offsetof(FlowRecord, flags));
  at("NUMBER", offsetof(FlowRecord, number));
  at("FIRST_MS", offsetof(FlowRecord, first_ms));
  at("LAST_MS", offsetof(FlowRecord, last_ms));
  at("ORIG_BYTES", offsetof(FlowRecord, orig_bytes));
  at("RESP_BYTES", offsetof(FlowRecord, resp_bytes));
  at("ORIG_PACKETS", offsetof(FlowRecord, orig_packets));
  at("RESP_PACKETS", offsetof(FlowRecord, resp_packets));
  at("ORIG_IP", offsetof(FlowRecord, orig_ip));
  at("RESP_IP", offsetof(FlowRecord, resp_ip));
  at("ORIG_MAC", offsetof(FlowRecord, orig_mac));
  at("RESP_MAC", offsetof(FlowRecord, resp_mac));
  at("ORIG_PORT", offsetof(FlowRecord, orig_port));
  at("RESP_PORT", offsetof(FlowRecord, resp_port));
  at("INTERFACE", offsetof(FlowRecord, interface));
  at("VLAN", offsetof(FlowRecord, vlan));
  at("ORIG_TCP_FLAGS", offsetof(FlowRecord, orig_tcp_flags));
  at("RESP_TCP_FLAGS", offsetof(FlowRecord, resp_tcp_flags));
  begin("NAME", sizeof(NameHead));
  at("SIZE", offsetof(NameHead, size));
  at("PAYLOAD_BYTES", offsetof(NameHead, payload_bytes));
  at("KIND", offsetof(NameHead, kind));
  at("IPV6", offsetof(NameHead, ipv6));
  at("FROM_ORIG", offsetof(NameHead, from_orig));
  at("SLOT", offsetof(NameHead, slot));
  at("TIME_MS", offsetof(NameHead, time_ms));
  at("SRC_IP", offsetof(NameHead, src_ip));
  at("DST_IP", offsetof(NameHead, dst_ip));
  at("SRC_MAC", offsetof(NameHead, src_mac));
  at("DST_MAC", offsetof(NameHead, dst_mac));
  at("SRC_PORT", offsetof(NameHead, src_port));
  at("DST_PORT", offsetof(NameHead, dst_port));
  begin("DNS", sizeof(DnsHead));
  at("ID", offsetof(DnsHead, id));
  at("FLAGS", offsetof(DnsHead, flags));
  at("RCODE", offsetof(DnsHead, rcode));
  at("QTYPE", offsetof(DnsHead, qtype));
  at("NAME_BYTES", offsetof(DnsHead, name_bytes));
  at("ANSWERS", offsetof(DnsHead, answers));
  begin("DNS_ANSWER", sizeof(DnsAnswerHead));
  at("RTYPE", offsetof(DnsAnswerHead, rtype));
  at("NAME_BYTES", offsetof(DnsAnswerHead, name_bytes));
  at("DATA_BYTES", offsetof(DnsAnswerHead, data_bytes));
  at("TTL_S", offsetof(DnsAnswerHead, ttl_s));
  begin("CONNECTION", sizeof(ConnectionRecord));
  at("ID", offsetof(ConnectionRecord, id));
  at("ASKED_MS", offsetof(ConnectionRecord, asked_ms));
  at("DEADLINE_MS", offsetof(ConnectionRecord, deadline_ms));
  at("DEVICE", offsetof(ConnectionRecord, device));
  at("ORIG_IP", offsetof(ConnectionRecord, orig_ip));
  at("RESP_IP", offsetof(ConnectionRecord, resp_ip));
  at("MAC", offsetof(ConnectionRecord, mac));
  at("ORIG_PORT", offsetof(ConnectionRecord, orig_port));
  at("RESP_PORT", offsetof(ConnectionRecord, resp_port));
  at("PROTOCOL", offsetof(ConnectionRecord, protocol));
  at("FLAGS", offsetof(ConnectionRecord, flags));
  begin("VERDICT", sizeof(VerdictRecord));
  at("ID", offsetof(VerdictRecord, id));
  at("REMEMBER_MS", offsetof(VerdictRecord, remember_ms));
  at("ACCEPT", offsetof(VerdictRecord, accept));
  return all;
}

/** Why an interface can't be captured, or undefined. */
Napi::Value try_interface(const Napi::CallbackInfo& info) {
  std::string refusal = capture_refusal();
  if (refusal.empty()) {
    RingOptions options;
    options.name = info[0].As<Napi::String>();
    options.bytes = 65536;
    Ring ring(options);
    ring.check(nullptr, 0);
    refusal = ring.reason();
  }
  if (refusal.empty()) return info.Env().Undefined();
  return Napi::String::New(info.Env(), refusal);
}

/**
 * Records, notes, how many, the run, the table of texts, room for the lines, the number of the first → bytes written, or,
 * below zero, how many would do. Sizes are checked in ../index.ts.
 */
Napi::Value flow_lines(const Napi::CallbackInfo& info) {
  Napi::ArrayBuffer records = info[0].As<Napi::ArrayBuffer>();
  Napi::Uint32Array notes = info[1].As<Napi::Uint32Array>();
  const size_t count = info[2].As<Napi::Number>().Uint32Value();
  const std::string run = info[3].As<Napi::String>();
  Napi::Uint8Array texts = info[4].As<Napi::Uint8Array>();
  Napi::Uint8Array into = info[5].As<Napi::Uint8Array>();
  LineRoom room{reinterpret_cast<char*>(into.Data()), into.ByteLength()};
  const size_t from = info[6].As<Napi::Number>().Uint32Value();
  put_flow_lines(static_cast<const FlowRecord*>(records.Data()) + from,
                 reinterpret_cast<const FlowNote*>(notes.Data()) + from, count, run,
                 TextTable{texts.Data(), texts.ByteLength()}, room);
  const double answer = room.needed > 0 ? -static_cast<double>(room.needed) : static_cast<double>(room.used);
  return Napi::Number::New(info.Env(), answer);
}

/** True, false, or undefined where the kernel does not tell. */
Napi::Value kernel_clock(const Napi::CallbackInfo& info) {
  const std::optional<bool> synchronised = clock_synchronised();
  if (!synchronised) return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), *synchronised);
}

/** Address, port, interface → the descriptor, or `{errno, call}`. Checked in ../listen.ts. */
Napi::Value listen_of_device(const Napi::CallbackInfo& info) {
  const DeviceListener listener =
      listen_on_device(info[0].As<Napi::String>(), static_cast<uint16_t>(info[1].As<Napi::Number>().Uint32Value()),
                       info[2].As<Napi::String>());
  if (listener.fd >= 0) return Napi::Number::New(info.Env(), listener.fd);
  Napi::Object fault = Napi::Object::New(info.Env());
  fault.Set("errno", Napi::Number::New(info.Env(), -listener.fd));
  fault.Set("call", Napi::String::New(info.Env(), listener.failed));
  return fault;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Addon* addon = new Addon;
  env.SetInstanceData(addon);
  env.AddCleanupHook([captures = addon->captures, netlinks = addon->netlinks,
                      queues = addon->queues, nft_watches = addon->nft_watches] {
    for (CaptureObject* capture : *captures) capture->shut_down();
    for (NetlinkObject* netlink : *netlinks) netlink->shut_down();
    for (QueueObject* queue : *queues) queue->shut_down();
    for (NftWatchObject* watch : *nft_watches) watch->shut_down();
  });
  exports.Set("Capture", CaptureObject::define(env));
  exports.Set("Netlink", NetlinkObject::define(env));
  exports.Set("DnsGate", DnsGateObject::define(env));
  exports.Set("FirstPackets", FirstPacketsObject::define(env));
  exports.Set("Nft", NftObject::define(env));
  exports.Set("NftWatch", NftWatchObject::define(env));
  exports.Set("layout", layout_object(env));
  exports.Set("clockSynchronised", Napi::Function::New<kernel_clock>(env));
  exports.Set("flowLines", Napi::Function::New<flow_lines>(env));
  exports.Set("listenOnDevice", Napi::Function::New<listen_of_device>(env));
  exports.Set("tryInterface", Napi::Function::New<try_interface>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(homespin_native, init)

}  // namespace homespin
