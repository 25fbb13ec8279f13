#include "name-reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "bytes.h"

namespace homespin {

namespace {

/** Of Ethernet and IPv4 (RFC 826); what follows is padding. And where the sender's address is. */
constexpr uint32_t kArpBytes = 28;
constexpr uint32_t kArpSenderIp = 14;
/** Of a neighbour advertisement, whose target is the address that it claims (RFC 4861, 4.4). */
constexpr uint8_t kAdvertisement = 136;
constexpr uint32_t kAdvertisementTarget = 8;
constexpr uint32_t kMaxWhole = 2048;
constexpr uint8_t kMaxQuic = 3;

/** What is looked for in a flow: the low bits of `Flow::names`. */
enum Watch : uint8_t {
  kNothing,
  kUdpDns,
  kUdpWhole,
  kUdpQuic,
  kNdp,
  /** The client's first bytes. */
  kTcpStart,
  /** A ClientHello that takes several segments. */
  kTcpHello,
  kTcpDns,
};
constexpr uint8_t kWatchBits = 7;
constexpr int kCountShift = 3;

constexpr uint16_t kPortDns = 53;
/** RFC 1035, 4.1.1. Over TCP, whatever says that it is shorter is no message. */
constexpr uint32_t kDnsHeaderBytes = 12;

/** Kinds that are known by a UDP port alone. */
int kind_of_port(uint16_t port) {
  switch (port) {
    case 5353:
      return kNameMdns;
    case 5355:
      return kNameLlmnr;
    case 67:
    case 68:
      return kNameDhcp4;
    case 546:
    case 547:
      return kNameDhcp6;
    case 1900:
      return kNameSsdp;
    default:
      return -1;
  }
}

int kind_of_ports(const FlowKey& key) {
  const int kind = kind_of_port(__builtin_bswap16(key.port_a));
  return kind >= 0 ? kind : kind_of_port(__builtin_bswap16(key.port_b));
}

bool known_quic(uint32_t version) {
  return version == 1 || version == 0x6b3343cf || (version >= 0xff00001d && version <= 0xff000022);
}

/** A long header of an Initial packet; its type bits differ in version 2 (RFC 9369). */
bool quic_initial(const uint8_t* data, uint32_t size) {
  if (size < 7 || (data[0] & 0xc0) != 0xc0) return false;
  const uint32_t version = be32(data + 1);
  return known_quic(version) && (data[0] >> 4 & 3) == (version == 0x6b3343cf ? 1 : 0);
}

/** Other messages than advertisements speak for the address that they come from. */
ClaimedIp claimed_in_ndp(const Packet& packet, const uint8_t* message, uint32_t size) {
  ClaimedIp ip;
  const bool advertisement = message[0] == kAdvertisement && size >= kAdvertisementTarget + sizeof ip;
  const uint64_t* const source = packet.sender == 0 ? packet.key.a : packet.key.b;
  std::memcpy(&ip, advertisement ? message + kAdvertisementTarget : reinterpret_cast<const uint8_t*>(source),
              sizeof ip);
  return ip;
}

bool http_request(const uint8_t* data, uint32_t size) {
  static constexpr const char* kMethods[] = {"GET ",     "POST ",   "HEAD ",    "PUT ",
                                             "OPTIONS ", "DELETE ", "CONNECT ", "PATCH "};
  for (const char* method : kMethods) {
    const size_t length = std::strlen(method);
    if (size >= length && std::memcmp(data, method, length) == 0) return true;
  }
  return false;
}

}  // namespace

NameReader::NameReader(const NameOptions& options, const HashSecret& secret, const PacketClock& clock)
    : clock_(clock),
      kinds_(options.kinds),
      limited_(std::isfinite(options.per_second)),
      buckets_(secret, options.per_second, options.burst),
      repeats_(secret) {}

uint8_t NameReader::watch(const Packet& packet) const {
  const FlowKey& key = packet.key;
  const uint16_t a = __builtin_bswap16(key.port_a);
  const uint16_t b = __builtin_bswap16(key.port_b);
  const bool dns = a == kPortDns || b == kPortDns;
  switch (key.protocol) {
    case kProtocolUdp: {
      if (dns) return kUdpDns;
      const int kind = kind_of_ports(key);
      if (kind >= 0 && wants(static_cast<NameKind>(kind))) return kUdpWhole;
      return wants(kNameQuic) ? kUdpQuic : kNothing;
    }
    case kProtocolTcp:
      if (dns) return kTcpDns;
      return wants(kNameSni) || wants(kNameHttp) ? kTcpStart : kNothing;
    case kProtocolIcmp6:
      return wants(kNameNdp) ? kNdp : kNothing;
    default:
      return kNothing;
  }
}

void NameReader::read(const Packet& packet, Flow& flow, uint32_t slot) {
  // A later fragment has no header of its own to tell what it is.
  if (packet.later_fragment) return;
  const uint8_t* payload = packet.body + packet.header_bytes;
  const uint32_t size = packet.body_captured - packet.header_bytes;
  switch (flow.names & kWatchBits) {
    case kUdpDns:
      if (packet.header_bytes > 0) dns_message(packet, flow, slot, payload, size, false);
      return;
    case kUdpWhole:
      if (packet.header_bytes > 0 && size > 0) {
        hand_up(static_cast<NameKind>(kind_of_ports(flow.key)), packet, flow, slot, payload, size);
      }
      return;
    case kUdpQuic:
      return quic(packet, flow, slot);
    case kNdp:
      if (size >= 4 && payload[0] >= 133 && payload[0] <= 137 &&
          !repeats(packet, payload, std::min(size, kMaxWhole), claimed_in_ndp(packet, payload, size))) {
        hand_up(kNameNdp, packet, flow, slot, payload, size);
      }
      return;
    case kTcpStart:
      return tcp_start(packet, flow, slot);
    case kTcpHello:
      return tls(packet, flow, slot);
    case kTcpDns:
      return tcp_dns(packet, flow, slot);
  }
}

void NameReader::read_arp(const Packet& packet) {
  if (!wants(kNameArp)) return;
  const uint32_t size = std::min(packet.body_captured, kMaxWhole);
  ClaimedIp ip{};
  if (size >= kArpBytes) std::memcpy(&ip, packet.body + kArpSenderIp, 4);
  if (repeats(packet, packet.body, std::min(size, kArpBytes), ip) || !allowed(packet, false)) return;
  uint8_t* const to = queue_.prepare(size);
  if (to == nullptr) return;
  std::memcpy(to, packet.body, size);
  commit(kNameArp, packet, kNoSlot, true, size);
}

bool NameReader::repeats(const Packet& packet, const uint8_t* message, uint32_t size, const ClaimedIp& ip) {
  const uint64_t sender = packet.src_mac == nullptr ? 0 : mac_number(packet.src_mac);
  return repeats_.repeats(message, size, sender, ip, packet.time_us);
}

/**
 * An answer whose query was not seen is charged to who is answered: else one device could use up what the resolver may say to
 * all others. On an account of its own, as anybody can make up answers.
 */
bool NameReader::allowed(const Packet& packet, bool answer) {
  if (!limited_) return true;
  const uint8_t* mac = packet.src_mac;
  if (answer && packet.dst_mac != nullptr && !(packet.dst_mac[0] & 1)) mac = packet.dst_mac;
  uint64_t device;
  if (mac != nullptr) {
    device = mac_number(mac) | uint64_t{1} << 62;
  } else {
    const bool is_a = (packet.sender == 0) != answer;
    const uint64_t* ip = is_a ? packet.key.a : packet.key.b;
    device = (ip[0] ^ ip[1] * 0x9e3779b97f4a7c15) | uint64_t{1} << 63;
  }
  if (answer) device |= uint64_t{1} << 61;
  if (buckets_.take(device, packet.time_us)) return true;
  queue_.drop();
  return false;
}

/** An answer fares as its query did: what was let through is worth nothing without it, and what was not needs none. */
bool NameReader::dns_allowed(const Packet& packet, Flow& flow, bool query) {
  if (!limited_) return true;
  uint8_t passed = static_cast<uint8_t>(flow.memo);
  uint8_t refused = static_cast<uint8_t>(flow.memo >> 8);
  bool passes;
  if (query) {
    passes = allowed(packet, false);
    uint8_t& count = passes ? passed : refused;
    if (count < UINT8_MAX) count++;
  } else if (passed > 0) {
    passes = true;
    passed--;
  } else if (refused > 0) {
    passes = false;
    refused--;
    queue_.drop();
  } else {
    return allowed(packet, true);
  }
  flow.memo = static_cast<uint16_t>(passed | refused << 8);
  return passes;
}

Stream& NameReader::open_stream(const Packet& packet, const Flow& flow, uint32_t base) {
  bool displaced;
  Stream& stream = streams_.open(flow.number, packet.sender, base, packet.time_us, displaced);
  if (displaced) queue_.drop();
  return stream;
}

void NameReader::hand_up(NameKind kind, const Packet& packet, const Flow& flow, uint32_t slot,
                         const uint8_t* payload, uint32_t size) {
  if (!allowed(packet, false)) return;
  size = std::min(size, kMaxWhole);
  uint8_t* const to = queue_.prepare(size);
  if (to == nullptr) return;
  std::memcpy(to, payload, size);
  commit(kind, packet, slot, packet.sender == flow.originator(), size);
}

void NameReader::dns_message(const Packet& packet, Flow& flow, uint32_t slot,
                             const uint8_t* message, uint32_t size, bool tcp) {
  const DnsKind kind = dns_kind(message, size);
  if (kind == DnsKind::kNone) return;
  if (kind == DnsKind::kQuery) dns_queries_++;
  if (!wants(kNameDns) || !dns_allowed(packet, flow, kind == DnsKind::kQuery)) return;
  uint8_t* const to = queue_.prepare(kMaxDnsPayload);
  if (to == nullptr) return;
  const size_t payload = read_dns(message, size, tcp, to);
  commit(kNameDns, packet, slot, packet.sender == flow.originator(), payload);
}

void NameReader::quic(const Packet& packet, Flow& flow, uint32_t slot) {
  if (packet.header_bytes == 0 || packet.sender != flow.originator()) return;
  const uint8_t* payload = packet.body + packet.header_bytes;
  const uint32_t size = packet.body_captured - packet.header_bytes;
  const uint8_t seen = flow.names >> kCountShift;
  if (!quic_initial(payload, size) || seen >= kMaxQuic) {
    flow.names = kNothing;
    return;
  }
  flow.names = static_cast<uint8_t>(kUdpQuic | (seen + 1) << kCountShift);
  hand_up(kNameQuic, packet, flow, slot, payload, size);
}

void NameReader::tcp_start(const Packet& packet, Flow& flow, uint32_t slot) {
  if (packet.header_bytes == 0 || packet.sender != flow.originator()) return;
  const uint32_t sequence = be32(packet.body + 4);
  const uint8_t* payload = packet.body + packet.header_bytes;
  const uint32_t size = packet.body_captured - packet.header_bytes;
  if (packet.tcp_flags & kSyn) {
    // Where the client's bytes begin, so that a later piece that comes first is known as one.
    flow.memo = static_cast<uint16_t>(sequence + 1);
    flow.names |= 1 << kCountShift;
  }
  if (size == 0) return;
  const bool start_known = flow.names >> kCountShift & 1;
  const uint16_t ahead = start_known && !(packet.tcp_flags & kSyn)
                             ? static_cast<uint16_t>(sequence - flow.memo)
                             : 0;
  if (ahead == 0) {
    if (wants(kNameSni) && payload[0] == 0x16 && (size == 1 || payload[1] == 3)) {
      flow.names = kTcpHello;
      return hello(packet, flow, slot, payload, size, nullptr);
    }
    flow.names = kNothing;
    if (wants(kNameHttp) && http_request(payload, size)) {
      hand_up(kNameHttp, packet, flow, slot, payload, size);
    }
    return;
  }
  // A keep-alive or repetition from before the start says nothing.
  if (ahead >= kMaxStreamBytes) return;
  if (!wants(kNameSni)) return;
  Stream& stream = open_stream(packet, flow, sequence - ahead);
  if (stream.add(sequence, payload, size)) {
    flow.names = kTcpHello;
  } else {
    streams_.close(stream);
    flow.names = kNothing;
  }
}

void NameReader::tls(const Packet& packet, Flow& flow, uint32_t slot) {
  if (packet.header_bytes == 0 || packet.sender != flow.originator()) return;
  const uint8_t* payload = packet.body + packet.header_bytes;
  const uint32_t size = packet.body_captured - packet.header_bytes;
  if (size == 0) return;
  Stream* const stream = streams_.find(flow.number, packet.sender, packet.time_us);
  if (stream == nullptr || !stream->add(be32(packet.body + 4), payload, size)) {
    if (stream != nullptr) streams_.close(*stream);
    flow.names = kNothing;
    return;
  }
  if (stream->size() > 0) hello(packet, flow, slot, stream->data(), stream->size(), stream);
}

/** `stream` is null as long as the first segment is all there is. */
void NameReader::hello(const Packet& packet, Flow& flow, uint32_t slot, const uint8_t* data,
                       uint32_t size, Stream* stream) {
  const Hello found = read_client_hello(data, size, hello_scratch_);
  if (found.state == HelloState::kMore) {
    if (stream != nullptr) return;
    const uint32_t sequence = be32(packet.body + 4) + (packet.tcp_flags & kSyn ? 1 : 0);
    Stream& opened = open_stream(packet, flow, sequence);
    if (!opened.add(sequence, data, size)) {
      streams_.close(opened);
      flow.names = kNothing;
    }
    return;
  }
  flow.names = kNothing;
  if (found.state == HelloState::kName && allowed(packet, false)) {
    if (uint8_t* const to = queue_.prepare(kMaxNameText)) {
      const size_t length =
          put_dotted_name(found.name, found.name_bytes, reinterpret_cast<char*>(to));
      commit(kNameSni, packet, slot, true, length);
    }
  }
  if (stream != nullptr) streams_.close(*stream);
}

void NameReader::tcp_dns(const Packet& packet, Flow& flow, uint32_t slot) {
  if (packet.header_bytes == 0) return;
  const uint8_t end = packet.sender;
  const bool syn = packet.tcp_flags & kSyn;
  const uint32_t sequence = be32(packet.body + 4) + (syn ? 1 : 0);
  const uint8_t* payload = packet.body + packet.header_bytes;
  const uint32_t size = packet.body_captured - packet.header_bytes;
  Stream* stream = streams_.find(flow.number, end, packet.time_us);
  if (stream == nullptr || syn) {
    // Seen from its middle: a message is believed to begin here, and what is none is left out.
    if (size == 0 && !syn) return;
    stream = &open_stream(packet, flow, sequence);
  }
  if (size > 0 && !stream->add(sequence, payload, size)) {
    streams_.close(*stream);
    return;
  }
  uint32_t at = 0;
  while (at + 2 <= stream->size()) {
    const uint32_t length = be16(stream->data() + at);
    if (length < kDnsHeaderBytes) return streams_.close(*stream);
    const uint32_t end_of_message = at + 2 + length;
    if (length + 2 <= kMaxStreamBytes) {
      if (end_of_message > stream->size()) break;
      dns_message(packet, flow, slot, stream->data() + at + 2, length, true);
    }
    at = end_of_message;
  }
  if (at > 0) stream->consume(at);
  if (packet.tcp_flags & (kFin | kRst) && stream->size() == 0) streams_.close(*stream);
}

}  // namespace homespin
