// The layout of batches, the same as ../layout.ts; a test holds the two against each other.
#pragma once

#include <cstddef>
#include <cstdint>

namespace homespin {

struct FlowRecord {
  uint32_t slot;
  uint8_t state;
  uint8_t closed_by;
  uint8_t protocol;
  uint8_t flags;
  double number;
  double first_ms;
  double last_ms;
  double orig_bytes;
  double resp_bytes;
  double orig_packets;
  double resp_packets;
  uint8_t orig_ip[16];
  uint8_t resp_ip[16];
  uint8_t orig_mac[6];
  uint8_t resp_mac[6];
  uint16_t orig_port;
  uint16_t resp_port;
  uint16_t interface;
  uint16_t vlan;
  uint8_t orig_tcp_flags;
  uint8_t resp_tcp_flags;
  uint8_t unused[10];
};
static_assert(sizeof(FlowRecord) == 128);

enum FlowFlags : uint8_t { kFlowIpv6 = 1, kFlowOrigMacSeen = 2, kFlowRespMacSeen = 4 };
enum FlowState : uint8_t { kStateNew, kStateActive, kStateClosed };
enum ClosedBy : uint8_t {
  kClosedByFin,
  kClosedByRst,
  kClosedByIdle,
  kClosedByEvicted,
  kClosedByEof,
  kStillOpen = 255,
};

struct NameHead {
  uint32_t size;
  uint32_t payload_bytes;
  uint8_t kind;
  uint8_t ipv6;
  uint8_t from_orig;
  uint8_t unused;
  uint32_t slot;
  double time_ms;
  uint8_t src_ip[16];
  uint8_t dst_ip[16];
  uint8_t src_mac[6];
  uint8_t dst_mac[6];
  uint16_t src_port;
  uint16_t dst_port;
};
static_assert(sizeof(NameHead) == 72);

constexpr uint32_t kNoSlot = 0xffffffff;

/** In the order of `NAME_KINDS`. */
enum NameKind : uint8_t {
  kNameDns,
  kNameSni,
  kNameMdns,
  kNameLlmnr,
  kNameDhcp4,
  kNameDhcp6,
  kNameSsdp,
  kNameArp,
  kNameNdp,
  kNameQuic,
  kNameHttp,
  kNameKinds,
};

struct __attribute__((packed)) DnsHead {
  uint16_t id;
  uint8_t flags;
  uint8_t rcode;
  uint16_t qtype;
  uint16_t name_bytes;
  uint16_t answers;
  uint16_t unused;
};
static_assert(sizeof(DnsHead) == 12);

enum DnsFlags : uint8_t { kDnsResponse = 1, kDnsTcp = 2, kDnsTruncated = 4, kDnsAnswersCut = 8 };

struct __attribute__((packed)) DnsAnswerHead {
  uint16_t rtype;
  uint16_t name_bytes;
  uint16_t data_bytes;
  uint32_t ttl_s;
};
static_assert(sizeof(DnsAnswerHead) == 10);

constexpr uint16_t kSameName = 0xffff;
constexpr uint16_t kMaxAnswers = 64;

/** A connection whose first packet waits for a verdict. */
struct ConnectionRecord {
  double id;
  double asked_ms;
  double deadline_ms;
  uint64_t device;
  uint8_t orig_ip[16];
  uint8_t resp_ip[16];
  uint8_t mac[6];
  uint16_t orig_port;
  uint16_t resp_port;
  uint8_t protocol;
  uint8_t flags;
  uint8_t unused[4];
};
static_assert(sizeof(ConnectionRecord) == 80);

enum ConnectionFlags : uint8_t { kConnectionIpv6 = 1, kConnectionInbound = 2, kConnectionAccepts = 4 };

/** A verdict on a connection that waits. */
struct VerdictRecord {
  double id;
  uint32_t remember_ms;
  uint8_t accept;
  uint8_t unused[3];
};
static_assert(sizeof(VerdictRecord) == 16);

}  // namespace homespin
