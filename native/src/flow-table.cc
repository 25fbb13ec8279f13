#include "flow-table.h"

#include <cstring>

namespace homespin {

namespace {

constexpr uint32_t kFirstIndex = 1024;
/** How many members of a bucket are looked at for one eviction. */
constexpr int kEvictionLooks = 32;

void write_record(FlowRecord& record, uint32_t slot, const Flow& flow, const PacketClock& clock) {
  const uint32_t orig = flow.originator();
  const uint32_t resp = orig ^ 1;
  const uint64_t* address[2] = {flow.key.a, flow.key.b};
  const uint16_t port[2] = {flow.key.port_a, flow.key.port_b};
  record.slot = slot;
  record.state = flow.status & kFlowClosed ? kStateClosed
                 : flow.status & kFlowTold ? kStateActive
                                           : kStateNew;
  record.closed_by = flow.status & kFlowClosed ? flow.closed_by : static_cast<uint8_t>(kStillOpen);
  record.protocol = flow.key.protocol;
  const uint8_t seen = flow.status >> 4 & 3;
  record.flags = static_cast<uint8_t>((flow.key.ipv6 ? kFlowIpv6 : 0) |
                                      (seen >> orig & 1 ? kFlowOrigMacSeen : 0) |
                                      (seen >> resp & 1 ? kFlowRespMacSeen : 0));
  record.number = static_cast<double>(flow.number);
  const bool closed = flow.status & kFlowClosed;
  record.first_ms = static_cast<double>(closed ? flow.first_us : clock.told(flow.first_us)) / 1000;
  record.last_ms = static_cast<double>(closed ? flow.last_us : clock.told(flow.last_us)) / 1000;
  record.orig_bytes = static_cast<double>(flow.bytes[orig]);
  record.resp_bytes = static_cast<double>(flow.bytes[resp]);
  record.orig_packets = static_cast<double>(flow.packets[orig]);
  record.resp_packets = static_cast<double>(flow.packets[resp]);
  std::memcpy(record.orig_ip, address[orig], 16);
  std::memcpy(record.resp_ip, address[resp], 16);
  std::memcpy(record.orig_mac, flow.mac[orig], 6);
  std::memcpy(record.resp_mac, flow.mac[resp], 6);
  record.orig_port = __builtin_bswap16(port[orig]);
  record.resp_port = __builtin_bswap16(port[resp]);
  record.interface = flow.interface;
  record.vlan = flow.vlan;
  record.orig_tcp_flags = flow.tcp_flags[orig];
  record.resp_tcp_flags = flow.tcp_flags[resp];
  std::memset(record.unused, 0, sizeof record.unused);
}

}  // namespace

FlowTable::FlowTable(const FlowTableOptions& options, const PacketClock& clock)
    : options_(options), clock_(clock), index_(kFirstIndex, Entry{0, kNoSlot}), mask_(kFirstIndex - 1) {}

ClosedBy FlowTable::silent_end(const Flow& flow) {
  if (flow.idle_class != kIdleClosing) return kClosedByIdle;
  return (flow.tcp_flags[0] | flow.tcp_flags[1]) & kRst ? kClosedByRst : kClosedByFin;
}

void FlowTable::link(uint32_t slot) {
  Flow& flow = at(slot);
  flow.wheel = flow.idle_class;
  wheels_[flow.wheel].insert(slot, due_second(flow),
                                  [this](uint32_t other) -> WheelLink& { return at(other).link; });
}

void FlowTable::unlink(uint32_t slot) {
  wheels_[at(slot).wheel].remove(
      slot, [this](uint32_t other) -> WheelLink& { return at(other).link; });
}

uint32_t FlowTable::free_slot() {
  if (!free_.empty()) {
    const uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  if (used_ == chunks_.size() * kChunk) {
    owned_.emplace_back(new Flow[kChunk]);
    chunks_.push_back(owned_.back().get());
    tags_.resize(chunks_.size() * kChunk);
  }
  return used_++;
}

uint32_t FlowTable::insert(const FlowKey& key, uint64_t hash, int64_t time_us,
                           IdleClass idle_class) {
  if (!started_) {
    for (TimingWheel& wheel : wheels_) wheel.start(time_us / 1'000'000);
    started_ = true;
  }
  if (live_ >= options_.max_flows) evict();
  if ((live_ + 1) * 2ull > index_.size()) grow_index();
  const uint32_t slot = free_slot();
  const uint32_t tag = static_cast<uint32_t>(hash);
  uint32_t i = tag & mask_;
  while (index_[i].slot != kNoSlot) i = (i + 1) & mask_;
  index_[i] = {tag, slot};
  tags_[slot] = tag;
  live_++;
  Flow& flow = at(slot);
  flow.key = key;
  flow.last_us = flow.first_us = time_us;
  flow.bytes[0] = flow.bytes[1] = flow.packets[0] = flow.packets[1] = 0;
  flow.number = ++begun_;
  std::memset(flow.mac, 0, sizeof flow.mac);
  flow.tcp_flags[0] = flow.tcp_flags[1] = 0;
  flow.status = 0;
  flow.names = 0;
  flow.memo = 0;
  flow.idle_class = idle_class;
  flow.closed_by = kStillOpen;
  link(slot);
  return slot;
}

void FlowTable::grow_index() {
  std::vector<Entry> grown(index_.size() * 2, Entry{0, kNoSlot});
  const uint32_t mask = static_cast<uint32_t>(grown.size() - 1);
  for (const Entry& entry : index_) {
    if (entry.slot == kNoSlot) continue;
    uint32_t i = entry.tag & mask;
    while (grown[i].slot != kNoSlot) i = (i + 1) & mask;
    grown[i] = entry;
  }
  index_ = std::move(grown);
  mask_ = mask;
}

void FlowTable::remove_from_index(uint32_t slot) {
  uint32_t hole = tags_[slot] & mask_;
  while (index_[hole].slot != slot) hole = (hole + 1) & mask_;
  // Those behind move up, so that no search ends early and no marks of the dead are needed.
  for (uint32_t i = (hole + 1) & mask_; index_[i].slot != kNoSlot; i = (i + 1) & mask_) {
    const uint32_t home = index_[i].tag & mask_;
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
    index_[hole] = index_[i];
    hole = i;
  }
  index_[hole] = {0, kNoSlot};
}

void FlowTable::finish(uint32_t slot, ClosedBy by) {
  remove_from_index(slot);
  live_--;
  end(slot, at(slot), by);
}

void FlowTable::end(uint32_t slot, Flow& flow, ClosedBy by) {
  flow.status |= kFlowClosed;
  flow.closed_by = by;
  flow.names = 0;
  // The source's clock may be another one when the record is taken.
  flow.first_us = clock_.told(flow.first_us);
  flow.last_us = clock_.told(flow.last_us);
  pending_closed_++;
  if (!(flow.status & kFlowListed)) list(slot, flow);
}

void FlowTable::close(uint32_t slot, ClosedBy by) {
  unlink(slot);
  finish(slot, by);
}

void FlowTable::set_idle_class(uint32_t slot, IdleClass idle_class) {
  unlink(slot);
  at(slot).idle_class = idle_class;
  link(slot);
}

void FlowTable::set_back(uint32_t slot, int64_t time_us) {
  Flow& flow = at(slot);
  unlink(slot);
  flow.last_us = time_us;
  if (flow.first_us > time_us) flow.first_us = time_us;
  link(slot);
}

void FlowTable::advance(int64_t time_us) {
  if (!started_) return;
  const int64_t second = time_us / 1'000'000;
  for (TimingWheel& wheel : wheels_) {
    if (second <= wheel.now()) continue;
    wheel.advance(
        second, [this](uint32_t slot) -> WheelLink& { return at(slot).link; },
        [this, time_us](uint32_t slot) {
          const Flow& flow = at(slot);
          if (timed_out(flow, time_us)) {
            finish(slot, silent_end(flow));
          } else {
            link(slot);
          }
        });
  }
}

void FlowTable::evict() {
  uint32_t oldest = kNoSlot;
  for (TimingWheel& wheel : wheels_) {
    for (int looks = 0; looks < kEvictionLooks; looks++) {
      const uint32_t slot = wheel.nearest();
      if (slot == kWheelNone) break;
      const Flow& flow = at(slot);
      if (looks < kEvictionLooks - 1 && due_second(flow) > wheel.second_of(flow.link)) {
        unlink(slot);
        link(slot);
        continue;
      }
      if (oldest == kNoSlot || flow.last_us < at(oldest).last_us) oldest = slot;
      break;
    }
  }
  if (oldest == kNoSlot) return;
  evicted_++;
  close(oldest, kClosedByEvicted);
}

void FlowTable::close_all(ClosedBy by) {
  for (uint32_t slot = 0; slot < used_; slot++) {
    Flow& flow = at(slot);
    const bool is_free = flow.link.next == slot;
    if (is_free || flow.status & kFlowClosed) continue;
    end(slot, flow, flow.idle_class == kIdleClosing ? silent_end(flow) : by);
  }
  live_ = 0;
  index_.assign(index_.size(), Entry{0, kNoSlot});
  for (TimingWheel& wheel : wheels_) wheel.clear();
  // The next flow may be of an earlier time.
  started_ = false;
}

void FlowTable::take(FlowRecord* records, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (changes_done_ + 8 < changes_.size()) {
      const char* ahead = reinterpret_cast<const char*>(&at(changes_[changes_done_ + 8]));
      __builtin_prefetch(ahead, 1);
      __builtin_prefetch(ahead + 64, 1);
    }
    const uint32_t slot = changes_[changes_done_++];
    Flow& flow = at(slot);
    write_record(records[i], slot, flow, clock_);
    flow.status = static_cast<uint8_t>((flow.status | kFlowTold) & ~kFlowListed);
    if (flow.status & kFlowClosed) {
      pending_closed_--;
      flow.link.next = slot;
      free_.push_back(slot);
    }
  }
  if (changes_done_ == changes_.size()) {
    changes_.clear();
    changes_done_ = 0;
  } else if (changes_done_ > changes_.size() / 2) {
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<ptrdiff_t>(changes_done_));
    changes_done_ = 0;
  }
}

}  // namespace homespin
