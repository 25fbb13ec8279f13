// DNS over TCP: whole messages out of the segments of answers, which wait in the kernel until their message is complete. Each
// segment goes on as large as it came; only bytes inside are blanked. Bounded.
#pragma once

#include <cstdint>
#include <vector>

#include "device-index.h"
#include "queue-messages.h"

namespace homespin {

/** What becomes of a message. */
enum class Fate : uint8_t { kPass, kBlank, kDrop };

class StreamHost {
 public:
  virtual ~StreamHost() = default;
  /** Decides on a whole message. `kBlank`: it has been blanked in place. `kDrop`: it can't be understood and may not pass. */
  virtual Fate judge(uint8_t* message, size_t size, uint64_t mac) = 0;
  /** Whether the message that begins so has to be seen whole; its bytes may be few. */
  virtual bool wanted(const uint8_t* start, size_t size) = 0;
  virtual void accept(uint32_t id) = 0;
  virtual void drop(uint32_t id) = 0;
  virtual void rewrite(uint32_t id, std::vector<uint8_t> packet) = 0;
};

class DnsStreams {
 public:
  explicit DnsStreams(StreamHost& host) : host_(host), streams_(kBuckets * kWays) {}

  /** A client's segment: from now on the connection is known as that device's. */
  void from_client(const Packet& packet, uint64_t mac, int64_t now_ns);
  /** The device of a connection, 0 if it isn't known. */
  uint64_t mac_of(const Packet& packet) const;
  /** A server's segment, whole and sound. Decides on it now or later. */
  void from_server(const QueuedPacket& queued, const Packet& packet, uint64_t mac, int64_t now_ns);
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
    uint64_t mac = 0;
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
  Stream& make(const Packet& packet, uint64_t mac, int64_t now_ns);
  void assemble(Stream& stream);
  /** Bytes at the front that belong to whole messages; they have been judged. */
  size_t judge_all(Stream& stream, std::vector<uint8_t>& bytes, bool& changed, bool& refused);
  void release(Stream& stream, size_t count, const std::vector<uint8_t>& bytes, bool changed, bool refused);
  void drop_held(Stream& stream);

  StreamHost& host_;
  std::vector<Stream> streams_;
  size_t held_ = 0;
  uint64_t expired_ = 0;
};

}  // namespace homespin
