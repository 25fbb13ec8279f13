#include "packet-edit.h"

#include "bytes.h"
#include "packet.h"

namespace homespin {

namespace {

constexpr size_t kIpv4Header = 20;
constexpr size_t kIpv6Header = 40;
constexpr uint8_t kHops = 64;

/** The sum of 16-bit words in the order of this machine, which comes to the same (RFC 1071). */
uint64_t sum(const uint8_t* data, size_t size, uint64_t start) {
  while (size >= 2) {
    start += load<uint16_t>(data);
    data += 2;
    size -= 2;
  }
  return size > 0 ? start + *data : start;
}

uint16_t folded(uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

inline void put16(uint8_t* to, size_t value) {
  store(to, __builtin_bswap16(static_cast<uint16_t>(value)));
}

}  // namespace

void seal_packet(uint8_t* packet, size_t size, size_t body, uint8_t protocol, bool ipv6) {
  if (ipv6) {
    put16(packet + 4, size - kIpv6Header);
  } else {
    put16(packet + 2, size);
    store<uint16_t>(packet + 10, 0);
    store(packet + 10, folded(sum(packet, (packet[0] & 15) * size_t{4}, 0)));
  }
  uint8_t* const at = packet + body;
  const size_t bytes = size - body;
  const size_t place = protocol == kProtocolUdp ? 6 : 16;
  if (bytes < place + 2) return;
  if (protocol == kProtocolUdp) put16(at + 4, bytes);
  store<uint16_t>(at + place, 0);
  uint64_t total = ipv6 ? sum(packet + 8, 32, 0) : sum(packet + 12, 8, 0);
  total += __builtin_bswap16(protocol);
  total += __builtin_bswap16(static_cast<uint16_t>(bytes));
  uint16_t check = folded(sum(at, bytes, total));
  // Zero says that a datagram has no checksum (RFC 768).
  if (check == 0 && protocol == kProtocolUdp) check = 0xffff;
  store(at + place, check);
}

void put_datagram(std::vector<uint8_t>& to, const Ip& from, uint16_t from_port, const Ip& dest,
                  uint16_t dest_port, const uint8_t* payload, size_t size) {
  const size_t header = from.ipv6 ? kIpv6Header : kIpv4Header;
  to.assign(header + 8 + size, 0);
  uint8_t* const at = to.data();
  if (from.ipv6) {
    at[0] = 0x60;
    at[6] = kProtocolUdp;
    at[7] = kHops;
    std::memcpy(at + 8, from.word, 16);
    std::memcpy(at + 24, dest.word, 16);
  } else {
    at[0] = 0x45;
    at[6] = 0x40;  // not to be fragmented
    at[8] = kHops;
    at[9] = kProtocolUdp;
    std::memcpy(at + 12, from.word, 4);
    std::memcpy(at + 16, dest.word, 4);
  }
  store(at + header, from_port);
  store(at + header + 2, dest_port);
  std::memcpy(at + header + 8, payload, size);
  seal_packet(at, to.size(), header, kProtocolUdp, from.ipv6);
}

}  // namespace homespin
