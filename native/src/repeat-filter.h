// What was said a moment ago need not be said again: neighbours repeat themselves all the time, to everyone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "decode.h"

namespace homespin {

/** An address that a message claims for its sender; IPv4 in the first four bytes. */
using ClaimedIp = std::array<uint64_t, 2>;

/**
 * Remembers messages by a keyed hash, the latest in each place, and who claimed an address last: whoever takes one back says
 * something new. A collision lets a repetition pass, or, once in 2^64, holds one back.
 */
class RepeatFilter {
 public:
  explicit RepeatFilter(const HashSecret& secret) : secret_(secret), places_(kPlaces), claims_(kClaims) {}

  /** True if the sender said the same within the last five minutes, and was the last to claim that address. */
  bool repeats(const uint8_t* message, size_t size, uint64_t sender, const ClaimedIp& ip, int64_t time_us) {
    uint64_t hash = multiply_fold(sender ^ secret_.word[0], secret_.word[1] | 1);
    for (size_t at = 0; at < size; at += 8) {
      uint64_t word = 0;
      std::memcpy(&word, message + at, size - at < 8 ? size - at : 8);
      hash = multiply_fold(hash ^ word, secret_.word[1] | 1);
    }
    const bool again = claims_again(sender, ip);
    Place& place = places_[hash % kPlaces];
    const bool fresh = time_us - place.time_us < kMemoryUs && time_us >= place.time_us;
    if (again && place.hash == hash && fresh) return true;
    place = {hash, time_us};
    return false;
  }

 private:
  static constexpr size_t kPlaces = 32768;
  static constexpr size_t kClaims = 4096;
  static constexpr int64_t kMemoryUs = 300'000'000;
  struct Place {
    uint64_t hash = 0;
    int64_t time_us = 0;
  };
  struct Claim {
    uint64_t ip_hash = 0;
    uint64_t sender = 0;
  };

  bool claims_again(uint64_t sender, const ClaimedIp& ip) {
    const uint64_t hash = multiply_fold(ip[0] ^ secret_.word[2], ip[1] ^ secret_.word[3]);
    Claim& claim = claims_[hash % kClaims];
    const bool again = claim.ip_hash == hash && claim.sender == sender;
    claim = {hash, sender};
    return again;
  }

  const HashSecret& secret_;
  std::vector<Place> places_;
  std::vector<Claim> claims_;
};

}  // namespace homespin
