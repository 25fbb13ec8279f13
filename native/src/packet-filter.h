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

/** A VLAN as its frames say it: the tag's EtherType in the upper half (0x8100 or 0x88a8), the id in the lower. */
using VlanTag = uint32_t;

/** Lets nothing through any more. */
std::vector<sock_filter> closed_filter();

/**
 * Frames whose outer tag is one of `without` are left out, wherever the tag is: in the frame or beside it. `ip_offset` is where the IP header begins: 14, or 0 without a link header. Only TCP and UDP from the ports of common
 * servers are trimmed; IPv4 with options, fragments, IPv6 with extension headers and inner VLAN tags stay whole.
 */
std::vector<sock_filter> packet_filter(CountRule rule, uint32_t ip_offset, const std::vector<VlanTag>& without);

}  // namespace homespin
