#include "dns-elements.h"

#include <algorithm>

namespace homespin {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint32_t kShortestS = 60;
constexpr uint32_t kLongestS = kLongestTtlS;
/** Names that are kept of one address: so many that were asked for, and then the names of rules. */
constexpr size_t kMostAsked = 8;
constexpr size_t kMostNames = 32;
constexpr int64_t kSweepNs = 10 * kSecond;
/** The kernel counts in ticks of its own. */
constexpr int64_t kMarginNs = 2 * kSecond;

}  // namespace

DnsElements::DnsElements(const HashSecret& secret, Limits limits, int64_t now_ns)
    : limits_(limits),
      all_(16, Hash{secret}),
      per_owner_(16, OwnerHash{{secret}}),
      per_name_(16, NameHash{{secret}}),
      doubt_ns_(now_ns + kLongestS * kSecond + limits.grace_ns) {}

void DnsElements::unlink(const NameKey& name, const ElementKey& key) {
  const auto found = per_name_.find(name);
  if (found == per_name_.end()) return;
  std::erase(found->second, key);
  if (found->second.empty()) per_name_.erase(found);
}

void DnsElements::drop_name(const ElementKey& key, Element& element, size_t place) {
  if (place < element.asked) {
    unlink({key.owner, key.kind, element.names[place]}, key);
    element.asked--;
  }
  element.names.erase(element.names.begin() + static_cast<long>(place));
}

DnsElements::Map::iterator DnsElements::erase(Map::iterator at) {
  const ElementKey& key = at->first;
  for (size_t i = 0; i < at->second.asked; i++) unlink({key.owner, key.kind, at->second.names[i]}, key);
  const bool shut = key.kind == kShut;
  const auto count = per_owner_.find({key.owner, shut});
  if (count != per_owner_.end() && --count->second == 0) per_owner_.erase(count);
  if (shut) shut_--;
  return all_.erase(at);
}

/** Out of the kernel's sets too. */
void DnsElements::remove(Map::iterator at, int64_t now_ns) {
  if (at->second.kernel_ns > now_ns || now_ns < doubt_ns_) removed_.push_back(at->first);
  erase(at);
}

void DnsElements::sweep(int64_t now_ns) {
  if (now_ns - swept_ns_ < kSweepNs) return;
  swept_ns_ = now_ns;
  for (auto at = all_.begin(); at != all_.end();) at = at->second.until_ns <= now_ns ? erase(at) : ++at;
}

void DnsElements::queue(const ElementKey& key, Element& element) {
  if (element.queued) return;
  element.queued = true;
  queued_.push_back(key);
}

bool DnsElements::has_room(const ElementKey& key) const {
  const bool shut = key.kind == kShut;
  if (shut ? shut_ >= limits_.shut : all_.size() - shut_ >= limits_.open) return false;
  const auto count = per_owner_.find({key.owner, shut});
  return count == per_owner_.end() || count->second < limits_.per_owner;
}

void DnsElements::yield(const NameKey& name, int64_t now_ns) {
  const auto keys = per_name_.find(name);
  if (keys == per_name_.end() || keys->second.size() < limits_.per_name) return;
  auto first = all_.end();
  for (const ElementKey& key : keys->second) {
    const auto at = all_.find(key);
    if (first == all_.end() || at->second.until_ns < first->second.until_ns) first = at;
  }
  Element& element = first->second;
  const auto place = std::find(element.names.begin(), element.names.begin() + element.asked, name.name);
  drop_name(first->first, element, static_cast<size_t>(place - element.names.begin()));
  if (element.names.empty()) remove(first, now_ns);
}

