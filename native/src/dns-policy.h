// What the DNS gate is told about devices: which names are blocked, allowed or refused.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "device-index.h"
#include "locality.h"

namespace homespin {

/** Names that stand for themselves and all below them: lower-case, as canonical text. */
class NameList {
 public:
  /** Names with a line end behind each. */
  explicit NameList(std::string lines);
  NameList(const NameList&) = delete;
  NameList& operator=(const NameList&) = delete;

  /** Length of the longest name in the list that `name` is or is below; 0: none. */
  size_t match(std::string_view name) const;

 private:
  const std::string lines_;
  std::unordered_set<std::string_view> names_;
};

struct GatedDevice {
  /** 0: it is known by its addresses. */
  uint64_t mac;
  /** Of a device without a MAC. */
  std::vector<Ip> ips;
  std::vector<uint32_t> block;
  std::vector<uint32_t> allow;
  /** It reaches nothing but what is allowed. */
  bool allow_list;
  bool local_only;
  bool no_dns_no_connect;
  bool canary;

  /** What can't be understood is not let through. */
  bool closed() const { return allow_list || no_dns_no_connect; }
};

/** Who asks, as it was seen. */
struct Asker {
  /** 0: it is known by its address. */
  uint64_t mac;
  Ip ip;
};

enum class NameVerdict : uint8_t {
  /** Nothing is said about it. */
  kNothing,
  kAllowed,
  /** There is no such name, and its addresses are shut. */
  kBlocked,
  /** There is no such name. */
  kRefused,
};

struct Judgement {
  NameVerdict verdict = NameVerdict::kNothing;
  /** It is a rule for everybody. */
  bool everyone = false;
  /** Bytes at the end of the name that are the rule's own name, 0 if no rule on names decided. */
  size_t rule_bytes = 0;
};

struct DnsPolicy {
  explicit DnsPolicy(const HashSecret& secret) : index(secret) {}

  std::vector<std::unique_ptr<NameList>> lists;
  std::vector<GatedDevice> devices;
  /** What holds for devices that are not listed. */
  std::unique_ptr<GatedDevice> otherwise;
  /** Lists that hold for all. */
  std::vector<uint32_t> block;
  std::vector<uint32_t> allow;
  DeviceIndex index;
  /** Addresses that never become the target of a block. */
  std::vector<Prefix> protect;
  /** Networks of the home. */
  std::vector<Prefix> home;
  /** Whose answers are believed about more than who asked; empty: anybody's. */
  std::vector<Ip> resolvers;
  /** Names of the home. */
  std::unique_ptr<NameList> local;
  /** Names of resolvers that answer encrypted: refused to devices with `canary`. */
  std::unique_ptr<NameList> encrypted = std::make_unique<NameList>("");

  /** The longest match decides; of the same length, what is allowed, and what is said of the device itself. */
  Judgement judge(const GatedDevice& device, std::string_view name) const;
  /** The first name that something is said about decides for all of an answer; `decider` is its place, else 0. */
  Judgement judge(const GatedDevice& device, const std::vector<std::string>& names,
                  size_t& decider) const;
  /** A name of the home: it may have addresses there. */
  bool is_local(std::string_view name) const;
  /** Whether a block may take this address. `local`: of names of the home. */
  bool blockable(const Ip& ip, bool local) const;
  /** Whether an exception may pass everything to this address; a name of the internet may not name what is here. */
  bool openable(const Ip& ip, bool local) const;
  /** Whether it may be noted that a device has resolved this address. */
  bool resolvable(const Ip& ip, bool local) const;
  bool trusts(const Ip& resolver) const;
  /** Null: it is not gated. 0 is nobody. */
  const GatedDevice* of_mac(uint64_t mac) const;
  const GatedDevice* of_ip(const Ip& ip) const;
  const GatedDevice* of(const Asker& asker) const { return asker.mac != 0 ? of_mac(asker.mac) : of_ip(asker.ip); }

 private:
  bool is_here(const Ip& ip) const;
  size_t longest(const std::vector<uint32_t>& which, std::string_view name) const;
};

}  // namespace homespin
