#include "dns-learner.h"

#include <algorithm>
#include <utility>

namespace homespin {

namespace {

constexpr size_t kMostLearned = 4096;

/** A device about which nothing is said: only what is said for everybody. */
const GatedDevice kNobody{};

Reason reason_of(const Judgement& judgement, std::string_view name) {
  return {name, judgement.rule_bytes == 0 ? std::string_view{} : name.substr(name.size() - judgement.rule_bytes)};
}

}  // namespace

std::vector<LearnedAddress> DnsLearner::take_learned() { return std::exchange(learned_, {}); }

void DnsLearner::learn(const Owner& owner, const Ip& ip, ElementKind kind, uint32_t ttl_s, const Reason& reason,
                       int64_t now_ns) {
  bool fresh;
  if (!elements_.add({owner, ip, kind}, ttl_s, reason, now_ns, fresh)) {
    over_cap_++;
  } else if (fresh && learned_.size() < kMostLearned) {
    learned_.push_back({owner, ip, kind, std::string(reason.name)});
  } else if (fresh) {
    events_lost_++;
  }
}

void DnsLearner::learn_of(const GatedDevice& device, const Ip& ip, ElementKind kind, uint32_t ttl_s,
                          const Reason& reason, int64_t now_ns) {
  if (device.mac != 0) return learn({device.mac, {}}, ip, kind, ttl_s, reason, now_ns);
  for (const Ip& own : device.ips) {
    if (own.ipv6 == ip.ipv6) learn({0, own}, ip, kind, ttl_s, reason, now_ns);
  }
}

void DnsLearner::conclude(const GatedDevice& device, const Judgement& judgement, const Ip& ip, uint32_t ttl_s,
                          const std::vector<std::string>& names, size_t decider, Belief belief, int64_t now_ns) {
  if (belief == Belief::kNone || judgement.verdict == NameVerdict::kRefused) return;
  const bool believed = belief == Belief::kBelieved;
  const bool local = policy_->is_local(names.front()) && policy_->is_local(names[decider]);
  const Reason reason = reason_of(judgement, names[decider]);
  const auto learn_for = [&](ElementKind kind) {
    if (judgement.everyone) return learn({}, ip, kind, ttl_s, reason, now_ns);
    learn_of(device, ip, kind, ttl_s, reason, now_ns);
  };
  if (judgement.verdict == NameVerdict::kBlocked) {
    if (!policy_->blockable(ip, local)) {
      unfit_++;
    } else if (believed) {
      learn_for(kShut);
    } else {
      learn_of(device, ip, kShut, ttl_s, reason, now_ns);
    }
    return;
  }
  if (!believed) return;
  const bool allowed = judgement.verdict == NameVerdict::kAllowed;
  if (allowed && policy_->openable(ip, local)) {
    learn_for(kOpen);
  } else if (allowed) {
    unfit_++;
  }
  // What was resolved goes on when the name has expired, other than an exception.
  if ((device.no_dns_no_connect || (allowed && device.allow_list)) && policy_->resolvable(ip, local)) {
    learn_of(device, ip, kResolved, ttl_s, reason, now_ns);
  }
}

void DnsLearner::hear(const HeardName& heard, int64_t now_ns) {
  const auto about = [&](const GatedDevice& device, bool everyone) {
    size_t decider;
    const Judgement judgement = policy_->judge(device, heard.names, decider);
    if (judgement.verdict != NameVerdict::kBlocked || (!heard.limited && judgement.everyone != everyone)) return;
    const Belief belief = heard.limited ? Belief::kAsked : Belief::kBelieved;
    for (const Ip& ip : heard.ips) {
      conclude(device, judgement, ip, heard.ttl_s, heard.names, decider, belief, now_ns);
    }
  };
  if (heard.limited) {
    const uint32_t known = policy_->index.by_mac(heard.only.mac);
    const uint32_t index = known != DeviceIndex::kNone ? known : policy_->index.by_ip(heard.only.ip);
    if (index != DeviceIndex::kNone) about(policy_->devices[index], false);
    return;
  }
  // What holds for everybody once, and then what holds for single devices.
  if (!policy_->block.empty()) about(kNobody, true);
  for (const GatedDevice& device : policy_->devices) {
    if (!device.block.empty()) about(device, false);
  }
}

const GatedDevice* DnsLearner::device_of(const Owner& owner) const {
  const uint32_t index = owner.by_ip() ? policy_->index.by_ip(owner.ip) : policy_->index.by_mac(owner.mac);
  if (index == DeviceIndex::kNone) return nullptr;
  const GatedDevice& device = policy_->devices[index];
  // One that is known by its MAC has no elements of its addresses.
  return owner.by_ip() && device.mac != 0 ? nullptr : &device;
}

/** Whether an element would come to be again because of a name; with none: because of any. */
bool DnsLearner::stands(const ElementKey& key, const std::string& name) const {
  if (policy_ == nullptr) return false;
  const bool local = name.empty() || policy_->is_local(name);
  const bool fits = key.kind == kShut   ? policy_->blockable(key.ip, local)
                    : key.kind == kOpen ? policy_->openable(key.ip, local)
                                        : policy_->resolvable(key.ip, local);
  if (!fits) return false;
  const bool everyone = key.owner.everyone();
  const GatedDevice* const device = everyone ? &kNobody : device_of(key.owner);
  if (device == nullptr) return false;
  if (name.empty()) return !policy_->block.empty() || !device->block.empty();
  const Judgement judgement = policy_->judge(*device, name);
  if (key.kind == kResolved) {
    if (judgement.verdict == NameVerdict::kAllowed) return device->no_dns_no_connect || device->allow_list;
    return device->no_dns_no_connect && judgement.verdict == NameVerdict::kNothing;
  }
  if (judgement.verdict != (key.kind == kShut ? NameVerdict::kBlocked : NameVerdict::kAllowed)) return false;
  // What somebody who is not believed said of a name that is blocked for everybody holds for the one that asked.
  return key.kind == kShut || judgement.everyone == everyone;
}

void DnsLearner::revise(int64_t now_ns) {
  elements_.revise([this](const ElementKey& key, const std::string& name) { return stands(key, name); }, now_ns);
}

}  // namespace homespin
