// Packets that are changed or made: checksums, and UDP datagrams from one address to another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device-index.h"

namespace homespin {

/**
 * Makes the checksums of an IP packet right, after its bytes or its length changed. `body`: offset of the TCP or UDP header.
 * Also writes the lengths of the IP and (if it is one) the UDP header.
 */
void seal_packet(uint8_t* packet, size_t size, size_t body, uint8_t protocol, bool ipv6);

/** Appends a UDP datagram, IP header and all; ports in network order. */
void put_datagram(std::vector<uint8_t>& to, const Ip& from, uint16_t from_port, const Ip& dest,
                  uint16_t dest_port, const uint8_t* payload, size_t size);

}  // namespace homespin
