// How many packets with names each device may have handed up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "decode.h"

namespace homespin {

/** Bounded: a device that comes takes the place of the one that was silent for longest among a few. */
class TokenBuckets {
 public:
  TokenBuckets(const HashSecret& secret, double per_second, double burst)
      : secret_(secret), per_second_(per_second), burst_(burst), buckets_(kBuckets) {}

  /** Everyone may have a burst again. */
  void clear() { buckets_.assign(kBuckets, Bucket{}); }

  /** Whether one more may pass. `device` is any number of it but 0. */
  bool take(uint64_t device, int64_t time_us) {
    Bucket* const ways =
        &buckets_[multiply_fold(device ^ secret_.word[0], secret_.word[1] | 1) % (kBuckets / kWays) *
                  kWays];
    Bucket* bucket = nullptr;
    Bucket* oldest = ways;
    for (Bucket* way = ways; way < ways + kWays; way++) {
      if (way->device == device) bucket = way;
      if (way->time_us < oldest->time_us) oldest = way;
    }
    if (bucket == nullptr) {
      bucket = oldest;
      *bucket = {device, burst_, time_us};
    }
    const double passed = static_cast<double>(time_us - bucket->time_us) / 1e6;
    // Time that goes back earns nothing; what passes from there on does.
    bucket->time_us = time_us;
    if (passed > 0) bucket->tokens = std::min(bucket->tokens + passed * per_second_, burst_);
    if (bucket->tokens < 1) return false;
    bucket->tokens -= 1;
    return true;
  }

 private:
  static constexpr uint32_t kBuckets = 4096;
  static constexpr uint32_t kWays = 4;
  struct Bucket {
    uint64_t device = 0;
    double tokens = 0;
    int64_t time_us = 0;
  };
  const HashSecret& secret_;
  double per_second_;
  double burst_;
  std::vector<Bucket> buckets_;
};

}  // namespace homespin
