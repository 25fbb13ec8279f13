// Ports of fragmented datagrams: only the first fragment carries them.
#pragma once

#include <cstdint>
#include <vector>

#include "decode.h"
#include "packet.h"

namespace homespin {

/** Bounded: a datagram that hashes to the place of another takes it. */
class FragmentTable {
 public:
  explicit FragmentTable(const HashSecret& secret) : secret_(secret), entries_(kEntries) {}

  /** Remembers the ports of a first fragment, or gives those of its first to a later one, hash included. */
  void follow(Packet& packet);

  void clear() { entries_.assign(kEntries, Entry{}); }

 private:
  static constexpr uint32_t kEntries = 512;
  static constexpr int64_t kKeepUs = 30'000'000;

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

  const HashSecret& secret_;
  std::vector<Entry> entries_;
};

}  // namespace homespin
