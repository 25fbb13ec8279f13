// Ports of fragmented datagrams: only the first fragment carries them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "decode.h"
#include "packet.h"

namespace homespin {

/**
 * Remembers first fragments, and keeps a few later ones that came before theirs. Bounded: a datagram that hashes to the
 * place of another takes it, and of too many early ones the oldest is let go. Who is let go counts without ports.
 */
class FragmentTable {
 public:
  explicit FragmentTable(const HashSecret& secret) : secret_(secret), entries_(kEntries) {}

  /** Remembers what a first fragment says. */
  void begin(const Packet& first);

  /** Gives a later fragment the protocol and ports of its first one, hash included. False: that is not known. */
  bool follow(Packet& later) const;

  /** Keeps a fragment that came before its first one. `full` must be false. */
  void keep(const Packet& early);
  bool full() const { return early_.size() == kEarly; }
  bool keeps_any() const { return !early_.empty(); }

  /** Hands all that were kept of the datagram of a first fragment to `take`, as its own. */
  template <typename Take>
  void release(const Packet& first, Take take) {
    hand_over([&first](const Packet& early) { return same_datagram(early, first); }, take);
  }

  /** Hands the oldest to `take`, without ports. */
  template <typename Take>
  void let_oldest_go(Take take) {
    bool taken = false;
    hand_over([&taken](const Packet&) { return !std::exchange(taken, true); }, take);
  }

  /** Hands those to `take`, without ports, whose first fragment has not come in time. */
  template <typename Take>
  void let_late_go(int64_t now_us, Take take) {
    hand_over([now_us](const Packet& early) { return now_us - early.time_us > kEarlyUs; }, take);
  }

  /** Hands all that are kept to `take`, without ports, and forgets what it knows. */
  template <typename Take>
  void end(Take take) {
    hand_over([](const Packet&) { return true; }, take);
    entries_.assign(kEntries, Entry{});
  }

 private:
  static constexpr uint32_t kEntries = 512;
  static constexpr int64_t kKeepUs = 30'000'000;
  /** More than a datagram of 64 KiB has, in frames of 1500 bytes: some senders begin with the last. */
  static constexpr size_t kEarly = 128;
  /** What was sent out of order comes within this. */
  static constexpr int64_t kEarlyUs = 2'000'000;

  struct Entry {
    /** Ports are 0 here. */
    FlowKey key;
    uint32_t id;
    uint16_t port_a;
    uint16_t port_b;
    uint8_t sender;
    bool used = false;
    int64_t time_us;
  };

  /** A copy, as its frame is gone. */
  struct Early {
    Packet packet;
    uint8_t src_mac[6];
    uint8_t dst_mac[6];
  };

  static bool same_datagram(const Packet& x, const Packet& y);
  uint64_t hash_of_datagram(const Packet& packet) const;

  template <typename Which, typename Take>
  void hand_over(Which which, Take take) {
    size_t kept = 0;
    for (Early& early : early_) {
      if (!which(early.packet)) {
        early_[kept++] = early;
        continue;
      }
      Packet packet = early.packet;
      if (packet.src_mac != nullptr) packet.src_mac = early.src_mac;
      if (packet.dst_mac != nullptr) packet.dst_mac = early.dst_mac;
      follow(packet);
      take(packet);
    }
    early_.resize(kept);
  }

  const HashSecret& secret_;
  std::vector<Entry> entries_;
  /** In the order in which they came. */
  std::vector<Early> early_;
};

}  // namespace homespin
