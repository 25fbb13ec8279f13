// pcap and pcapng, of either byte order, from whatever pieces they come in.
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html, …-pcapng-03.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "meter.h"
#include "packet.h"

namespace homespin {

/** No packet is larger than libpcap's MAXIMUM_SNAPLEN; a file that says so is broken. */
constexpr uint32_t kMaxCaptured = 262144;

class CaptureFile {
 public:
  /** `last_us`: the time of a first packet that has none. `pauses`: it can wait until names have been taken. */
  explicit CaptureFile(int64_t last_us = 0, bool pauses = false) : pauses_(pauses), last_us_(last_us) {}

  /**
   * Hands whole packets at `data` to the meter. Returns how many bytes were used up; the rest is to be given again with more.
   * With `failed()`, nothing more is to be given.
   */
  size_t parse(const uint8_t* data, size_t size, Meter& meter);

  /** The meter holds as many names as it should: the rest is to be given again when they have been taken. */
  bool paused() const { return paused_; }

  /** After the last byte, of which `rest` were not used up. */
  void end(size_t rest);

  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }
  const std::vector<std::string>& unsupported_links() const { return unsupported_; }

 private:
  enum class Format : uint8_t { kUnknown, kPcap, kPcapng };

  struct Interface {
    uint16_t link_type;
    uint32_t snap_length;
    /** Ticks in a second. */
    uint64_t ticks;
    int64_t offset_s;
  };

  static constexpr uint32_t kFrames = 64;

  size_t open(const uint8_t* data, size_t size);
  template <bool kSwapped>
  size_t parse_pcap(const uint8_t* data, size_t size, Meter& meter);
  size_t parse_pcapng(const uint8_t* data, size_t size, Meter& meter);
  bool section(const uint8_t* data, uint32_t size);
  bool interface(const uint8_t* body, uint32_t size);
  bool enhanced_packet(const uint8_t* body, uint32_t size);
  bool simple_packet(const uint8_t* body, uint32_t size);
  bool old_packet(const uint8_t* body, uint32_t size);
  bool packet(uint32_t interface, uint64_t ticks, uint32_t captured, uint32_t length,
              const uint8_t* data, uint32_t room);
  void hand_over(uint32_t count, Meter& meter);
  bool fail(const std::string& what);
  void note_link(uint16_t type);
  uint16_t u16(const uint8_t* at) const;
  uint32_t u32(const uint8_t* at) const;

  bool pauses_;
  bool paused_ = false;
  Format format_ = Format::kUnknown;
  bool swapped_ = false;
  bool nanoseconds_ = false;
  uint16_t link_type_ = 0;
  bool supported_seen_ = false;
  /** Of the pcapng section. */
  std::vector<Interface> interfaces_;
  /** Interfaces of the sections before. */
  uint32_t interfaces_before_ = 0;
  int64_t last_us_;
  /** Bytes of an uninteresting block that are still to come. */
  uint64_t skip_ = 0;
  uint64_t packets_ = 0;
  uint64_t position_ = 0;
  std::string error_;
  std::vector<std::string> unsupported_;
  Frame frames_[kFrames];
  uint32_t frame_count_ = 0;
};

}  // namespace homespin
