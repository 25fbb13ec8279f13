// What was said a moment ago need not be said again: neighbours repeat themselves all the time, to everyone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "decode.h"

namespace homespin {

/** Remembers messages by a keyed hash, the latest in each place. A collision lets a repetition pass, or, once in 2^64, holds one back. */
class RepeatFilter {
 public:
  explicit RepeatFilter(const HashSecret& secret) : secret_(secret), places_(kPlaces) {}

  /** True if the same was seen within the last five minutes. */
  bool repeats(const uint8_t* message, size_t size, uint64_t sender, int64_t time_us) {
    uint64_t hash = multiply_fold(sender ^ secret_.word[0], secret_.word[1] | 1);
    for (size_t at = 0; at < size; at += 8) {
      uint64_t word = 0;
      std::memcpy(&word, message + at, size - at < 8 ? size - at : 8);
      hash = multiply_fold(hash ^ word, secret_.word[1] | 1);
    }
    Place& place = places_[hash % kPlaces];
    if (place.hash == hash && time_us - place.time_us < kMemoryUs && time_us >= place.time_us) return true;
    place = {hash, time_us};
    return false;
  }

 private:
  static constexpr size_t kPlaces = 32768;
  static constexpr int64_t kMemoryUs = 300'000'000;
  struct Place {
    uint64_t hash = 0;
    int64_t time_us = 0;
  };
  const HashSecret& secret_;
  std::vector<Place> places_;
};

}  // namespace homespin
