// What is local, to know the copies of packets that this box forwards between its own networks.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "packet.h"

namespace homespin {

struct Prefix {
  /** IPv4 in the first four bytes, the rest zero. */
  uint8_t ip[16];
  uint8_t bits;
  bool ipv6;
};

class Locality {
 public:
  Locality() = default;
  Locality(std::vector<Prefix> prefixes, std::vector<Prefix> own)
      : prefixes_(std::move(prefixes)), own_(std::move(own)) {}

  /** Whether a packet that this box sent is a device's: it was counted when it came in. */
  bool forwarded(const Packet& packet) const {
    const uint64_t* source = packet.sender == 0 ? packet.key.a : packet.key.b;
    uint8_t ip[16];
    std::memcpy(ip, source, sizeof ip);
    return within(prefixes_, ip, packet.key.ipv6) && !within(own_, ip, packet.key.ipv6);
  }

 private:
  static bool within(const std::vector<Prefix>& list, const uint8_t* ip, bool ipv6) {
    for (const Prefix& prefix : list) {
      if (prefix.ipv6 != ipv6) continue;
      const size_t bytes = prefix.bits / 8;
      const uint8_t mask = static_cast<uint8_t>(0xff00 >> prefix.bits % 8);
      if (std::memcmp(prefix.ip, ip, bytes) == 0 &&
          (mask == 0 || ((prefix.ip[bytes] ^ ip[bytes]) & mask) == 0)) {
        return true;
      }
    }
    return false;
  }

  std::vector<Prefix> prefixes_;
  std::vector<Prefix> own_;
};

}  // namespace homespin
