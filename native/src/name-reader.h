// Finds the packets that carry names, and reads DNS and TLS among them.
#pragma once

#include <cstdint>

#include "dns.h"
#include "flow-table.h"
#include "name-queue.h"
#include "packet-clock.h"
#include "packet.h"
#include "repeat-filter.h"
#include "stream-pool.h"
#include "tls.h"
#include "token-buckets.h"

namespace homespin {

struct NameOptions {
  /** Bits by `NameKind`. */
  uint32_t kinds = 1u << kNameDns | 1u << kNameSni;
  /** For each device; infinite: all pass. */
  double per_second = 200;
  double burst = 2000;
};

class NameReader {
 public:
  NameReader(const NameOptions& options, const HashSecret& secret, const PacketClock& clock);

  /** What to look for in a flow that begins with this packet: for `Flow::names`. */
  uint8_t watch(const Packet& packet) const;

  /** Looks at a packet of a flow that is watched. */
  void read(const Packet& packet, Flow& flow, uint32_t slot);

  void read_arp(const Packet& packet);

  /** The clock goes back: what goes by times begins anew. */
  void forget_times() {
    buckets_.clear();
    streams_ = StreamPool();
  }

  NameQueue& queue() { return queue_; }
  uint64_t dns_queries() const { return dns_queries_; }

 private:
  bool wants(NameKind kind) const { return kinds_ >> kind & 1; }
  bool allowed(const Packet& packet, bool answer);
  bool dns_allowed(const Packet& packet, Flow& flow, bool query);
  Stream& open_stream(const Packet& packet, const Flow& flow, uint32_t base);
  bool repeats(const Packet& packet, const uint8_t* message, uint32_t size, const ClaimedIp& ip);
  void commit(NameKind kind, const Packet& packet, uint32_t slot, bool from_originator, size_t payload) {
    queue_.commit(kind, packet, clock_.told(packet.time_us), slot, from_originator, payload);
  }
  void hand_up(NameKind kind, const Packet& packet, const Flow& flow, uint32_t slot,
               const uint8_t* payload, uint32_t size);
  void dns_message(const Packet& packet, Flow& flow, uint32_t slot, const uint8_t* message,
                   uint32_t size, bool tcp);
  void quic(const Packet& packet, Flow& flow, uint32_t slot);
  void tcp_start(const Packet& packet, Flow& flow, uint32_t slot);
  void tls(const Packet& packet, Flow& flow, uint32_t slot);
  void hello(const Packet& packet, Flow& flow, uint32_t slot, const uint8_t* data, uint32_t size,
             Stream* stream);
  void tcp_dns(const Packet& packet, Flow& flow, uint32_t slot);

  const PacketClock& clock_;
  uint32_t kinds_;
  bool limited_;
  TokenBuckets buckets_;
  RepeatFilter repeats_;
  NameQueue queue_;
  StreamPool streams_;
  uint64_t dns_queries_ = 0;
  uint8_t hello_scratch_[kMaxHello];
};

}  // namespace homespin