void DnsElements::keep_reason(const ElementKey& key, Element& element, const Reason& reason, int64_t now_ns) {
  const auto has = [&](std::string_view name) {
    return std::find(element.names.begin(), element.names.end(), name) != element.names.end();
  };
  if (has(reason.name)) return;
  if (element.asked < kMostAsked) {
    NameKey name{key.owner, key.kind, std::string(reason.name)};
    yield(name, now_ns);
    element.names.insert(element.names.begin() + element.asked++, name.name);
    per_name_[std::move(name)].push_back(key);
    return;
  }
  // A rule stands for all the names below it: there are fewer of them.
  if (!reason.rule.empty() && has(reason.rule)) return;
  if (reason.rule.empty() || element.names.size() >= kMostNames) {
    element.more = true;
  } else {
    element.names.emplace_back(reason.rule);
  }
}

bool DnsElements::add(const ElementKey& key, uint32_t ttl_s, const Reason& reason, int64_t now_ns, bool& fresh) {
  sweep(now_ns);
  fresh = false;
  const int64_t needed = now_ns + std::clamp(ttl_s, kShortestS, kLongestS) * kSecond;
  auto found = all_.find(key);
  if (found != all_.end() && found->second.until_ns <= now_ns) {
    erase(found);
    found = all_.end();
  }
  if (found == all_.end()) {
    if (!has_room(key)) return false;
    per_owner_[{key.owner, key.kind == kShut}]++;
    if (key.kind == kShut) shut_++;
    found = all_.emplace(key, Element{}).first;
  }
  Element& element = found->second;
  keep_reason(key, element, reason, now_ns);
  if (element.written && element.until_ns >= needed) return true;
  fresh = !element.written && !element.queued;
  element.until_ns = std::max(element.until_ns, needed + limits_.grace_ns);
  element.keep = false;
  queue(key, element);
  return true;
}

void DnsElements::revise(const std::function<bool(const ElementKey&, const std::string&)>& stands, int64_t now_ns) {
  for (auto at = all_.begin(); at != all_.end();) {
    const ElementKey key = at->first;
    Element& element = at->second;
    for (size_t i = element.names.size(); i-- > 0;) {
      if (!stands(key, element.names[i])) drop_name(key, element, i);
    }
    // A name that was not kept may still be blocked; whether one is still allowed has to be known.
    const bool unknown = element.more && key.kind == kShut && stands(key, {});
    const bool gone = element.names.empty() && !unknown;
    const auto next = std::next(at);
    if (element.until_ns <= now_ns) {
      erase(at);
    } else if (gone) {
      remove(at, now_ns);
    }
    at = next;
  }
}

void DnsElements::repeat(int64_t now_ns, bool lost) {
  for (auto& [key, element] : all_) {
    if (element.until_ns <= now_ns || (lost && element.written)) continue;
    if (!lost && element.written && !element.queued) element.keep = true;
    queue(key, element);
  }
}

void DnsElements::take(int64_t now_ns, std::vector<SetChange>& changes) {
  for (const ElementKey& key : removed_) changes.push_back({key.owner, key.ip, key.kind, false, false, true, 0});
  removed_.clear();
  for (const ElementKey& key : queued_) {
    const auto found = all_.find(key);
    if (found == all_.end() || !found->second.queued) continue;
    Element& element = found->second;
    element.queued = false;
    const int64_t left_ms = (element.until_ns - now_ns) / 1'000'000;
    if (left_ms <= 0) continue;
    const bool there = element.kernel_ns + kMarginNs > now_ns || now_ns < doubt_ns_;
    changes.push_back({key.owner, key.ip, key.kind, !there, element.keep, false, static_cast<uint32_t>(left_ms)});
    element.keep = false;
  }
  queued_.clear();
}

void DnsElements::note(const SetChange& change, bool written, int64_t now_ns) {
  const auto found = all_.find({change.owner, change.ip, change.kind});
  if (!written) doubt_ns_ = std::max(doubt_ns_, now_ns + kLongestS * kSecond + limits_.grace_ns);
  if (found == all_.end()) return;
  found->second.written = written;
  found->second.kernel_ns = written ? found->second.until_ns : 0;
}

}  // namespace homespin
