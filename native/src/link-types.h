// Link types of captures (LINKTYPE_ values, https://www.tcpdump.org/linktypes.html).
#pragma once

#include <cstdint>
#include <string>

namespace homespin {

constexpr uint16_t kLinkEthernet = 1;
constexpr uint16_t kLinkRaw = 101;
constexpr uint16_t kLinkRawBsd = 12;
constexpr uint16_t kLinkRawOpenBsd = 14;
constexpr uint16_t kLinkLinuxCooked = 113;
constexpr uint16_t kLinkIpv4 = 228;
constexpr uint16_t kLinkIpv6 = 229;
constexpr uint16_t kLinkLinuxCooked2 = 276;

bool link_supported(uint16_t type);

/** `IEEE802_11_RADIOTAP (127)`; of unknown ones the number alone. */
std::string link_name(uint16_t type);

}  // namespace homespin
