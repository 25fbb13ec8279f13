#include "decode.h"

#include "link-types.h"

namespace homespin {

namespace {

constexpr uint16_t kTypeIpv4 = 0x0800;
constexpr uint16_t kTypeArp = 0x0806;
constexpr uint16_t kTypeIpv6 = 0x86dd;
constexpr int kMaxTags = 4;
constexpr int kMaxExtensionHeaders = 8;
/** No kernel makes a longer frame: eight times 64 KiB (GSO_MAX_SIZE, linux/netdevice.h), and its link header and tags. */
constexpr uint32_t kMaxFrame = 512 * 1024 + 64;

inline bool is_vlan(uint16_t type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

using u128 = unsigned __int128;

inline u128 joined(const uint64_t word[2]) { return static_cast<u128>(word[1]) << 64 | word[0]; }

uint16_t station(const Packet& packet, const HashSecret& secret) {
  if (packet.sender != 0 || packet.src_mac == nullptr) return 0;
  const uint64_t mac = mac_number(packet.src_mac);
  return static_cast<uint16_t>(multiply_fold(mac ^ secret.word[0], secret.word[3] | 1)) | 1;
}

/** Puts the ends in their order without a branch: either direction is as likely. */
inline void seal(Packet& packet, const HashSecret& secret) {
  FlowKey& key = packet.key;
  const u128 from = joined(key.a);
  const u128 to = joined(key.b);
  const bool swap = (from > to) | ((from == to) & (key.port_a > key.port_b));
  const uint64_t mask = 0 - static_cast<uint64_t>(swap);
  for (int i = 0; i < 2; i++) {
    const uint64_t difference = (key.a[i] ^ key.b[i]) & mask;
    key.a[i] ^= difference;
    key.b[i] ^= difference;
  }
  const uint16_t difference = (key.port_a ^ key.port_b) & static_cast<uint16_t>(mask);
  key.port_a ^= difference;
  key.port_b ^= difference;
  packet.sender = swap;
  // Sorted, it is the first.
  key.station = (key.a[0] | key.a[1]) == 0 ? station(packet, secret) : uint16_t{0};
  packet.hash = hash_of(key, secret);
}

/** The least header of a protocol whose ports are where those of UDP are; 0 where it has none. */
inline uint32_t header_with_ports(uint8_t protocol) {
  switch (protocol) {
    case kProtocolDccp:
    case kProtocolSctp:
      return 12;
    case kProtocolUdpLite:
      return 8;
    default:
      return 0;
  }
}

/** Ports and TCP flags, where the packet has them. */
inline void transport(Packet& packet) {
  const uint8_t* at = packet.body;
  const uint32_t captured = packet.body_captured;
  FlowKey& key = packet.key;
  key.port_a = key.port_b = 0;
  packet.tcp_flags = 0;
  packet.header_bytes = 0;
  if (packet.later_fragment) return;
  if (key.protocol == kProtocolTcp) {
    if (packet.body_bytes < 20 && !packet.fragment) {
      packet.verdict = Verdict::kMalformed;
      return;
    }
    if (captured < 4) return;
    key.port_a = load<uint16_t>(at);
    key.port_b = load<uint16_t>(at + 2);
    if (captured < 14) return;
    const uint32_t header = (at[12] >> 4) * 4u;
    if (header < 20 || (header > packet.body_bytes && !packet.fragment)) {
      packet.verdict = Verdict::kMalformed;
      return;
    }
    packet.tcp_flags = at[13];
    if (captured >= header) packet.header_bytes = static_cast<uint8_t>(header);
  } else if (key.protocol == kProtocolUdp) {
    if (packet.body_bytes < 8 && !packet.fragment) {
      packet.verdict = Verdict::kMalformed;
      return;
    }
    if (captured < 4) return;
    key.port_a = load<uint16_t>(at);
    key.port_b = load<uint16_t>(at + 2);
    if (captured < 8) return;
    const uint32_t length = be16(at + 4);
    // A length of 0 is a jumbogram's (RFC 2675).
    if ((length < 8 && length != 0) || (length > packet.body_bytes && !packet.fragment)) {
      packet.verdict = Verdict::kMalformed;
      return;
    }
    packet.header_bytes = 8;
    if (length != 0 && length < captured) packet.body_captured = length;
  } else if (key.protocol == kProtocolIcmp || key.protocol == kProtocolIcmp6) {
    if (packet.body_bytes < 4 && !packet.fragment) packet.verdict = Verdict::kMalformed;
  } else if (const uint32_t header = header_with_ports(key.protocol); header != 0) {
    if (packet.body_bytes < header && !packet.fragment) {
      packet.verdict = Verdict::kMalformed;
      return;
    }
    if (captured < 4) return;
    key.port_a = load<uint16_t>(at);
    key.port_b = load<uint16_t>(at + 2);
  }
}

inline void ipv4(const Frame& frame, uint32_t offset, const HashSecret& secret, Packet& packet) {
  const uint8_t* at = frame.data + offset;
  packet.verdict = Verdict::kMalformed;
  if (offset > frame.captured || frame.captured - offset < 20) return;
  const uint32_t header = (at[0] & 15) * 4u;
  if (at[0] >> 4 != 4 || header < 20) return;
  const uint32_t on_wire = frame.length - offset;
  uint32_t total = be16(at + 2);
  // A super-packet that segmentation offload will cut, or one beyond 64 KiB, carries no length.
  if (total == 0) total = on_wire;
  if (total < header || total > on_wire) return;
  uint32_t captured = frame.captured - offset;
  if (captured > total) captured = total;
  if (captured < header) return;
  const uint16_t fragment = be16(at + 6) & 0x3fff;
  FlowKey& key = packet.key;
  key.a[0] = load<uint32_t>(at + 12);
  key.b[0] = load<uint32_t>(at + 16);
  key.a[1] = key.b[1] = 0;
  key.protocol = at[9];
  key.ipv6 = 0;
  packet.ip_bytes = total;
  packet.body = at + header;
  packet.body_captured = captured - header;
  packet.body_bytes = total - header;
  packet.fragment = fragment != 0;
  packet.later_fragment = (fragment & 0x1fff) != 0;
  packet.fragment_id = be16(at + 4);
  packet.verdict = Verdict::kIp;
  transport(packet);
  seal(packet, secret);
}

inline bool is_extension(uint8_t header) {
  switch (header) {
    case 0:    // hop-by-hop
    case 43:   // routing
    case 44:   // fragment
    case 51:   // authentication
    case 60:   // destination options
    case 135:  // mobility
    case 139:  // host identity
    case 140:  // shim6
      return true;
    default:
      return false;
  }
}

/** Walks the extension headers. False: they lie about their lengths, or there are too many. */
bool skip_extensions(Packet& packet) {
  uint8_t next = packet.key.protocol;
  for (int n = 0; is_extension(next) && !packet.later_fragment; n++) {
    if (n == kMaxExtensionHeaders) return false;
    if (packet.body_bytes < 8) return false;
    if (packet.body_captured < 8) break;  // snapped: what is known so far stands
    const uint8_t* at = packet.body;
    uint32_t size = (at[1] + 1u) * 8;
    if (next == 51) size = (at[1] + 2u) * 4;
    if (next == 44) {
      size = 8;
      const uint16_t fragment = be16(at + 2);
      // An atomic fragment (RFC 6946) is whole.
      packet.fragment = (fragment & 0xfff9) != 0;
      packet.later_fragment = (fragment & 0xfff8) != 0;
      packet.fragment_id = be32(at + 4);
    }
    if (size > packet.body_bytes) return false;
    next = at[0];
    packet.body += size;
    packet.body_bytes -= size;
    packet.body_captured = packet.body_captured > size ? packet.body_captured - size : 0;
  }
  packet.key.protocol = next;
  return true;
}

inline void ipv6(const Frame& frame, uint32_t offset, const HashSecret& secret, Packet& packet) {
  const uint8_t* at = frame.data + offset;
  packet.verdict = Verdict::kMalformed;
  if (offset > frame.captured || frame.captured - offset < 40 || at[0] >> 4 != 6) return;
  const uint32_t on_wire = frame.length - offset;
  uint32_t total = be16(at + 4) + 40u;
  // Zero: a super-packet or jumbogram; but "no next header" says that there is nothing.
  if (total == 40 && at[6] != 59) total = on_wire;
  if (total > on_wire) return;
  uint32_t captured = frame.captured - offset;
  if (captured > total) captured = total;
  FlowKey& key = packet.key;
  std::memcpy(key.a, at + 8, 16);
  std::memcpy(key.b, at + 24, 16);
  key.protocol = at[6];
  key.ipv6 = 1;
  packet.ip_bytes = total;
  packet.body = at + 40;
  packet.body_captured = captured - 40;
  packet.body_bytes = total - 40;
  packet.fragment = packet.later_fragment = false;
  packet.fragment_id = 0;
  packet.verdict = Verdict::kIp;
  if (key.protocol != kProtocolTcp && key.protocol != kProtocolUdp && !skip_extensions(packet)) {
    packet.verdict = Verdict::kMalformed;
    return;
  }
  transport(packet);
  seal(packet, secret);
}

void arp(const Frame& frame, uint32_t offset, Packet& packet) {
  packet.verdict = Verdict::kMalformed;
  if (offset > frame.captured || frame.captured - offset < 8) return;
  const uint8_t* at = frame.data + offset;
  const uint32_t size = 8 + 2u * at[4] + 2u * at[5];
  if (size > frame.length - offset) return;
  const uint32_t captured = frame.captured - offset;
  packet.body = at;
  packet.body_captured = captured < size ? captured : size;
  packet.body_bytes = size;
  packet.verdict = Verdict::kArp;
}

/** What follows an EtherType, tags and all. */
void by_type(const Frame& frame, uint16_t type, uint32_t offset, const HashSecret& secret,
             Packet& packet) {
  for (int tags = 0; is_vlan(type); tags++) {
    if (tags == kMaxTags || offset + 4 > frame.captured) {
      packet.verdict = Verdict::kMalformed;
      return;
    }
    const uint16_t id = be16(frame.data + offset) & 0xfff;
    if (packet.vlan == 0) packet.vlan = id;
    type = be16(frame.data + offset + 2);
    offset += 4;
  }
  if (type == kTypeIpv4) return ipv4(frame, offset, secret, packet);
  if (type == kTypeIpv6) return ipv6(frame, offset, secret, packet);
  if (type == kTypeArp) return arp(frame, offset, packet);
  packet.verdict = Verdict::kUnsupported;
}

void by_version(const Frame& frame, const HashSecret& secret, Packet& packet) {
  const uint8_t version = frame.captured > 0 ? frame.data[0] >> 4 : 0;
  if (version == 4) return ipv4(frame, 0, secret, packet);
  if (version == 6) return ipv6(frame, 0, secret, packet);
  packet.verdict = Verdict::kMalformed;
}

void other_link(const Frame& frame, const HashSecret& secret, Packet& packet) {
  const uint8_t* at = frame.data;
  packet.src_mac = packet.dst_mac = nullptr;
  switch (frame.link_type) {
    case kLinkRaw:
    case kLinkRawBsd:
    case kLinkRawOpenBsd:
      return by_version(frame, secret, packet);
    case kLinkIpv4:
      return ipv4(frame, 0, secret, packet);
    case kLinkIpv6:
      return ipv6(frame, 0, secret, packet);
    case kLinkLinuxCooked:
      if (frame.captured < 16) break;
      if (be16(at + 4) == 6) packet.src_mac = at + 6;
      return by_type(frame, be16(at + 14), 16, secret, packet);
    case kLinkLinuxCooked2:
      if (frame.captured < 20) break;
      if (at[11] == 6) packet.src_mac = at + 12;
      return by_type(frame, be16(at), 20, secret, packet);
    default:
      packet.verdict = Verdict::kUnsupported;
      return;
  }
  packet.verdict = Verdict::kMalformed;
}

}  // namespace

void decode(const Frame& frame, const HashSecret& secret, Packet& packet) {
  packet.time_us = frame.time_us;
  packet.frame_bytes = frame.length + frame.tag_bytes;
  packet.interface = frame.interface;
  packet.vlan = frame.vlan;
  if (frame.length > kMaxFrame) [[unlikely]] {
    packet.frame_bytes = frame.captured + frame.tag_bytes;
    packet.verdict = Verdict::kMalformed;
    return;
  }
  if (frame.link_type != kLinkEthernet) return other_link(frame, secret, packet);
  if (frame.captured < 14) {
    packet.verdict = Verdict::kMalformed;
    return;
  }
  packet.dst_mac = frame.data;
  packet.src_mac = frame.data + 6;
  const uint16_t type = be16(frame.data + 12);
  if (type == kTypeIpv4) return ipv4(frame, 14, secret, packet);
  if (type == kTypeIpv6) return ipv6(frame, 14, secret, packet);
  by_type(frame, type, 14, secret, packet);
}

}  // namespace homespin
