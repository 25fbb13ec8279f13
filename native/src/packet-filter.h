// The classic BPF program of a capture socket: which frames, and how much of them the kernel copies.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

namespace homespin {

enum class CountRule : uint8_t { kAll, kIncoming, kOwnOutgoing };

/** Bytes kept of what a server sends in bulk: the link, IP and TCP headers with their options. */
constexpr uint32_t kTrimmed = 128;
/** Bytes kept of any other frame: more than a ClientHello that is looked at. */
constexpr uint32_t kWhole = 17408;

/**
 * `ip_offset` is where the IP header begins: 14, or 0 without a link header. Only TCP and UDP from the ports of common
 * servers are trimmed; IPv4 with options, fragments, IPv6 with extension headers and inner VLAN tags stay whole.
 */
std::vector<sock_filter> packet_filter(CountRule rule, uint32_t ip_offset);

}  // namespace homespin
