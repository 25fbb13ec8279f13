#include "packet-clock.h"

#include <algorithm>
#include <cstdlib>

namespace homespin {

void PacketClock::begin(int64_t stamped_us) {
  ahead_us_ = 0;
  latest_us_ = now_us_ = expected_us_ = stamped_us;
  doubt_ = Doubt::kNone;
  spare_ = false;
  calm_ = true;
}

void PacketClock::believe() {
  if (doubt_ == Doubt::kAhead && doubt_us_ <= kEndUs && !live_) follow(doubt_us_);
  calm_at(now_us_);
}

bool PacketClock::in_line(int64_t us) const {
  return us >= latest_us_ - kLeapUs && us <= std::max(now_us_, expected_us_) + kLeapUs;
}

/** A frame of this time is believed: there is no doubt any more. */
int64_t PacketClock::calm_at(int64_t us) {
  doubt_ = Doubt::kNone;
  calm_ = !spare_;
  return us;
}

int64_t PacketClock::place(int64_t stamped_us) {
  if (now_us_ > spare_until_us_) spare_ = false;
  int64_t us = stamped_us + ahead_us_;
  bool believed = in_line(us);
  if (spare_) {
    const int64_t other = stamped_us + spare_ahead_us_;
    if (in_line(other) && (!believed || std::abs(other - latest_us_) < std::abs(us - latest_us_))) {
      us = other;
      believed = true;
      spare_until_us_ = now_us_ + kSpareUs;
    }
  }
  if (!believed) return settle(us);
  follow(us);
  return calm_at(us);
}

/** A frame that is out of line: the first one, or the one that bears it out. */
int64_t PacketClock::settle(int64_t us) {
  const Doubt doubt = us < latest_us_ ? Doubt::kBehind : Doubt::kAhead;
  const bool time_passes = doubt == Doubt::kAhead && !live_;
  if (doubt_ != doubt || std::abs(us - doubt_us_) > kLeapUs || us > kEndUs) {
    doubt_ = doubt;
    doubt_us_ = us;
    calm_ = false;
    // Of its own flow, the first frame after a long silence has its own time; any other is taken for one of now.
    return time_passes && us <= kEndUs ? us : now_us_;
  }
  if (time_passes) {
    follow(us);
    return calm_at(us);
  }
  spare_ = true;
  spare_ahead_us_ = ahead_us_;
  spare_until_us_ = now_us_ + kSpareUs;
  ahead_us_ += now_us_ - us;
  follow(now_us_);
  return calm_at(now_us_);
}

}  // namespace homespin
