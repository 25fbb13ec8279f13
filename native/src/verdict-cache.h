// Verdicts that are remembered: what was decided about a device and a remote, until it expires. Bounded; in a full bucket
// the verdict that ends first gives way, and is asked for again.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "decode.h"

namespace homespin {

/** What a verdict is about. Has no padding: compared and hashed as bytes. */
struct VerdictKey {
  uint64_t device;
  uint64_t remote[2];
  /** Of the responder, network order. */
  uint16_t port;
  /** Of the originator, 0 where the verdict holds for whatever port it begins from. */
  uint16_t from_port;
  uint8_t protocol;
  uint8_t ipv6;
  uint8_t inbound;
  /** 1: this one connection, 0: all to this remote. */
  uint8_t single;
};
static_assert(sizeof(VerdictKey) == 32);

class VerdictCache {
 public:
  /** `buckets`: a power of two. */
  VerdictCache(size_t buckets, const HashSecret& secret)
      : secret_(secret), mask_(buckets - 1), entries_(buckets * kWays) {}

  /** -1: nothing is remembered, 0: drop, 1: accept. */
  int find(const VerdictKey& key, int64_t now_ns) const {
    const Entry* const bucket = &entries_[(hash(key) & mask_) * kWays];
    for (size_t i = 0; i < kWays; i++) {
      if (bucket[i].until_ns > now_ns && same(bucket[i].key, key)) return bucket[i].accept;
    }
    return -1;
  }

  void put(const VerdictKey& key, bool accept, int64_t until_ns, int64_t now_ns) {
    Entry* const bucket = &entries_[(hash(key) & mask_) * kWays];
    Entry* place = bucket;
    for (size_t i = 0; i < kWays; i++) {
      if (same(bucket[i].key, key)) {
        place = &bucket[i];
        break;
      }
      if (bucket[i].until_ns < place->until_ns) place = &bucket[i];
    }
    if (place->until_ns > now_ns && !same(place->key, key)) evicted_++;
    *place = {key, until_ns, accept};
  }

  /** Everything about a device, or about all. */
  void forget(const uint64_t* device) {
    for (Entry& entry : entries_) {
      if (device == nullptr || entry.key.device == *device) entry.until_ns = 0;
    }
  }

  uint64_t evicted() const { return evicted_; }

 private:
  static constexpr size_t kWays = 8;
  struct Entry {
    VerdictKey key{};
    int64_t until_ns = 0;
    bool accept = false;
  };

  static bool same(const VerdictKey& a, const VerdictKey& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
  uint64_t hash(const VerdictKey& key) const {
    const uint64_t rest = load<uint64_t>(reinterpret_cast<const uint8_t*>(&key) + 24);
    const uint64_t ends = multiply_fold(key.device ^ secret_.word[0], rest ^ secret_.word[1]) ^
                          multiply_fold(key.remote[0] ^ secret_.word[2], key.remote[1] ^ secret_.word[3]) * 3;
    return multiply_fold(ends ^ secret_.word[1], secret_.word[2] | 1);
  }

  const HashSecret secret_;
  const size_t mask_;
  std::vector<Entry> entries_;
  uint64_t evicted_ = 0;
};

}  // namespace homespin
