// Which device a packet is of: by the MAC that sent it, or by an address.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "bytes.h"
#include "decode.h"

namespace homespin {

/** An address as in `FlowKey`: IPv4 in the first four bytes. */
struct Ip {
  uint64_t word[2];
  uint8_t ipv6;
  bool operator==(const Ip& other) const {
    return word[0] == other.word[0] && word[1] == other.word[1] && ipv6 == other.ipv6;
  }
};

struct IpHash {
  HashSecret secret;
  size_t operator()(const Ip& ip) const {
    return multiply_fold(ip.word[0] ^ secret.word[0] ^ ip.ipv6, ip.word[1] ^ secret.word[1]);
  }
};

struct NumberHash {
  HashSecret secret;
  size_t operator()(uint64_t number) const {
    return multiply_fold(number ^ secret.word[2], secret.word[3] | 1);
  }
};

/** Ends of a packet, from who sent it to whom. */
struct Ends {
  Ip from;
  Ip to;
  uint16_t from_port;
  uint16_t to_port;
};

inline Ends ends_of(const Packet& packet) {
  const FlowKey& key = packet.key;
  const Ip a{{key.a[0], key.a[1]}, key.ipv6};
  const Ip b{{key.b[0], key.b[1]}, key.ipv6};
  if (packet.sender == 0) return {a, b, key.port_a, key.port_b};
  return {b, a, key.port_b, key.port_a};
}

/** Multicast, or IPv4's broadcast to all. */
inline bool to_many(const Ip& ip) {
  const uint8_t first = static_cast<uint8_t>(ip.word[0]);
  if (ip.ipv6) return first == 0xff;
  return (first & 0xf0) == 0xe0 || static_cast<uint32_t>(ip.word[0]) == 0xffffffff;
}

class DeviceIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit DeviceIndex(const HashSecret& secret)
      : macs_(16, NumberHash{secret}), ips_(16, IpHash{secret}) {}

  /** The first one that a MAC or an address was added for keeps it. */
  void add_mac(uint64_t mac, uint32_t device) { macs_.emplace(mac, device); }
  void add_ip(const Ip& ip, uint32_t device) { ips_.emplace(ip, device); }

  uint32_t by_mac(uint64_t mac) const {
    const auto found = macs_.find(mac);
    return found == macs_.end() ? kNone : found->second;
  }
  uint32_t by_ip(const Ip& ip) const {
    const auto found = ips_.find(ip);
    return found == ips_.end() ? kNone : found->second;
  }

 private:
  std::unordered_map<uint64_t, uint32_t, NumberHash> macs_;
  std::unordered_map<Ip, uint32_t, IpHash> ips_;
};

}  // namespace homespin
