#include "fragment-table.h"

#include <cstring>

namespace homespin {

void FragmentTable::follow(Packet& packet) {
  FlowKey bare = packet.key;
  bare.port_a = bare.port_b = 0;
  const uint64_t hash =
      multiply_fold(hash_of(bare, secret_) ^ packet.fragment_id, secret_.word[3] | 1);
  Entry& entry = entries_[hash % kEntries];
  if (!packet.later_fragment) {
    entry = {bare, packet.fragment_id, packet.key.port_a, packet.key.port_b, packet.sender, true,
             packet.time_us};
    return;
  }
  const bool match = entry.used && entry.id == packet.fragment_id &&
                     entry.sender == packet.sender &&
                     std::memcmp(entry.key.a, bare.a, 16) == 0 &&
                     std::memcmp(entry.key.b, bare.b, 16) == 0 &&
                     entry.key.protocol == bare.protocol && entry.key.ipv6 == bare.ipv6;
  if (!match || packet.time_us - entry.time_us > kKeepUs) return;
  packet.key.port_a = entry.port_a;
  packet.key.port_b = entry.port_b;
  packet.hash = hash_of(packet.key, secret_);
}

}  // namespace homespin
