// A frame as a source brings it, and what decoding makes of it.
#pragma once

#include <cstdint>

namespace homespin {

/** A captured frame. `data` is valid only during the call it is handed to. */
struct Frame {
  const uint8_t* data;
  uint32_t captured;
  /** Length on the wire, never less than `captured`. */
  uint32_t length;
  int64_t time_us;
  uint16_t link_type;
  uint16_t interface;
  /** VLAN id that the network card or kernel took out of the frame, 0 without. */
  uint16_t vlan;
  /** Bytes of the tag that was taken out; `length` is without them. */
  uint8_t tag_bytes;
  /** This box itself sent it, from its own MAC. */
  bool sent;
};

/**
 * Both ends of a flow in an order that is the same for both directions. Addresses as on the wire,
 * IPv4 in the first four bytes; ports in network order.
 */
struct FlowKey {
  uint64_t a[2];
  uint64_t b[2];
  uint16_t port_a;
  uint16_t port_b;
  uint8_t protocol;
  uint8_t ipv6;
  /**
   * Who sends from the unspecified address, by the MAC; else 0. Whoever joins a network does (DHCP, MLD, duplicate address
   * detection): without it, all who join at once would be one flow, and one device.
   */
  uint16_t station;
};
static_assert(sizeof(FlowKey) == 40);

enum class Verdict : uint8_t {
  kIp,
  kArp,
  kMalformed,
  kUnsupported,
  /** Forwarded by this box and counted when it came in: not counted again. */
  kCopy,
};

enum TcpFlags : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16 };

constexpr uint8_t kProtocolIcmp = 1;
constexpr uint8_t kProtocolTcp = 6;
constexpr uint8_t kProtocolUdp = 17;
constexpr uint8_t kProtocolDccp = 33;
constexpr uint8_t kProtocolIcmp6 = 58;
constexpr uint8_t kProtocolSctp = 132;
constexpr uint8_t kProtocolUdpLite = 136;

struct Packet {
  FlowKey key;
  uint64_t hash;
  int64_t time_us;
  /** Of the whole frame on the wire. */
  uint32_t frame_bytes;
  /** From the IP header on, as its length field says. */
  uint32_t ip_bytes;
  /** The header after IP (and its extension headers), or the ARP message; what was captured of it, padding left out. */
  const uint8_t* body;
  uint32_t body_captured;
  /** Bytes of it by the IP header. */
  uint32_t body_bytes;
  /** Null where the link has none. */
  const uint8_t* src_mac;
  const uint8_t* dst_mac;
  uint32_t fragment_id;
  uint16_t interface;
  uint16_t vlan;
  Verdict verdict;
  /** Which end of the key sent it: 0 is `a`. */
  uint8_t sender;
  uint8_t tcp_flags;
  /** Bytes of the TCP or UDP header, 0 if it was not captured whole. */
  uint8_t header_bytes;
  /** Any fragment; and one that isn't the first. */
  bool fragment;
  bool later_fragment;
};

}  // namespace homespin
