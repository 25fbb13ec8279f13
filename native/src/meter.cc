#include "meter.h"

#include <sys/random.h>

#include <cstring>
#include <random>

namespace homespin {

namespace {

/** So long after the start a datagram may be the answer to one that was not seen. */
constexpr int64_t kUnseenRequestUs = 5'000'000;
/** Packets of several interfaces are written down so much out of order, at most. */
constexpr int64_t kDisorderUs = 5'000'000;

HashSecret draw_secret() {
  HashSecret secret;
  if (getrandom(&secret, sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) {
    std::random_device device;
    for (uint64_t& word : secret.word) word = static_cast<uint64_t>(device()) << 32 | device();
  }
  return secret;
}

bool only_syn(const Packet& packet) { return (packet.tcp_flags & (kSyn | kAck | kRst)) == kSyn; }

IdleClass idle_class(const Packet& packet) {
  if (packet.key.protocol == kProtocolTcp) return only_syn(packet) ? kIdleHalfOpen : kIdleTcp;
  return packet.key.protocol == kProtocolUdp ? kIdleUdp : kIdleOther;
}

}  // namespace

Meter::Meter(const MeterOptions& options)
    : secret_(draw_secret()),
      flows_(options.flows, clock_),
      fragments_(secret_),
      names_(options.names, secret_, clock_) {}

uint32_t Meter::add(const Frame* frames, uint32_t count) {
  const uint64_t before = counters_.packets;
  if (source_begins_ && count > 0) place_source(frames[0].time_us);
  while (count > 0) {
    const uint32_t n = count < kBatch ? count : kBatch;
    // Three passes, so that the waits for memory of many packets overlap.
    for (uint32_t i = 0; i < n; i++) {
      Packet& packet = batch_[i];
      decode(frames[i], secret_, packet);
      if (packet.verdict == Verdict::kIp) {
        if (frames[i].sent && locality_.forwarded(packet)) {
          packet.verdict = Verdict::kCopy;
          continue;
        }
        flows_.prefetch_index(packet.hash);
      }
    }
    for (uint32_t i = 0; i < n; i++) {
      if (batch_[i].verdict == Verdict::kIp) flows_.prefetch_flow(batch_[i].hash);
    }
    for (uint32_t i = 0; i < n; i++) this->count(batch_[i]);
    if (fragments_.keeps_any()) let_late_fragments_go();
    flows_.advance(clock_.now_us());
    frames += n;
    count -= n;
  }
  if (clock_.latest_us() > counters_.last_us) counters_.last_us = clock_.latest_us();
  return static_cast<uint32_t>(counters_.packets - before);
}

void Meter::place_source(int64_t first_us) {
  source_begins_ = false;
  if (counters_.packets > 0) {
    if (first_us >= clock_.told(clock_.now_us()) - kDisorderUs) return;
    end();
    names_.forget_times();
  }
  clock_.begin(first_us);
  begun_us_ = first_us;
  if (counters_.packets == 0 || first_us < counters_.first_us) counters_.first_us = first_us;
}

inline void Meter::count(Packet& packet) {
  if (packet.verdict == Verdict::kCopy) return;
  counters_.packets++;
  counters_.bytes += packet.frame_bytes;
  const bool in_line = clock_.take(packet.time_us);
  if (!in_line) place(packet);
  switch (packet.verdict) {
    case Verdict::kIp: {
      counters_.ip_packets++;
      counters_.ip_bytes += packet.ip_bytes;
      counters_.decoded++;
      if (packet.fragment) return fragment(packet);
      const uint32_t slot = account(packet);
      if (!in_line) note_leap(slot, packet);
      return;
    }
    case Verdict::kArp:
      counters_.decoded++;
      return names_.read_arp(packet);
    case Verdict::kMalformed:
      counters_.malformed++;
      return;
    case Verdict::kUnsupported:
      counters_.unsupported++;
      return;
    case Verdict::kCopy:
      return;
  }
}

/** A later one that comes before its first one waits for it: so it counts to the same flow. */
void Meter::fragment(Packet& packet) {
  if (fragments_.keeps_any()) let_late_fragments_go();
  const auto take = [this](const Packet& early) {
    Flow& flow = flows_.at(account(early));
    if (early.time_us < flow.first_us) flow.first_us = early.time_us;
  };
  if (!packet.later_fragment) {
    fragments_.begin(packet);
    account(packet);
    if (fragments_.keeps_any()) fragments_.release(packet, take);
  } else if (fragments_.follow(packet)) {
    account(packet);
  } else {
    if (fragments_.full()) fragments_.let_oldest_go(take);
    fragments_.keep(packet);
  }
}

void Meter::let_late_fragments_go() {
  fragments_.let_late_go(clock_.now_us(), [this](const Packet& late) { account(late); });
}

inline uint32_t Meter::account(const Packet& packet) {
  uint32_t slot = flows_.find(packet.key, packet.hash);
  if (slot != kNoSlot) {
    const Flow& flow = flows_.at(slot);
    const bool reopened =
        flow.idle_class == kIdleClosing && (packet.tcp_flags & (kSyn | kAck)) == kSyn;
    if (reopened || flows_.timed_out(flow, packet.time_us)) {
      flows_.close(slot, FlowTable::silent_end(flow));
      slot = kNoSlot;
    }
  }
  if (slot == kNoSlot) slot = begin(packet);
  Flow& flow = flows_.at(slot);
  const uint32_t end = packet.sender;
  flow.bytes[end] += packet.ip_bytes;
  flow.packets[end]++;
  if (packet.time_us > flow.last_us) flow.last_us = packet.time_us;
  if (!(flow.status & kFlowSeenA << end)) {
    flow.status |= kFlowSeenA << end;
    if (packet.src_mac != nullptr) std::memcpy(flow.mac[end], packet.src_mac, 6);
  }
  flow.tcp_flags[end] |= packet.tcp_flags;
  if (flow.idle_class == kIdleHalfOpen && !only_syn(packet)) {
    FlowTable::set_longer_idle_class(flow, kIdleTcp);
  }
  if (packet.tcp_flags & (kFin | kRst)) tcp_ends(flow, slot, packet);
  flows_.changed(slot, flow);
  if (flow.names != 0) names_.read(packet, flow, slot);
  return slot;
}

uint32_t Meter::begin(const Packet& packet) {
  const uint32_t slot =
      flows_.insert(packet.key, packet.hash, packet.time_us, idle_class(packet));
  Flow& flow = flows_.at(slot);
  flow.vlan = packet.vlan;
  flow.interface = packet.interface;
  flow.names = names_.watch(packet);
  const uint32_t originator = packet.sender ^ static_cast<uint32_t>(flipped(packet));
  if (originator == 1) flow.status |= kFlowOrigIsB;
  if (packet.dst_mac != nullptr) std::memcpy(flow.mac[packet.sender ^ 1], packet.dst_mac, 6);
  return slot;
}

/** Whether the first packet that was seen of a flow is the responder's. */
bool Meter::flipped(const Packet& packet) const {
  if (packet.header_bytes == 0) return false;
  if (packet.key.protocol == kProtocolTcp) {
    if (packet.tcp_flags & kSyn) return packet.tcp_flags & kAck;
  } else if (packet.key.protocol != kProtocolUdp ||
             packet.time_us - begun_us_ > kUnseenRequestUs) {
    return false;
  }
  const uint16_t from = be16(packet.body);
  const uint16_t to = be16(packet.body + 2);
  return from < 1024 && to >= 1024;
}

void Meter::tcp_ends(Flow& flow, uint32_t slot, const Packet& packet) {
  if (flow.idle_class == kIdleClosing) return;
  const bool both_fin = flow.tcp_flags[0] & flow.tcp_flags[1] & kFin;
  if (packet.tcp_flags & kRst || both_fin) flows_.set_idle_class(slot, kIdleClosing);
}

/** Also shows whether time leapt ahead with the packet before: if it did not, the flow of that one is one of now. */
void Meter::place(Packet& packet) {
  packet.time_us = clock_.place(packet.time_us);
  if (leapt_slot_ == kNoSlot) return;
  const Flow& flow = flows_.at(leapt_slot_);
  const bool same = flow.number == leapt_number_ && !(flow.status & kFlowClosed);
  if (same && clock_.latest_us() < flow.last_us) flows_.set_back(leapt_slot_, clock_.latest_us());
  leapt_slot_ = kNoSlot;
}

void Meter::note_leap(uint32_t slot, const Packet& packet) {
  if (packet.time_us != clock_.doubted_us()) return;
  leapt_slot_ = slot;
  leapt_number_ = flows_.at(slot).number;
}

void Meter::advance_after(int64_t silence_us) {
  clock_.advance(clock_.latest_us() + silence_us);
  if (fragments_.keeps_any()) let_late_fragments_go();
  flows_.advance(clock_.now_us());
}

void Meter::end() {
  clock_.believe();
  leapt_slot_ = kNoSlot;
  if (counters_.packets > 0 && clock_.latest_us() > counters_.last_us) counters_.last_us = clock_.latest_us();
  fragments_.end([this](const Packet& late) { account(late); });
  flows_.close_all(kClosedByEof);
}

}  // namespace homespin
