// Addresses that the DNS gate has put into sets: which, until when, and because of which names. Bounded in every way.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dns-policy.h"
#include "set-writer.h"

namespace homespin {

/** However long a name lasts, so long at most its addresses are kept; who is answered is told no more. */
constexpr uint32_t kLongestTtlS = 3600;

enum ElementKind : uint8_t {
  /** A device has resolved it, and may reach it. */
  kResolved,
  /** Of a name that is blocked. */
  kShut,
  /** Of a name that is excepted from whatever else holds. */
  kOpen,
};

struct ElementKey {
  Owner owner;
  Ip ip;
  uint8_t kind;
  bool operator==(const ElementKey& other) const {
    return owner == other.owner && ip == other.ip && kind == other.kind;
  }
};

/** Why an address is an element: a name that was asked for (or one of its aliases), and the rule's own name, if a rule decided. */
struct Reason {
  std::string_view name;
  std::string_view rule;
};

struct Element {
  int64_t until_ns = 0;
  /** Until then the kernel may have it. */
  int64_t kernel_ns = 0;
  /** First names that were asked for, then those of rules. */
  std::vector<std::string> names;
  /** So many of `names` were asked for. */
  uint8_t asked = 0;
  /** There were more names than are kept. */
  bool more = false;
  /** The kernel took it; else it is written when it is wanted again, and with all others. */
  bool written = false;
  /** It is among those that `take` will write. */
  bool queued = false;
  /** Only made sure of: what is there stays as it is. */
  bool keep = false;
};

class DnsElements {
 public:
  struct Limits {
    /** Of what is shut, and of what is open: the one leaves room to the other. */
    size_t shut = 32768;
    size_t open = 65536;
    /** Of each owner, everybody being one; of what is shut and of what is open. */
    size_t per_owner = 16384;
    /** Addresses of one name for one owner; beyond, the one that ends first gives way. */
    size_t per_name = 64;
    int64_t grace_ns = 30'000'000'000;
  };

  DnsElements(const HashSecret& secret, Limits limits, int64_t now_ns);

  /**
   * Notes an address for 60 s to an hour and a grace; what has to be written to the kernel for it comes by `take`.
   * False: there are too many. `fresh`: it was not there.
   */
  bool add(const ElementKey& key, uint32_t ttl_s, const Reason& reason, int64_t now_ns, bool& fresh);

  /** Those that no longer hold by `stands` go; and those whose time is over. */
  void revise(const std::function<bool(const ElementKey&, const std::string&)>& stands, int64_t now_ns);
  /** All that is, or only what the kernel did not take, to be written once more. */
  void repeat(int64_t now_ns, bool lost);
  /** What has to be written, each element once. */
  void take(int64_t now_ns, std::vector<SetChange>& changes);
  /** So many elements wait to be written. */
  size_t waiting() const { return queued_.size() + removed_.size(); }
  /** What became of a change. */
  void note(const SetChange& change, bool written, int64_t now_ns);

  template <typename Each>
  void each(Each&& call) const {
    for (const auto& [key, element] : all_) call(key, element);
  }
  size_t size() const { return all_.size(); }

 private:
  struct Hash {
    HashSecret secret;
    size_t of(const Owner& owner) const { return NumberHash{secret}(owner.mac) ^ IpHash{secret}(owner.ip) * 3; }
    size_t operator()(const ElementKey& key) const {
      return multiply_fold(IpHash{secret}(key.ip) ^ of(key.owner), secret.word[1] | 1) + key.kind;
    }
  };
  struct OwnerKey {
    Owner owner;
    bool shut;
    bool operator==(const OwnerKey& other) const { return owner == other.owner && shut == other.shut; }
  };
  struct OwnerHash {
    Hash hash;
    size_t operator()(const OwnerKey& key) const { return hash.of(key.owner) + key.shut; }
  };
  struct NameKey {
    Owner owner;
    uint8_t kind;
    std::string name;
    bool operator==(const NameKey& other) const {
      return owner == other.owner && kind == other.kind && name == other.name;
    }
  };
  struct NameHash {
    Hash hash;
    size_t operator()(const NameKey& key) const {
      const size_t name = std::hash<std::string_view>{}(key.name);
      return multiply_fold(name ^ hash.secret.word[0], hash.of(key.owner) ^ hash.secret.word[1]) + key.kind;
    }
  };
  using Map = std::unordered_map<ElementKey, Element, Hash>;

  bool has_room(const ElementKey& key) const;
  /** Makes room for one more address of a name. */
  void yield(const NameKey& name, int64_t now_ns);
  void keep_reason(const ElementKey& key, Element& element, const Reason& reason, int64_t now_ns);
  /** An asked name of an element goes. */
  void drop_name(const ElementKey& key, Element& element, size_t place);
  void unlink(const NameKey& name, const ElementKey& key);
  void remove(Map::iterator at, int64_t now_ns);
  Map::iterator erase(Map::iterator at);
  void queue(const ElementKey& key, Element& element);
  void sweep(int64_t now_ns);

  const Limits limits_;
  Map all_;
  std::unordered_map<OwnerKey, size_t, OwnerHash> per_owner_;
  /** Which elements are there because of a name that was asked for. */
  std::unordered_map<NameKey, std::vector<ElementKey>, NameHash> per_name_;
  size_t shut_ = 0;
  std::vector<ElementKey> queued_;
  std::vector<ElementKey> removed_;
  /** Until then elements may be there that another run of this program made, or whose writing failed. */
  int64_t doubt_ns_;
  int64_t swept_ns_ = 0;
};

}  // namespace homespin
