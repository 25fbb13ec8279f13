// Which flows may have timed out: intrusive lists by second, one wheel per time-out.
#pragma once

#include <cstdint>

namespace homespin {

/** What a wheel needs in each member; members are named by their slot. */
struct WheelLink {
  uint32_t next;
  /** The slot before, or `kWheelHead | bucket` for the first one of a bucket. */
  uint32_t previous;
};

constexpr uint32_t kWheelNone = 0xffffffff;
constexpr uint32_t kWheelHead = 0x80000000;

/**
 * Members are looked at when their bucket comes up, never when a packet arrives: whoever has been active meanwhile is
 * linked again further on. `Link` maps a slot to its `WheelLink&`.
 */
class TimingWheel {
 public:
  static constexpr uint32_t kBuckets = 1024;

  TimingWheel() { clear(); }

  /** To be looked at `second`, or as near to it as the wheel reaches. */
  template <typename Link>
  void insert(uint32_t slot, int64_t second, Link link) {
    if (second <= now_) second = now_ + 1;
    if (second - now_ >= kBuckets) second = now_ + kBuckets - 1;
    const uint32_t bucket = static_cast<uint32_t>(second) % kBuckets;
    const uint32_t head = heads_[bucket];
    WheelLink& own = link(slot);
    own.next = head;
    own.previous = kWheelHead | bucket;
    if (head != kWheelNone) link(head).previous = slot;
    heads_[bucket] = slot;
    filled_[bucket / 64] |= 1ull << bucket % 64;
  }

  template <typename Link>
  void remove(uint32_t slot, Link link) {
    const WheelLink& own = link(slot);
    if (own.next != kWheelNone) link(own.next).previous = own.previous;
    if (own.previous & kWheelHead) {
      const uint32_t bucket = own.previous & ~kWheelHead;
      heads_[bucket] = own.next;
      if (own.next == kWheelNone) filled_[bucket / 64] &= ~(1ull << bucket % 64);
    } else {
      link(own.previous).next = own.next;
    }
  }

  /** The second at which a member that `nearest` returned comes up. */
  int64_t second_of(const WheelLink& first_of_bucket) const {
    const uint32_t bucket = first_of_bucket.previous & ~kWheelHead;
    const uint32_t start = static_cast<uint32_t>(now_ + 1) % kBuckets;
    return now_ + 1 + (bucket + kBuckets - start) % kBuckets;
  }

  /** Forgets all members. */
  void clear() {
    for (uint32_t& head : heads_) head = kWheelNone;
    for (uint64_t& word : filled_) word = 0;
  }

  /** Where the wheel begins; only while it is empty. */
  void start(int64_t second) { now_ = second; }
  int64_t now() const { return now_; }

  /** Moves to `second` and calls `due(slot)` for each member on the way, which is no longer linked then. */
  template <typename Link, typename Due>
  void advance(int64_t second, Link link, Due due) {
    if (second <= now_) return;
    const int64_t steps = second - now_ < kBuckets ? second - now_ : kBuckets;
    const int64_t first = now_ + 1;
    now_ = second;
    for (int64_t i = 0; i < steps; i++) {
      const uint32_t bucket = static_cast<uint32_t>(first + i) % kBuckets;
      if (!(filled_[bucket / 64] >> bucket % 64 & 1)) continue;
      // Taken off first: a member may be linked into this very bucket again.
      uint32_t slot = heads_[bucket];
      heads_[bucket] = kWheelNone;
      filled_[bucket / 64] &= ~(1ull << bucket % 64);
      while (slot != kWheelNone) {
        const uint32_t next = link(slot).next;
        due(slot);
        slot = next;
      }
    }
  }

  /** The first member of the bucket that comes up next; `kWheelNone` if there is none. */
  uint32_t nearest() const {
    const uint32_t start = static_cast<uint32_t>(now_ + 1) % kBuckets;
    for (uint32_t i = 0; i <= kBuckets / 64; i++) {
      const uint32_t word = (start / 64 + i) % (kBuckets / 64);
      uint64_t bits = filled_[word];
      if (i == 0) bits &= ~0ull << start % 64;
      if (i == kBuckets / 64) bits &= ~(~0ull << start % 64);
      if (bits != 0) return heads_[word * 64 + __builtin_ctzll(bits)];
    }
    return kWheelNone;
  }

 private:
  int64_t now_ = 0;
  uint64_t filled_[kBuckets / 64] = {};
  uint32_t heads_[kBuckets];
};

}  // namespace homespin
