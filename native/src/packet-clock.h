// Times of frames → a clock that never goes back, whatever a frame says and however the source's clock was set.
#pragma once

#include <cstdint>

namespace homespin {

/**
 * All times are in microseconds. A source's own times become those of this clock by adding `ahead`, which is 0 until the
 * source's clock is set back; everything that goes by time (idle flows, names a second, fragments) goes by this clock.
 *
 * A frame within a minute of the latest is in line and is believed. One that is not is believed alone when the next one is
 * out of line the same way: a single absurd time moves nothing. Two of the past: the clock was set, and goes on from here.
 * Two of the future: so much time has passed, in a file; live, where time passes by itself, the clock was set here too.
 */
class PacketClock {
 public:
  /** Begins with a source that has nothing to do with those before. */
  void begin(int64_t stamped_us);
  /** Frames come as they are captured: time passes by `advance` and `expect` too. */
  void run_live() { live_ = true; }

  /**
   * Makes the time of the next frame one of this clock, if it is in line; else, and after one that was not, `place` is to be
   * asked.
   */
  bool take(int64_t& us) {
    const int64_t own = us + ahead_us_;
    const uint64_t from_floor = static_cast<uint64_t>(own - latest_us_ + kLeapUs);
    if (from_floor > 2 * kLeapUs || !calm_) [[unlikely]] return false;
    follow(own);
    us = own;
    return true;
  }
  /** The time of a frame that `take` did not take, by this clock. */
  int64_t place(int64_t stamped_us);

  /** It is so late by now, though no frame came. */
  void advance(int64_t us) {
    if (us > now_us_) now_us_ = us;
  }
  /** The next frame may be of that time: it did not come before. */
  void expect(int64_t us) { expected_us_ = us; }
  /** Nothing follows that could tell whether the last frame was right. */
  void believe();

  /** Of the latest frame that is believed. */
  int64_t latest_us() const { return latest_us_; }
  /** Of that, or later by `advance`. */
  int64_t now_us() const { return now_us_; }
  /** A time of this clock, as the source's clock would have it now. */
  int64_t told(int64_t us) const { return us - ahead_us_; }
  /** The time of the last frame, where it lies far ahead and is not believed yet; else `kNoTime`. */
  int64_t doubted_us() const { return doubt_ == Doubt::kAhead ? doubt_us_ : kNoTime; }

  static constexpr int64_t kNoTime = INT64_MIN;

 private:
  enum class Doubt : uint8_t { kNone, kBehind, kAhead };

  static constexpr int64_t kLeapUs = 60'000'000;
  /** How long frames may still come that were stamped before a clock was set, or by another clock. */
  static constexpr int64_t kSpareUs = 60'000'000;
  /** Beyond any time of a source by far; keeps sums within 64 bits. */
  static constexpr int64_t kEndUs = int64_t{1} << 60;

  void follow(int64_t us) {
    if (us > latest_us_) latest_us_ = us;
    if (us > now_us_) now_us_ = us;
  }

  int64_t settle(int64_t us);
  bool in_line(int64_t us) const;
  int64_t calm_at(int64_t us);

  bool live_ = false;
  /** Neither a doubt nor a spare difference: `take` needs no second look. */
  bool calm_ = true;
  Doubt doubt_ = Doubt::kNone;
  /** There is another difference that frames may be right by: the one before the clock was set. */
  bool spare_ = false;
  int64_t ahead_us_ = 0;
  int64_t latest_us_ = 0;
  int64_t now_us_ = 0;
  int64_t expected_us_ = 0;
  int64_t doubt_us_ = 0;
  int64_t spare_ahead_us_ = 0;
  int64_t spare_until_us_ = 0;
};

}  // namespace homespin
