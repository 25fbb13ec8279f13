#include "capture-file.h"

#include <algorithm>

#include "bytes.h"
#include "link-types.h"

namespace homespin {

namespace {

constexpr uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr uint32_t kByteOrder = 0x1a2b3c4d;
constexpr uint32_t kInterfaceDescription = 1;
constexpr uint32_t kOldPacket = 2;
constexpr uint32_t kSimplePacket = 3;
constexpr uint32_t kEnhancedPacket = 6;
constexpr uint32_t kMaxInterfaces = 65536;
/** A packet block may also carry options. */
constexpr uint32_t kMaxPacketBlock = kMaxCaptured + 65536;
/** Beyond this no time is believed: year 2100 and a bit. */
constexpr int64_t kMaxTimeUs = int64_t{1} << 52;

constexpr char kSupported[] = " is not supported; Ethernet, Linux cooked and raw IP are";

std::string hex(uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", value);
  return text;
}

}  // namespace

bool CaptureFile::fail(const std::string& what) {
  error_ = "packet " + std::to_string(packets_ + 1) + " at byte " + std::to_string(position_) +
           ": " + what;
  return false;
}

void CaptureFile::note_link(uint16_t type) {
  const std::string name = link_name(type);
  if (std::find(unsupported_.begin(), unsupported_.end(), name) == unsupported_.end() &&
      unsupported_.size() < 64) {
    unsupported_.push_back(name);
  }
}

inline uint16_t CaptureFile::u16(const uint8_t* at) const {
  return swapped_ ? be16(at) : load<uint16_t>(at);
}

inline uint32_t CaptureFile::u32(const uint8_t* at) const {
  return swapped_ ? be32(at) : load<uint32_t>(at);
}

size_t CaptureFile::parse(const uint8_t* data, size_t size, Meter& meter) {
  size_t used = 0;
  paused_ = false;
  if (format_ == Format::kUnknown) {
    used = open(data, size);
    if (failed() || format_ == Format::kUnknown) return used;
  }
  if (format_ == Format::kPcapng) {
    used += parse_pcapng(data + used, size - used, meter);
  } else if (swapped_) {
    used += parse_pcap<true>(data + used, size - used, meter);
  } else {
    used += parse_pcap<false>(data + used, size - used, meter);
  }
  return used;
}

size_t CaptureFile::open(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const uint32_t magic = load<uint32_t>(data);
  switch (magic) {
    case 0xa1b2c3d4:
    case 0xa1b23c4d:
      break;
    case 0xd4c3b2a1:
    case 0x4d3cb2a1:
      swapped_ = true;
      break;
    case kSectionHeader:
      format_ = Format::kPcapng;
      return 0;
    default:
      if (data[0] == 0x1f && data[1] == 0x8b) {
        error_ = "this is gzip; unpack it first: zcat FILE | homespin replay -";
      } else if (magic == 0xfd2fb528) {
        error_ = "this is zstd; unpack it first: zstdcat FILE | homespin replay -";
      } else if (data[0] == 0xfd && data[1] == '7' && data[2] == 'z') {
        error_ = "this is xz; unpack it first: xzcat FILE | homespin replay -";
      } else if (magic == 0xa1b2cd34 || magic == 0x34cdb2a1) {
        error_ = "this is Kuznetzov's modified pcap; save it as pcap or pcapng first";
      } else {
        error_ = "this is neither pcap nor pcapng: it begins with " + hex(be32(data));
      }
      return 0;
  }
  if (size < 24) return 0;
  nanoseconds_ = magic == 0xa1b23c4d || magic == 0x4d3cb2a1;
  const uint16_t major = u16(data + 4);
  if (major != 2) {
    error_ = "pcap version " + std::to_string(major) + " is not supported; version 2 is";
    return 0;
  }
  // The upper bits say whether frames end in a checksum, which trailing bytes do not disturb.
  link_type_ = static_cast<uint16_t>(u32(data + 20) & 0xffff);
  if (!link_supported(link_type_)) {
    note_link(link_type_);
    error_ = "link type " + link_name(link_type_) + kSupported;
    return 0;
  }
  supported_seen_ = true;
  format_ = Format::kPcap;
  position_ = 24;
  return 24;
}

void CaptureFile::hand_over(uint32_t count, Meter& meter) {
  meter.add(frames_, count);
  paused_ = pauses_ && meter.names().queue().full();
}

template <bool kSwapped>
size_t CaptureFile::parse_pcap(const uint8_t* data, size_t size, Meter& meter) {
  const auto word = [](const uint8_t* at) { return kSwapped ? be32(at) : load<uint32_t>(at); };
  size_t at = 0;
  uint32_t count = 0;
  while (size - at >= 16) {
    const uint8_t* head = data + at;
    const uint32_t captured = word(head + 8);
    if (captured > kMaxCaptured) {
      meter.add(frames_, count);
      fail("it claims to hold " + std::to_string(captured) + " bytes; at most " +
           std::to_string(kMaxCaptured) + " are possible");
      return at;
    }
    if (size - at - 16 < captured) break;
    const uint32_t fraction = word(head + 4);
    Frame& frame = frames_[count++];
    frame.data = head + 16;
    frame.captured = captured;
    frame.length = std::max(word(head + 12), captured);
    frame.time_us = static_cast<int64_t>(word(head)) * 1'000'000 +
                    (nanoseconds_ ? fraction / 1000 : fraction);
    frame.link_type = link_type_;
    frame.interface = 0;
    frame.vlan = 0;
    frame.tag_bytes = 0;
    frame.sent = false;
    at += 16 + captured;
    packets_++;
    position_ += 16 + captured;
    if (count == kFrames) {
      hand_over(count, meter);
      count = 0;
      if (paused_) break;
    }
  }
  if (count > 0) hand_over(count, meter);
  return at;
}

size_t CaptureFile::parse_pcapng(const uint8_t* data, size_t size, Meter& meter) {
  size_t at = 0;
  frame_count_ = 0;
  const auto flush = [this, &meter] {
    if (frame_count_ > 0) hand_over(frame_count_, meter);
    frame_count_ = 0;
  };
  while (at < size && !failed() && !paused_) {
    if (skip_ > 0) {
      const uint64_t part = std::min<uint64_t>(skip_, size - at);
      skip_ -= part;
      at += part;
      position_ += part;
      continue;
    }
    const size_t left = size - at;
    const uint8_t* block = data + at;
    if (left < 12) break;
    const uint32_t raw_type = load<uint32_t>(block);
    if (raw_type == kSectionHeader) {
      // Its own byte order holds for its length already.
      const uint32_t order = load<uint32_t>(block + 8);
      if (order != kByteOrder && order != __builtin_bswap32(kByteOrder)) {
        fail("the section's byte order mark is " + hex(order));
        break;
      }
      swapped_ = order != kByteOrder;
    }
    const uint32_t type = u32(block);
    const uint32_t length = u32(block + 4);
    if (length < 12 || length % 4 != 0) {
      fail("a block claims a length of " + std::to_string(length) + " bytes");
      break;
    }
    const bool packets = type == kEnhancedPacket || type == kSimplePacket || type == kOldPacket;
    const bool known = packets || raw_type == kSectionHeader || type == kInterfaceDescription;
    if (!known) {
      skip_ = length;
      continue;
    }
    if (length > kMaxPacketBlock) {
      fail("a block claims a length of " + std::to_string(length) + " bytes");
      break;
    }
    if (left < length) break;
    if (u32(block + length - 4) != length) {
      fail("the two lengths of a block differ");
      break;
    }
    const uint8_t* body = block + 8;
    const uint32_t room = length - 12;
    bool fine = true;
    if (raw_type == kSectionHeader) {
      fine = section(body, room);
    } else if (type == kInterfaceDescription) {
      fine = interface(body, room);
    } else {
      if (type == kEnhancedPacket) fine = enhanced_packet(body, room);
      if (type == kSimplePacket) fine = simple_packet(body, room);
      if (type == kOldPacket) fine = old_packet(body, room);
      if (fine) packets_++;
    }
    if (!fine) break;
    at += length;
    position_ += length;
    if (frame_count_ == kFrames) flush();
  }
  flush();
  return at;
}

bool CaptureFile::section(const uint8_t* body, uint32_t size) {
  if (size < 16) return fail("the section header is too short");
  const uint16_t major = u16(body + 4);
  if (major != 1) return fail("pcapng version " + std::to_string(major) + " is not supported");
  interfaces_before_ += static_cast<uint32_t>(interfaces_.size());
  interfaces_.clear();
  return true;
}

bool CaptureFile::interface(const uint8_t* body, uint32_t size) {
  if (size < 8) return fail("an interface description is too short");
  if (interfaces_.size() >= kMaxInterfaces) return fail("more than 65536 interfaces");
  Interface added{u16(body), u32(body + 4), 1'000'000, 0};
  uint32_t at = 8;
  while (size - at >= 4) {
    const uint16_t code = u16(body + at);
    const uint16_t length = u16(body + at + 2);
    at += 4;
    if (code == 0) break;
    if (length > size - at) return fail("an option of an interface is longer than its block");
    if (code == 9 && length == 1) {
      const uint8_t power = body[at] & 0x7f;
      const bool binary = body[at] & 0x80;
      if (power > (binary ? 63 : 19)) return fail("an interface's time resolution is absurd");
      added.ticks = 1;
      for (int i = 0; i < power; i++) added.ticks *= binary ? 2 : 10;
    }
    if (code == 14 && length == 8) {
      const uint64_t low = u32(body + at + (swapped_ ? 4 : 0));
      const uint64_t high = u32(body + at + (swapped_ ? 0 : 4));
      added.offset_s = static_cast<int64_t>(high << 32 | low);
    }
    const uint32_t padded = (length + 3u) & ~3u;
    if (padded > size - at) break;
    at += padded;
  }
  if (link_supported(added.link_type)) {
    supported_seen_ = true;
  } else {
    note_link(added.link_type);
  }
  interfaces_.push_back(added);
  return true;
}

bool CaptureFile::packet(uint32_t interface, uint64_t ticks, uint32_t captured, uint32_t length,
                         const uint8_t* data, uint32_t room) {
  if (interface >= interfaces_.size()) {
    return fail("it is of interface " + std::to_string(interface) + ", which was not described");
  }
  if (captured > room || captured > kMaxCaptured) {
    return fail("it claims to hold " + std::to_string(captured) + " bytes");
  }
  const Interface& from = interfaces_[interface];
  Frame& frame = frames_[frame_count_++];
  frame.data = data;
  frame.captured = captured;
  frame.length = std::max(length, captured);
  if (from.ticks == 1'000'000 && from.offset_s == 0 && ticks < kMaxTimeUs) {
    frame.time_us = static_cast<int64_t>(ticks);
  } else {
    const __int128 whole = static_cast<__int128>(ticks / from.ticks) * 1'000'000 +
                           static_cast<__int128>(ticks % from.ticks) * 1'000'000 / from.ticks +
                           static_cast<__int128>(from.offset_s) * 1'000'000;
    frame.time_us = static_cast<int64_t>(std::clamp<__int128>(whole, 0, kMaxTimeUs));
  }
  last_us_ = frame.time_us;
  frame.link_type = from.link_type;
  frame.interface = static_cast<uint16_t>(std::min(interfaces_before_ + interface, 0xffffu));
  frame.vlan = 0;
  frame.tag_bytes = 0;
  frame.sent = false;
  return true;
}

bool CaptureFile::enhanced_packet(const uint8_t* body, uint32_t size) {
  if (size < 20) return fail("its block is too short");
  const uint64_t ticks = static_cast<uint64_t>(u32(body + 4)) << 32 | u32(body + 8);
  return packet(u32(body), ticks, u32(body + 12), u32(body + 16), body + 20, size - 20);
}

bool CaptureFile::old_packet(const uint8_t* body, uint32_t size) {
  if (size < 20) return fail("its block is too short");
  const uint64_t ticks = static_cast<uint64_t>(u32(body + 4)) << 32 | u32(body + 8);
  return packet(u16(body), ticks, u32(body + 12), u32(body + 16), body + 20, size - 20);
}

bool CaptureFile::simple_packet(const uint8_t* body, uint32_t size) {
  if (size < 4) return fail("its block is too short");
  if (interfaces_.empty()) return fail("no interface was described before it");
  const uint32_t length = u32(body);
  uint32_t captured = std::min(length, size - 4);
  if (interfaces_[0].snap_length != 0) captured = std::min(captured, interfaces_[0].snap_length);
  // It carries no time: that of the packet before is the best guess.
  const int64_t time_us = last_us_;
  if (!packet(0, 0, captured, length, body + 4, size - 4)) return false;
  frames_[frame_count_ - 1].time_us = last_us_ = time_us;
  return true;
}

void CaptureFile::end(size_t rest) {
  if (failed()) return;
  if (format_ == Format::kUnknown) {
    error_ = rest == 0 ? "it is empty: there is not even the header of a capture"
                       : "it ends within its header, after " + std::to_string(rest) + " bytes";
    return;
  }
  if (rest > 0 || skip_ > 0) {
    fail("the capture ends within it");
    return;
  }
  if (!supported_seen_ && !unsupported_.empty()) {
    std::string list;
    for (const std::string& each : unsupported_) list += (list.empty() ? "" : ", ") + each;
    error_ = "link type " + list + kSupported;
  }
}

}  // namespace homespin
