// Frames in, flows and names out: all that happens to a packet, without threads, files or JavaScript.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "decode.h"
#include "flow-table.h"
#include "fragment-table.h"
#include "locality.h"
#include "name-reader.h"
#include "packet-clock.h"
#include "packet.h"

namespace homespin {

struct MeterOptions {
  FlowTableOptions flows;
  NameOptions names;
};

/** Cumulative; see `Counters` in ../index.ts. Times are those of the meter's clock. */
struct MeterCounters {
  uint64_t packets = 0;
  uint64_t decoded = 0;
  uint64_t malformed = 0;
  uint64_t unsupported = 0;
  uint64_t bytes = 0;
  uint64_t ip_packets = 0;
  uint64_t ip_bytes = 0;
  int64_t first_us = 0;
  int64_t last_us = 0;
};

class Meter {
 public:
  explicit Meter(const MeterOptions& options);

  /** Counts frames, in their order, and says how many it counted. Also lets time-outs run, by the frames' times. */
  uint32_t add(const Frame* frames, uint32_t count);

  /** Frames come as they are captured: see `PacketClock`. */
  void run_live() { clock_.run_live(); }
  /** No frame came for so long after the latest one: the next may be so late. Live only. */
  void expect_after(int64_t silence_us) { clock_.expect(clock_.latest_us() + silence_us); }
  /** Lets time-outs run until so long after the latest frame, though none came. */
  void advance_after(int64_t silence_us);

  /**
   * What follows is of another source. It goes on where the one before ended, unless its first packet is older than that:
   * then it is a capture of its own, with flows of its own.
   */
  void begin_source() { source_begins_ = true; }

  /** The last source has ended. */
  void end();

  void set_locality(Locality locality) { locality_ = std::move(locality); }

  FlowTable& flows() { return flows_; }
  NameReader& names() { return names_; }
  const MeterCounters& counters() const { return counters_; }
  const PacketClock& clock() const { return clock_; }

 private:
  static constexpr uint32_t kBatch = 32;

  void place_source(int64_t first_us);
  void count(Packet& packet);
  void fragment(Packet& packet);
  void let_late_fragments_go();
  /** Adds a packet to its flow; which is in this slot. */
  uint32_t account(const Packet& packet);
  uint32_t begin(const Packet& packet);
  bool flipped(const Packet& packet) const;
  void tcp_ends(Flow& flow, uint32_t slot, const Packet& packet);
  void place(Packet& packet);
  void note_leap(uint32_t slot, const Packet& packet);

  HashSecret secret_;
  PacketClock clock_;
  FlowTable flows_;
  FragmentTable fragments_;
  NameReader names_;
  Locality locality_;
  MeterCounters counters_;
  bool source_begins_ = true;
  /** Time of the first packet since the clock began, or was set back. */
  int64_t begun_us_ = 0;
  /** A flow whose last packet lies far ahead, as long as it is not known whether that time is right; `kNoSlot` without. */
  uint32_t leapt_slot_ = kNoSlot;
  uint64_t leapt_number_ = 0;
  Packet batch_[kBatch];
};

}  // namespace homespin
