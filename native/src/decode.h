// Frame → addresses, ports and lengths. Never reads past `captured`; whoever lies is malformed.
#pragma once

#include "bytes.h"
#include "packet.h"

namespace homespin {

/** A secret drawn per capture, so that nobody outside can aim flows at one place of the index. */
struct HashSecret {
  uint64_t word[4];
};

/**
 * Fills `packet` from `frame`. A snapped frame is decoded as far as its headers are there.
 * Length fields that contradict the frame, the header lengths or the protocol: malformed.
 */
void decode(const Frame& frame, const HashSecret& secret, Packet& packet);

inline uint64_t multiply_fold(uint64_t x, uint64_t y) {
  unsigned __int128 product = static_cast<unsigned __int128>(x) * y;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/** Hash of a key whose ends are in their order. */
inline uint64_t hash_of(const FlowKey& key, const HashSecret& secret) {
  const uint64_t rest = load<uint32_t>(&key.port_a) | static_cast<uint64_t>(key.protocol) << 32 |
                        static_cast<uint64_t>(key.ipv6) << 40 |
                        static_cast<uint64_t>(key.station) << 48;
  const uint64_t ends = multiply_fold(key.a[0] ^ secret.word[0], key.a[1] ^ secret.word[1]) ^
                        multiply_fold(key.b[0] ^ secret.word[2], key.b[1] ^ secret.word[3]) * 3;
  return multiply_fold(ends ^ secret.word[1], rest ^ secret.word[2]);
}

}  // namespace homespin
