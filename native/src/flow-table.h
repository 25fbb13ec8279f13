// The flows that are open, found by key; and those that changed since they were last handed up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "layout.h"
#include "packet-clock.h"
#include "packet.h"
#include "timing-wheel.h"

namespace homespin {

/** Which time-out holds for a flow. */
enum IdleClass : uint8_t {
  kIdleTcp,
  kIdleUdp,
  kIdleOther,
  /** TCP of which nothing but SYNs was seen. */
  kIdleHalfOpen,
  kIdleClosing,
  kIdleClasses,
};

enum FlowStatus : uint8_t {
  kFlowListed = 1,    // in the list of changes
  kFlowTold = 2,      // handed up before
  kFlowClosed = 4,    // out of the index, waits to be handed up
  kFlowOrigIsB = 8,   // end b of the key is the originator
  kFlowSeenA = 16,    // mac[0] was seen as a source
  kFlowSeenB = 32,

};

/** Two cache lines; what every packet touches comes first. Arrays are by end of the key. */
struct alignas(64) Flow {
  FlowKey key;
  int64_t last_us;
  uint64_t bytes[2];

  uint64_t packets[2];
  int64_t first_us;
  uint64_t number;
  uint8_t mac[2][6];
  uint8_t tcp_flags[2];
  uint16_t vlan;
  uint16_t interface;
  uint8_t status;
  uint8_t idle_class : 4;
  /** The wheel that it is linked in: that of its class, or of the class it had when it was linked. */
  uint8_t wheel : 4;
  uint8_t closed_by;
  /** What the name reader still looks for in this flow, its own; 0: nothing, packets need not be shown to it. */
  uint8_t names;
  /** The name reader's own: where the client's bytes begin, or how its queries fared. */
  uint16_t memo;
  WheelLink link;

  /** 0 or 1: the end that began it. */
  uint32_t originator() const { return status >> 3 & 1; }
};
static_assert(sizeof(Flow) == 128);
static_assert(offsetof(Flow, packets) == 64);

struct FlowTableOptions {
  uint32_t max_flows = 131072;
  /** By `IdleClass`. */
  int64_t idle_us[kIdleClasses] = {600'000'000, 60'000'000, 60'000'000, 60'000'000, 5'000'000};
  /** Hand up flows that go on, not only those that ended. */
  bool updates = true;
};

class FlowTable {
 public:
  /** Times of flows are those of `clock`; of flows that ended, and of records, those of the source. */
  FlowTable(const FlowTableOptions& options, const PacketClock& clock);

  Flow& at(uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }

  /** Warms the caches for `find`, in two steps so that many look-ups overlap. */
  void prefetch_index(uint64_t hash) const {
    __builtin_prefetch(&index_[static_cast<uint32_t>(hash) & mask_]);
  }
  void prefetch_flow(uint64_t hash) {
    const Entry& entry = index_[static_cast<uint32_t>(hash) & mask_];
    if (entry.slot == kNoSlot) return;
    const char* flow = reinterpret_cast<const char*>(&at(entry.slot));
    __builtin_prefetch(flow, 1);
    __builtin_prefetch(flow + 64, 1);
  }

  uint32_t find(const FlowKey& key, uint64_t hash) {
    const uint32_t tag = static_cast<uint32_t>(hash);
    for (uint32_t i = tag & mask_;; i = (i + 1) & mask_) {
      const Entry& entry = index_[i];
      if (entry.slot == kNoSlot) return kNoSlot;
      if (entry.tag == tag && same(at(entry.slot).key, key)) return entry.slot;
    }
  }

  /** A new flow in its place; the caller fills in what the packet says. At the cap one is evicted first. */
  uint32_t insert(const FlowKey& key, uint64_t hash, int64_t time_us, IdleClass idle_class);

  /** Ends a flow; its record stays until it has been handed up. */
  void close(uint32_t slot, ClosedBy by);

  /** Gives a flow another time-out. */
  void set_idle_class(uint32_t slot, IdleClass idle_class);
  /** A longer one: that is seen when the shorter one comes up. */
  static void set_longer_idle_class(Flow& flow, IdleClass idle_class) { flow.idle_class = idle_class; }

  /** The flow was seen at `time_us` for the last time, whatever it says. */
  void set_back(uint32_t slot, int64_t time_us);

  bool timed_out(const Flow& flow, int64_t time_us) const {
    return time_us - flow.last_us > options_.idle_us[flow.idle_class];
  }

  /** How a flow ends that has been silent. */
  static ClosedBy silent_end(const Flow& flow);

  void changed(uint32_t slot, Flow& flow) {
    if (options_.updates && !(flow.status & kFlowListed)) list(slot, flow);
  }

  /** Ends whatever has timed out by now. */
  void advance(int64_t time_us);

  void close_all(ClosedBy by);

  /** Flows to hand up. */
  uint32_t pending() const { return static_cast<uint32_t>(changes_.size() - changes_done_); }
  uint32_t pending_closed() const { return pending_closed_; }
  /** Writes up to `count` records, oldest change first; slots of closed flows become free. */
  void take(FlowRecord* records, uint32_t count);

  uint32_t live() const { return live_; }
  uint64_t begun() const { return begun_; }
  uint64_t evicted() const { return evicted_; }

 private:
  static constexpr uint32_t kChunk = 4096;

  struct Entry {
    uint32_t tag;
    uint32_t slot;
  };

  static bool same(const FlowKey& x, const FlowKey& y) {
    uint64_t rest_x = 0;
    uint64_t rest_y = 0;
    __builtin_memcpy(&rest_x, &x.port_a, 8);
    __builtin_memcpy(&rest_y, &y.port_a, 8);
    return ((x.a[0] ^ y.a[0]) | (x.a[1] ^ y.a[1]) | (x.b[0] ^ y.b[0]) | (x.b[1] ^ y.b[1]) |
            (rest_x ^ rest_y)) == 0;
  }

  int64_t due_second(const Flow& flow) const {
    return (flow.last_us + options_.idle_us[flow.idle_class]) / 1'000'000 + 1;
  }
  void list(uint32_t slot, Flow& flow) {
    flow.status |= kFlowListed;
    changes_.push_back(slot);
  }
  void link(uint32_t slot);
  void unlink(uint32_t slot);
  void finish(uint32_t slot, ClosedBy by);
  void end(uint32_t slot, Flow& flow, ClosedBy by);
  void evict();
  void remove_from_index(uint32_t slot);
  void grow_index();
  uint32_t free_slot();

  FlowTableOptions options_;
  const PacketClock& clock_;
  std::vector<Entry> index_;
  uint32_t mask_;
  std::vector<Flow*> chunks_;
  std::vector<std::unique_ptr<Flow[]>> owned_;
  std::vector<uint32_t> tags_;
  std::vector<uint32_t> free_;
  uint32_t used_ = 0;
  TimingWheel wheels_[kIdleClasses];
  bool started_ = false;
  std::vector<uint32_t> changes_;
  size_t changes_done_ = 0;
  uint32_t pending_closed_ = 0;
  uint32_t live_ = 0;
  uint64_t begun_ = 0;
  uint64_t evicted_ = 0;
};

}  // namespace homespin
