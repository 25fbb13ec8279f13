// Addresses that the DNS gate has put into sets: which, until when, and because of which names.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dns-policy.h"
#include "set-writer.h"

namespace homespin {

enum ElementKind : uint8_t {
  /** A device has resolved it, and may reach it. */
  kResolved,
  /** Of a name that is blocked. */
  kShut,
  /** Of a name that is excepted from whatever else holds. */
  kOpen,
};

struct ElementKey {
  /** 0: of everybody. */
  uint64_t mac;
  Ip ip;
  uint8_t kind;
  bool operator==(const ElementKey& other) const {
    return mac == other.mac && ip == other.ip && kind == other.kind;
  }
};

struct Element {
  int64_t until_ns = 0;
  std::vector<std::string> names;
  /** The kernel took it; else it is written when it is wanted again, and with all others. */
  bool written = false;
};

class DnsElements {
 public:
  struct Limits {
    size_t all = 65536;
    size_t per_device = 16384;
    int64_t grace_ns = 30'000'000'000;
  };

  DnsElements(const HashSecret& secret, Limits limits)
      : limits_(limits), all_(16, Hash{secret}), per_device_(16, NumberHash{secret}) {}

  /**
   * Notes an address for 60 s to an hour and a grace; what has to be written to the kernel for it goes to `changes`.
   * False: there are too many.
   */
  bool add(uint64_t mac, const Ip& ip, ElementKind kind, uint32_t ttl_s, const std::string& name,
           int64_t now_ns, std::vector<SetChange>& changes);

  /** Those that no longer hold by `stands` go; and those whose time is over. */
  void revise(const std::function<bool(const ElementKey&, const std::string&)>& stands, int64_t now_ns,
              std::vector<SetChange>& changes);
  /** All that is, or only what the kernel did not take, to be written once more. */
  void repeat(int64_t now_ns, bool lost, std::vector<SetChange>& changes) const;
  /** What became of a change. */
  void note(const SetChange& change, bool written);

  template <typename Each>
  void each(Each&& call) const {
    for (const auto& [key, element] : all_) call(key, element);
  }
  size_t size() const { return all_.size(); }

 private:
  struct Hash {
    HashSecret secret;
    size_t operator()(const ElementKey& key) const {
      return IpHash{secret}(key.ip) ^ NumberHash{secret}(key.mac << 2 | key.kind);
    }
  };
  using Map = std::unordered_map<ElementKey, Element, Hash>;
  Map::iterator erase(Map::iterator at);
  void sweep(int64_t now_ns);

  const Limits limits_;
  Map all_;
  std::unordered_map<uint64_t, size_t, NumberHash> per_device_;
  int64_t swept_ns_ = 0;
};

}  // namespace homespin
