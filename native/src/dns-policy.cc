#include "dns-policy.h"

#include <algorithm>

namespace homespin {

namespace {

/** Firefox turns its own DoH off where this name does not exist. */
constexpr std::string_view kCanary = "use-application-dns.net";

bool within(const Prefix& prefix, const Ip& ip) {
  if (prefix.ipv6 != (ip.ipv6 != 0)) return false;
  uint8_t bytes[16];
  std::memcpy(bytes, ip.word, sizeof bytes);
  const size_t whole = prefix.bits / 8;
  const uint8_t mask = static_cast<uint8_t>(0xff00 >> prefix.bits % 8);
  return std::memcmp(prefix.ip, bytes, whole) == 0 &&
         (mask == 0 || ((prefix.ip[whole] ^ bytes[whole]) & mask) == 0);
}

/** The IPv4 address in one of NAT64's well-known prefix (RFC 6052): it is reached by it. */
Ip inside(const Ip& ip) {
  static constexpr uint8_t kNat64[12] = {0x00, 0x64, 0xff, 0x9b};
  if (!ip.ipv6 || std::memcmp(ip.word, kNat64, sizeof kNat64) != 0) return ip;
  Ip embedded{};
  std::memcpy(embedded.word, reinterpret_cast<const uint8_t*>(ip.word) + 12, 4);
  return embedded;
}

/** Addresses that stand for no one host out there: this host, link-local, multicast, mapped. */
bool special(const Ip& ip) {
  uint8_t b[16];
  std::memcpy(b, ip.word, sizeof b);
  if (!ip.ipv6) return b[0] == 0 || b[0] == 127 || b[0] >= 224 || (b[0] == 169 && b[1] == 254);
  if (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)) return true;
  // ::/8 holds the unspecified and loopback addresses and embedded IPv4.
  return b[0] == 0;
}

/** RFC 1918, RFC 6598 and RFC 4193: never of the internet. */
bool is_private(const Ip& ip) {
  uint8_t b[2];
  std::memcpy(b, ip.word, sizeof b);
  if (ip.ipv6) return (b[0] & 0xfe) == 0xfc;
  return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
         (b[0] == 100 && (b[1] & 0xc0) == 64);
}

bool any_within(const std::vector<Prefix>& prefixes, const Ip& ip) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const Prefix& prefix) { return within(prefix, ip); });
}

}  // namespace

NameList::NameList(std::string lines) : lines_(std::move(lines)) {
  names_.reserve(static_cast<size_t>(std::count(lines_.begin(), lines_.end(), '\n')));
  const std::string_view all = lines_;
  for (size_t at = 0; at < all.size();) {
    size_t end = all.find('\n', at);
    if (end == std::string_view::npos) end = all.size();
    if (end > at) names_.insert(all.substr(at, end - at));
    at = end + 1;
  }
}

size_t NameList::match(std::string_view name) const {
  if (names_.empty()) return 0;
  for (;;) {
    if (names_.contains(name)) return name.size();
    // A dot is always between labels: inside of one it is written as \046.
    const size_t dot = name.find('.');
    if (dot == std::string_view::npos) return 0;
    name.remove_prefix(dot + 1);
  }
}

size_t DnsPolicy::longest(const std::vector<uint32_t>& which, std::string_view name) const {
  size_t length = 0;
  for (const uint32_t list : which) length = std::max(length, lists[list]->match(name));
  return length;
}

bool DnsPolicy::is_local(std::string_view name) const {
  // A single label goes no further than the home's resolver.
  return name.find('.') == std::string_view::npos || local->match(name) > 0;
}

Judgement DnsPolicy::judge(const GatedDevice& device, std::string_view name) const {
  if (device.canary && name == kCanary) return {NameVerdict::kRefused};
  const size_t own_block = longest(device.block, name);
  const size_t own_allow = longest(device.allow, name);
  const size_t all_block = longest(block, name);
  const size_t all_allow = longest(allow, name);
  const size_t blocked = std::max(own_block, all_block);
  const size_t allowed = std::max(own_allow, all_allow);
  if (allowed > 0 && allowed >= blocked) return {NameVerdict::kAllowed, own_allow < all_allow, allowed};
  if (blocked > 0) return {NameVerdict::kBlocked, own_block < all_block, blocked};
  if (device.canary && encrypted->match(name) > 0) return {NameVerdict::kRefused};
  if (device.local_only && !is_local(name)) return {NameVerdict::kRefused};
  return {};
}

Judgement DnsPolicy::judge(const GatedDevice& device, const std::vector<std::string>& names,
                           size_t& decider) const {
  for (decider = 0; decider < names.size(); decider++) {
    const Judgement judgement = judge(device, names[decider]);
    // An alias of a local name is as local as that.
    if (judgement.verdict == NameVerdict::kRefused && decider > 0) continue;
    if (judgement.verdict != NameVerdict::kNothing) return judgement;
  }
  decider = 0;
  return {};
}

bool DnsPolicy::is_here(const Ip& ip) const { return is_private(ip) || any_within(home, ip); }

bool DnsPolicy::blockable(const Ip& outer, bool local) const {
  const Ip ip = inside(outer);
  return !special(ip) && !any_within(protect, ip) && (local || !is_here(ip));
}

bool DnsPolicy::openable(const Ip& outer, bool local) const {
  const Ip ip = inside(outer);
  return !special(ip) && (local || (!is_here(ip) && !any_within(protect, ip)));
}

bool DnsPolicy::resolvable(const Ip& outer, bool local) const {
  const Ip ip = inside(outer);
  return !special(ip) && (local || !is_here(ip));
}

bool DnsPolicy::trusts(const Ip& resolver) const {
  return resolvers.empty() || std::find(resolvers.begin(), resolvers.end(), resolver) != resolvers.end();
}

const GatedDevice* DnsPolicy::of_mac(uint64_t mac) const {
  if (mac == 0) return nullptr;
  const uint32_t device = index.by_mac(mac);
  return device == DeviceIndex::kNone ? otherwise.get() : &devices[device];
}

const GatedDevice* DnsPolicy::of_ip(const Ip& ip) const {
  const uint32_t device = index.by_ip(ip);
  return device == DeviceIndex::kNone ? nullptr : &devices[device];
}

}  // namespace homespin
