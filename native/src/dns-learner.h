// What follows from answers for the kernel's sets: whose addresses are shut, opened, or noted as resolved. Only who is believed
// says something about others than the one that asked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dns-elements.h"
#include "dns-policy.h"

namespace homespin {

/** An address that went into a set. */
struct LearnedAddress {
  Owner owner;
  Ip ip;
  uint8_t kind;
  std::string name;
};

/** Addresses of a name that were heard elsewhere; only blocks follow from it. */
struct HeardName {
  /** Who asked, if nobody else may be shut because of it: whoever answered is not believed. */
  Owner only;
  bool limited;
  std::vector<std::string> names;
  std::vector<Ip> ips;
  uint32_t ttl_s;
};

/** How far an answer is believed. */
enum class Belief : uint8_t {
  /** Nobody asked for it: nothing follows. */
  kNone,
  /** It was asked for, of somebody: it may shut what the one that asked reaches, and opens nothing. */
  kAsked,
  /** It was asked for, of a resolver that is believed. */
  kBelieved,
};

class DnsLearner {
 public:
  DnsLearner(const HashSecret& secret, DnsElements::Limits limits, int64_t now_ns)
      : elements_(secret, limits, now_ns) {}

  /** What is known stays until `revise`. */
  void follow(std::shared_ptr<const DnsPolicy> policy) { policy_ = std::move(policy); }
  /** Takes out what would not come to be any more. */
  void revise(int64_t now_ns);
  /** Notes what follows for an address. `names`: that was asked for and its aliases; the one at `decider` was judged. */
  void conclude(const GatedDevice& device, const Judgement& judgement, const Ip& ip, uint32_t ttl_s,
                const std::vector<std::string>& names, size_t decider, Belief belief, int64_t now_ns);
  void hear(const HeardName& heard, int64_t now_ns);

  DnsElements& elements() { return elements_; }
  const DnsElements& elements() const { return elements_; }
  std::vector<LearnedAddress> take_learned();
  bool has_learned() const { return !learned_.empty(); }
  uint64_t over_cap() const { return over_cap_; }
  /** Addresses that may not be of such a name: protected, or here though the name is of the internet. */
  uint64_t unfit() const { return unfit_; }
  uint64_t events_lost() const { return events_lost_; }

 private:
  void learn(const Owner& owner, const Ip& ip, ElementKind kind, uint32_t ttl_s, const Reason& reason, int64_t now_ns);
  /** For a device as the kernel knows it: by its MAC, or by each of its addresses of the same version. */
  void learn_of(const GatedDevice& device, const Ip& ip, ElementKind kind, uint32_t ttl_s, const Reason& reason,
                int64_t now_ns);
  const GatedDevice* device_of(const Owner& owner) const;
  bool stands(const ElementKey& key, const std::string& name) const;

  std::shared_ptr<const DnsPolicy> policy_;
  DnsElements elements_;
  std::vector<LearnedAddress> learned_;
  uint64_t over_cap_ = 0;
  uint64_t unfit_ = 0;
  uint64_t events_lost_ = 0;
};

}  // namespace homespin
