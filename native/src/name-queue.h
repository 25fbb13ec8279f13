// Records of names, one after the other, until they are handed up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "layout.h"
#include "packet.h"

namespace homespin {

class NameQueue {
 public:
  /** Beyond this, records are dropped and counted. */
  static constexpr size_t kMaxBytes = 8 << 20;
  /** From here on a file waits: there is room for all that the frames can bring which are read at once. */
  static constexpr size_t kFullBytes = 2 << 20;

  /** Where the payload of a new record of up to `payload` bytes goes; null if there is no room. */
  uint8_t* prepare(size_t payload) {
    const size_t need = size_ + sizeof(NameHead) + payload + 8;
    if (need > kMaxBytes) {
      dropped_++;
      return nullptr;
    }
    if (need > capacity_) grow(need);
    return bytes_.get() + size_ + sizeof(NameHead);
  }

  /** Completes what `prepare` began; `told_us` is the packet's time by the source's clock. */
  void commit(NameKind kind, const Packet& packet, int64_t told_us, uint32_t slot, bool from_originator,
              size_t payload) {
    NameHead head{};
    const size_t size = (sizeof head + payload + 7) & ~size_t{7};
    head.size = static_cast<uint32_t>(size);
    head.payload_bytes = static_cast<uint32_t>(payload);
    head.kind = kind;
    head.from_orig = from_originator;
    head.slot = slot;
    head.time_ms = static_cast<double>(told_us) / 1000;
    if (packet.verdict == Verdict::kIp) {
      const FlowKey& key = packet.key;
      const bool swapped = packet.sender == 1;
      head.ipv6 = key.ipv6;
      std::memcpy(head.src_ip, swapped ? key.b : key.a, 16);
      std::memcpy(head.dst_ip, swapped ? key.a : key.b, 16);
      head.src_port = __builtin_bswap16(swapped ? key.port_b : key.port_a);
      head.dst_port = __builtin_bswap16(swapped ? key.port_a : key.port_b);
    }
    if (packet.src_mac != nullptr) std::memcpy(head.src_mac, packet.src_mac, 6);
    if (packet.dst_mac != nullptr) std::memcpy(head.dst_mac, packet.dst_mac, 6);
    uint8_t* const at = bytes_.get() + size_;
    std::memcpy(at, &head, sizeof head);
    std::memset(at + sizeof head + payload, 0, size - sizeof head - payload);
    size_ += size;
  }

  size_t size() const { return size_; }
  bool full() const { return size_ >= kFullBytes; }
  uint64_t dropped() const { return dropped_; }
  void drop() { dropped_++; }

  /** Copies all `size()` bytes and forgets them. */
  void take(uint8_t* to) {
    if (size_ > 0) std::memcpy(to, bytes_.get(), size_);
    size_ = 0;
    if (capacity_ > kUsualBytes) {
      bytes_.reset();
      capacity_ = 0;
    }
  }

 private:
  static constexpr size_t kUsualBytes = 2 << 20;

  void grow(size_t need) {
    size_t capacity = capacity_ == 0 ? 65536 : capacity_;
    while (capacity < need) capacity *= 2;
    std::unique_ptr<uint8_t[]> grown(new uint8_t[capacity]);
    if (size_ > 0) std::memcpy(grown.get(), bytes_.get(), size_);
    bytes_ = std::move(grown);
    capacity_ = capacity;
  }

  std::unique_ptr<uint8_t[]> bytes_;
  size_t capacity_ = 0;
  size_t size_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace homespin
