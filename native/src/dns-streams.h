// DNS over TCP: whole messages out of the segments of one direction, which wait in the kernel until their message is complete.
// Each segment goes on as large as it came; only bytes inside are changed. Bounded.
#pragma once

#include <cstdint>
#include <vector>

#include "dns-policy.h"
#include "queue-messages.h"

namespace homespin {

/** What becomes of a message. */
enum class Fate : uint8_t {
  kPass,
  /** It has been changed in place, and may pass unchanged where that can't be. */
  kEdited,
  /** It has been blanked in place, and may not pass otherwise. */
  kBlank,
  /** It can't be understood and may not pass. */
  kDrop,
};

class StreamHost {
 public:
  virtual ~StreamHost() = default;
  /** Decides on a whole message. */
  virtual Fate judge(uint8_t* message, size_t size, const Asker& asker) = 0;
  /** Whether a message may be so long; one that may not is never waited for, and drops what it comes in. */
  virtual bool possible(size_t size) = 0;
  /** Whether the message that begins so has to be seen whole; its bytes may be few. */
  virtual bool wanted(const uint8_t* start, size_t size) = 0;
  virtual void accept(uint32_t id) = 0;
  virtual void drop(uint32_t id) = 0;
  virtual void rewrite(uint32_t id, std::vector<uint8_t> packet) = 0;
};

class DnsStreams {
 public:
  /** `most_held`: segments that wait at one time, of all connections: the queue has room for more than these. */
  DnsStreams(StreamHost& host, size_t most_held) : host_(host), most_held_(most_held), streams_(kBuckets * kWays) {}

  /** A segment of the other direction: from now on the connection is known as that device's. */
  void note(const Packet& packet, const Asker& asker, int64_t now_ns);
  /** Who began a connection; false: it isn't known. */
  bool asker_of(const Packet& packet, Asker& asker) const;
  /** A segment of the direction that is looked at, whole and sound. Decides on it now or later. */
  void take(const QueuedPacket& queued, const Packet& packet, const Asker& asker, int64_t now_ns);
  /** What has waited too long is dropped: it is sent again. Returns when to look again. */
  int64_t expire(int64_t now_ns);
  void end();

  uint64_t expired() const { return expired_; }

 private:
  static constexpr size_t kBuckets = 64;
  static constexpr size_t kWays = 8;

  struct Segment {
    uint32_t id;
    uint32_t sequence;
    /** Offsets of the TCP header and of what follows it. */
    size_t body;
    size_t payload;
    bool gso;
    std::vector<uint8_t> packet;
    size_t bytes() const { return packet.size() - payload; }
  };
  struct Stream {
    FlowKey key{};
    uint64_t hash = 0;
    Asker asker{};
    int64_t last_ns = 0;
    int64_t deadline_ns = 0;
    uint32_t next = 0;
    /** Bytes of a message that need not be seen. */
    uint32_t skip = 0;
    bool used = false;
    bool synced = false;
    uint8_t gaps = 0;
    std::vector<Segment> held;
  };

  Stream* find(const Packet& packet);
  Stream& make(const Packet& packet, const Asker& asker, int64_t now_ns);
  void assemble(Stream& stream);
  /** Bytes at the front that belong to whole messages; they have been judged. `worst`: of what they came to. */
  size_t judge_all(Stream& stream, std::vector<uint8_t>& bytes, Fate& worst);
  void release(Stream& stream, size_t count, const std::vector<uint8_t>& bytes, Fate worst);
  void drop_held(Stream& stream);

  StreamHost& host_;
  const size_t most_held_;
  std::vector<Stream> streams_;
  size_t held_ = 0;
  uint64_t expired_ = 0;
};

}  // namespace homespin
