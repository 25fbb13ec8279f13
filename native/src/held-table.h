// Connections whose packets wait, in the order in which their deadlines come; bounded.
#pragma once

#include <cstdint>
#include <vector>

#include "packet.h"
#include "verdict-cache.h"

namespace homespin {

struct Held {
  FlowKey tuple;
  uint64_t hash;
  VerdictKey about;
  int64_t deadline_ns;
  /** What is done at the deadline. */
  bool accept;
  bool used;
  uint32_t generation;
  uint32_t first_packet;
  uint32_t last_packet;
  uint32_t next_in_bucket;
  uint32_t earlier;
  uint32_t later;
};

class HeldTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  /** `connections`: at most 65536. */
  HeldTable(uint32_t connections, uint32_t packets);

  /** Its slot, or kNone. */
  uint32_t find(const FlowKey& tuple, uint64_t hash) const;
  /** kNone: it is full. Deadlines may not go back. */
  uint32_t add(const FlowKey& tuple, uint64_t hash, const VerdictKey& about, int64_t deadline_ns,
               bool accept);
  /** False: it is full. */
  bool add_packet(uint32_t slot, uint32_t id, uint32_t mark);

  Held& at(uint32_t slot) { return held_[slot]; }
  /** The one whose deadline comes first, or kNone. */
  uint32_t first() const { return first_; }
  uint32_t connections() const { return connections_; }
  uint32_t packets() const { return packets_used_; }

  /** A number that names this one for ever. */
  double id_of(uint32_t slot) const;
  /** Its slot, or kNone if it waits no more. */
  uint32_t of_id(double id) const;

  /** Takes it out; `each(packet id, mark)` for the packets in the order in which they came. */
  template <typename Each>
  void remove(uint32_t slot, Each&& each) {
    for (uint32_t i = held_[slot].first_packet; i != kNone;) {
      each(packets_[i].id, packets_[i].mark);
      const uint32_t next = packets_[i].next;
      packets_[i].next = free_packet_;
      free_packet_ = i;
      packets_used_--;
      i = next;
    }
    unlink(slot);
  }

 private:
  struct Waiting {
    uint32_t id;
    uint32_t mark;
    uint32_t next;
  };
  void unlink(uint32_t slot);

  std::vector<Held> held_;
  std::vector<Waiting> packets_;
  std::vector<uint32_t> buckets_;
  uint32_t mask_;
  uint32_t free_ = 0;
  uint32_t free_packet_ = 0;
  uint32_t first_ = kNone;
  uint32_t last_ = kNone;
  uint32_t connections_ = 0;
  uint32_t packets_used_ = 0;
};

}  // namespace homespin
