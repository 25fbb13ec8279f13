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
  uint32_t bytes = 8 << 20;

  bool operator==(const RingOptions&) const = default;
};

/** Why packets can't be captured here at all, or empty. */
std::string capture_refusal();

class Ring {
 public:
  explicit Ring(const RingOptions& options);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /** Looks at the interface: attaches to it, again when it came back as another one, and notes why it can't. */
  void check();

  /** Hands one block of frames to the meter; false if there is none. */
  bool read(Meter& meter, uint16_t index);

  /** Takes the error that makes poll return at once. */
  void clear_error();

  const RingOptions& options() const { return options_; }
  /** -1 while not attached. */
  int fd() const { return fd_; }
  bool up() const { return reason_.empty(); }
  const std::string& reason() const { return reason_; }
  uint64_t packets() const { return packets_; }
  /** Packets that the ring had no room for. */
  uint64_t dropped();

 private:
  /** Empty, or why not. */
  std::string attach(int index, uint16_t hardware);
  void detach();
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
  uint64_t packets_ = 0;
  uint64_t dropped_ = 0;
  std::string reason_ = "not tried yet";
};

}  // namespace homespin
