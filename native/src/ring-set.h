// The rings of a live capture, while interfaces come and go.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "meter.h"
#include "ring.h"

namespace homespin {

class RingSet {
 public:
  /** Interfaces that stay keep their rings, whatever else is wanted of them; of those that leave all is read. */
  void set(const std::vector<RingOptions>& list, Meter& meter);
  /** Looks at each interface. */
  void check(Meter& meter);
  /** Gives up the rings of which everything has been read by now. */
  void end_leaving();

  /** Appends what to wait for. */
  void wait_for(std::vector<pollfd>& wait) const;
  void clear_errors();

  /** Rings that can be read: those that are captured, in their order, and behind them those that leave. */
  size_t size() const { return rings_.size() + leaving_.size(); }
  /** Hands a block of frames to the meter; false: there is none. */
  bool read(size_t i, Meter& meter);

  const std::vector<std::unique_ptr<Ring>>& captured() const { return rings_; }
  /** Packets that were lost on all interfaces so far. */
  uint64_t dropped() const;

 private:
  void keep(const std::string& name, const RingTotals& totals);

  std::vector<std::unique_ptr<Ring>> rings_;
  /** Of interfaces that are captured no more: what the kernel holds of them comes within moments. */
  struct Leaving {
    std::unique_ptr<Ring> ring;
    uint16_t index;
    int64_t until_ms;
  };
  std::vector<Leaving> leaving_;
  /** Of interfaces that are gone, for when they come back. */
  std::map<std::string, RingTotals> gone_;
  /** Of those that were gone for too long to be remembered. */
  uint64_t dropped_before_ = 0;
};

}  // namespace homespin
