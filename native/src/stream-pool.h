// A few TCP streams put back in order, for as long as names are looked for in them.
#pragma once

#include <cstdint>
#include <vector>

namespace homespin {

constexpr uint32_t kMaxStreamBytes = 16384;

/** One direction of a flow. Holds what came after `base`, also with gaps. */
class Stream {
 public:
  void begin(uint32_t base);
  /** False: it reaches beyond what can be held. What came before already is left out. */
  bool add(uint32_t sequence, const uint8_t* data, uint32_t size);
  /** What is there without a gap. */
  const uint8_t* data() const { return bytes_.data(); }
  uint32_t size() const { return pieces_ > 0 && piece_[0].from == 0 ? piece_[0].to : 0; }
  /** Forgets so many bytes at the front; of `size()` those that are there, the others when they come. */
  void consume(uint32_t count);

 private:
  static constexpr uint32_t kPieces = 8;
  struct Piece {
    uint32_t from;
    uint32_t to;
  };
  bool insert(Piece added);

  uint32_t base_ = 0;
  uint32_t pieces_ = 0;
  /** Sorted, apart from each other. */
  Piece piece_[kPieces];
  std::vector<uint8_t> bytes_;

  friend class StreamPool;
  uint64_t flow_ = 0;
  uint8_t end_ = 0;
  int64_t used_us_ = 0;
};

/** Bounded: who comes takes the place of the one that was idle for longest among a few. */
class StreamPool {
 public:
  StreamPool() : streams_(kStreams) {}
  /** The stream of an end of a flow by its number, or null. */
  Stream* find(uint64_t flow, uint8_t end, int64_t time_us);
  /** A new one; `displaced`: another one that is in use had to give way, with bytes that wait for more. */
  Stream& open(uint64_t flow, uint8_t end, uint32_t base, int64_t time_us, bool& displaced);
  void close(Stream& stream);

 private:
  /** Whoever waits longer for the rest of a message does so in vain. */
  static constexpr int64_t kWaitUs = 5'000'000;
  static constexpr uint32_t kStreams = 512;
  static constexpr uint32_t kWays = 8;
  static uint32_t first_way(uint64_t flow, uint8_t end) {
    return static_cast<uint32_t>((flow * 2 + end) * 0x9e3779b97f4a7c15ull >> 32) %
           (kStreams / kWays) * kWays;
  }
  std::vector<Stream> streams_;
};

}  // namespace homespin
