#include "fragment-table.h"

#include <cstring>

namespace homespin {

namespace {

/**
 * Of IPv6 the protocol is left out: a later fragment names the header that it begins with (RFC 8200, 4.5), the first one
 * has been read past options, and identifications are unique without it.
 */
bool same_ends(const FlowKey& x, const FlowKey& y) {
  return std::memcmp(x.a, y.a, 16) == 0 && std::memcmp(x.b, y.b, 16) == 0 && x.ipv6 == y.ipv6 &&
         (x.ipv6 || x.protocol == y.protocol);
}

}  // namespace

bool FragmentTable::same_datagram(const Packet& x, const Packet& y) {
  return x.fragment_id == y.fragment_id && x.sender == y.sender && same_ends(x.key, y.key);
}

uint64_t FragmentTable::hash_of_datagram(const Packet& packet) const {
  FlowKey bare = packet.key;
  bare.port_a = bare.port_b = 0;
  if (bare.ipv6) bare.protocol = 0;
  return multiply_fold(hash_of(bare, secret_) ^ packet.fragment_id, secret_.word[3] | 1);
}

void FragmentTable::begin(const Packet& first) {
  FlowKey bare = first.key;
  bare.port_a = bare.port_b = 0;
  entries_[hash_of_datagram(first) % kEntries] = {
      bare, first.fragment_id, first.key.port_a, first.key.port_b, first.sender, true, first.time_us};
}

bool FragmentTable::follow(Packet& later) const {
  const Entry& entry = entries_[hash_of_datagram(later) % kEntries];
  const bool match = entry.used && entry.id == later.fragment_id && entry.sender == later.sender &&
                     same_ends(entry.key, later.key);
  if (!match || later.time_us - entry.time_us > kKeepUs) return false;
  later.key.protocol = entry.key.protocol;
  later.key.port_a = entry.port_a;
  later.key.port_b = entry.port_b;
  later.hash = hash_of(later.key, secret_);
  return true;
}

void FragmentTable::keep(const Packet& early) {
  Early& copy = early_.emplace_back();
  copy.packet = early;
  copy.packet.body = nullptr;
  copy.packet.body_captured = 0;
  if (early.src_mac != nullptr) std::memcpy(copy.src_mac, early.src_mac, 6);
  if (early.dst_mac != nullptr) std::memcpy(copy.dst_mac, early.dst_mac, 6);
}

}  // namespace homespin
