#include "dns-elements.h"

#include <algorithm>

namespace homespin {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint32_t kShortestS = 60;
constexpr uint32_t kLongestS = 3600;
/** Names that are kept of one address; of more, the first ones. */
constexpr size_t kMostNames = 4;
constexpr int64_t kSweepNs = 10 * kSecond;

}  // namespace

DnsElements::Map::iterator DnsElements::erase(Map::iterator at) {
  const auto count = per_device_.find(at->first.mac);
  if (count != per_device_.end() && --count->second == 0) per_device_.erase(count);
  return all_.erase(at);
}

void DnsElements::sweep(int64_t now_ns) {
  if (now_ns - swept_ns_ < kSweepNs) return;
  swept_ns_ = now_ns;
  for (auto at = all_.begin(); at != all_.end();) at = at->second.until_ns <= now_ns ? erase(at) : ++at;
}

bool DnsElements::add(uint64_t mac, const Ip& ip, ElementKind kind, uint32_t ttl_s,
                      const std::string& name, int64_t now_ns, std::vector<SetChange>& changes) {
  sweep(now_ns);
  const int64_t needed = now_ns + std::clamp(ttl_s, kShortestS, kLongestS) * kSecond;
  const ElementKey key{mac, ip, kind};
  auto found = all_.find(key);
  const bool present = found != all_.end() && found->second.until_ns > now_ns && found->second.written;
  if (found == all_.end()) {
    size_t& count = per_device_[mac];
    if ((mac != 0 && count >= limits_.per_device) || all_.size() >= limits_.all) {
      if (count == 0) per_device_.erase(mac);
      return false;
    }
    count++;
    found = all_.emplace(key, Element{}).first;
  }
  Element& element = found->second;
  if (element.until_ns <= now_ns) element.names.clear();
  const bool known = std::find(element.names.begin(), element.names.end(), name) != element.names.end();
  if (!known && element.names.size() < kMostNames) element.names.push_back(name);
  if (present && element.until_ns >= needed) return true;
  element.until_ns = std::max(element.until_ns, needed + limits_.grace_ns);
  changes.push_back({mac, ip, kind, present, false, false,
                     static_cast<uint32_t>((element.until_ns - now_ns) / 1'000'000)});
  return true;
}

void DnsElements::revise(const std::function<bool(const ElementKey&, const std::string&)>& stands,
                         int64_t now_ns, std::vector<SetChange>& changes) {
  for (auto at = all_.begin(); at != all_.end();) {
    const ElementKey& key = at->first;
    Element& element = at->second;
    std::erase_if(element.names, [&](const std::string& name) { return !stands(key, name); });
    if (element.names.empty() && element.until_ns > now_ns) {
      changes.push_back({key.mac, key.ip, key.kind, true, false, true, 0});
    }
    at = element.names.empty() || element.until_ns <= now_ns ? erase(at) : ++at;
  }
}

void DnsElements::repeat(int64_t now_ns, bool lost, std::vector<SetChange>& changes) const {
  for (const auto& [key, element] : all_) {
    const int64_t left_ms = (element.until_ns - now_ns) / 1'000'000;
    if (left_ms <= 0 || (lost && element.written)) continue;
    changes.push_back({key.mac, key.ip, key.kind, false, true, false, static_cast<uint32_t>(left_ms)});
  }
}

void DnsElements::note(const SetChange& change, bool written) {
  const auto found = all_.find({change.mac, change.ip, change.kind});
  if (found != all_.end()) found->second.written = written;
}

}  // namespace homespin
