// One captured interface: a TPACKET_V3 ring (Documentation/networking/packet_mmap.rst).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "meter.h"
#include "packet-filter.h"

namespace homespin {

using Mac = std::array<uint8_t, 6>;

struct RingOptions {
  std::string name;
  CountRule count = CountRule::kAll;
  bool promiscuous = false;
  std::vector<Mac> upstream;
  std::vector<VlanTag> without_vlans;
  uint32_t bytes = 8 << 20;
};

/** Of an interface, for as long as it is known. */
struct RingTotals {
  uint64_t packets = 0;
  /** Packets that the ring had no room for, or that went with it. */
  uint64_t dropped = 0;
};

/** Longer than a block takes to retire: up to two of the kernel's rounds, and those may be late. */
constexpr int64_t kLastBlockMs = 100;

/** Why packets can't be captured here at all, or empty. */
std::string capture_refusal();

class Ring {
 public:
  explicit Ring(const RingOptions& options);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /** Other options for the same interface, and ring, from now on. */
  void configure(const RingOptions& options);

  /**
   * Looks at the interface: attaches to it, again when it came back as another one, and notes why it
   * can't. What the ring still holds of one that went goes to the meter, if there is one.
   */
  void check(Meter* meter, uint16_t index);

  /** Lets nothing in any more; what is there can still be read. */
  void close_gate();

  /** Goes on from what was counted on this interface before. */
  void carry(const RingTotals& before);
  RingTotals totals();
  /** Gives up the interface; what was not read counts as dropped. */
  void detach();

  /** Hands one block of frames to the meter; false if there is none. */
  bool read(Meter& meter, uint16_t index);

  /** Takes the error that makes poll return at once. */
  void clear_error();

  const RingOptions& options() const { return options_; }
  /** -1 while not attached. */
  int fd() const { return fd_; }
  bool up() const { return reason_.empty(); }
  const std::string& reason() const { return reason_; }

 private:
  /** Empty, or why not. */
  std::string attach(int index, uint16_t hardware);
  std::string filter();
  bool promiscuous(bool wanted);
  void count_drops();
  /** Reads all that is there, then detaches. */
  void leave(Meter* meter, uint16_t index);
  bool skipped(const Frame& frame, bool outgoing) const;

  RingOptions options_;
  int control_fd_ = -1;
  int fd_ = -1;
  int index_ = 0;
  uint16_t link_type_ = 0;
  bool loopback_ = false;
  Mac own_{};
  uint8_t* map_ = nullptr;
  uint32_t block_bytes_ = 0;
  uint32_t blocks_ = 0;
  uint32_t block_ = 0;
  RingTotals totals_;
  /** Frames that the kernel put into the ring, as far as it was asked, and those that were read. */
  uint64_t put_ = 0;
  uint64_t read_ = 0;
  std::string reason_ = "not tried yet";
};

}  // namespace homespin
