#include "held-table.h"

#include <cstring>

namespace homespin {

namespace {

bool same(const FlowKey& a, const FlowKey& b) {
  return a.a[0] == b.a[0] && a.a[1] == b.a[1] && a.b[0] == b.b[0] && a.b[1] == b.b[1] &&
         a.port_a == b.port_a && a.port_b == b.port_b && a.protocol == b.protocol &&
         a.ipv6 == b.ipv6;
}

}  // namespace

HeldTable::HeldTable(uint32_t connections, uint32_t packets)
    : held_(connections), packets_(packets) {
  uint32_t size = 1;
  while (size < connections) size *= 2;
  buckets_.assign(size, kNone);
  mask_ = size - 1;
  for (uint32_t i = 0; i < connections; i++) {
    held_[i] = {};
    held_[i].generation = 1;
    held_[i].next_in_bucket = i + 1 < connections ? i + 1 : kNone;
  }
  for (uint32_t i = 0; i < packets; i++) packets_[i].next = i + 1 < packets ? i + 1 : kNone;
}

uint32_t HeldTable::find(const FlowKey& tuple, uint64_t hash) const {
  for (uint32_t i = buckets_[hash & mask_]; i != kNone; i = held_[i].next_in_bucket) {
    if (held_[i].hash == hash && same(held_[i].tuple, tuple)) return i;
  }
  return kNone;
}

uint32_t HeldTable::add(const FlowKey& tuple, uint64_t hash, const VerdictKey& about,
                        int64_t deadline_ns, bool accept) {
  // One that could keep no packet would be of no use.
  if (free_ == kNone || free_packet_ == kNone) return kNone;
  const uint32_t slot = free_;
  Held& held = held_[slot];
  free_ = held.next_in_bucket;
  held.tuple = tuple;
  held.hash = hash;
  held.about = about;
  held.deadline_ns = deadline_ns;
  held.accept = accept;
  held.used = true;
  held.first_packet = held.last_packet = kNone;
  held.next_in_bucket = buckets_[hash & mask_];
  buckets_[hash & mask_] = slot;
  held.earlier = last_;
  held.later = kNone;
  (last_ == kNone ? first_ : held_[last_].later) = slot;
  last_ = slot;
  connections_++;
  return slot;
}

bool HeldTable::add_packet(uint32_t slot, uint32_t id, uint32_t mark) {
  if (free_packet_ == kNone) return false;
  const uint32_t i = free_packet_;
  free_packet_ = packets_[i].next;
  packets_[i] = {id, mark, kNone};
  Held& held = held_[slot];
  (held.last_packet == kNone ? held.first_packet : packets_[held.last_packet].next) = i;
  held.last_packet = i;
  packets_used_++;
  return true;
}

double HeldTable::id_of(uint32_t slot) const {
  // 16 bits of slot and 32 of generation: exact in a double.
  return static_cast<double>(static_cast<uint64_t>(held_[slot].generation) << 16 | slot);
}

uint32_t HeldTable::of_id(double id) const {
  if (!(id >= 0) || id >= static_cast<double>(uint64_t{1} << 48)) return kNone;
  const uint64_t whole = static_cast<uint64_t>(id);
  const uint32_t slot = whole & 0xffff;
  if (slot >= held_.size() || !held_[slot].used || held_[slot].generation != whole >> 16) return kNone;
  return slot;
}

void HeldTable::unlink(uint32_t slot) {
  Held& held = held_[slot];
  uint32_t* link = &buckets_[held.hash & mask_];
  while (*link != slot) link = &held_[*link].next_in_bucket;
  *link = held.next_in_bucket;
  (held.earlier == kNone ? first_ : held_[held.earlier].later) = held.later;
  (held.later == kNone ? last_ : held_[held.later].earlier) = held.earlier;
  held.used = false;
  held.generation++;
  held.next_in_bucket = free_;
  free_ = slot;
  connections_--;
}

}  // namespace homespin
