// Elements of nftables sets whose key is a MAC and an address (or an address alone), by a netlink socket of its own: each call is one transaction, and
// has been carried out when it returns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device-index.h"

namespace homespin {

/** One element that comes or goes. */
struct SetChange {
  /** 0: of everybody. */
  uint64_t mac;
  Ip ip;
  uint8_t kind;
  /** It is there already, as far as we know: taken out first, as older kernels can't lengthen a time-out. */
  bool present;
  /** It only has to be there: whatever time-out it has, if it has one, stays. */
  bool keep;
  /** It only goes. */
  bool remove;
  uint32_t timeout_ms;
};

/** The kernel's sets. */
class ElementSink {
 public:
  virtual ~ElementSink() = default;
  /** Carries out all of them, or as many as can be; returns how many could not. Those have `timeout_ms` 0 afterwards. */
  virtual size_t write(std::vector<SetChange>& changes) = 0;
  /** For so long these interfaces are in the set of those that are served. `anew`: the set was made anew, it may be empty. */
  virtual void serve(const std::vector<std::string>& interfaces, uint32_t timeout_ms, bool anew) = 0;
};

/** A set that elements of a kind go into; the same element goes into every set that fits. */
struct SetTarget {
  /** NFPROTO_… */
  uint8_t family;
  uint8_t kind;
  bool ipv6;
  /** Its key is an address alone. */
  bool everyone;
  std::string table;
  std::string set;

  bool takes(const SetChange& change) const {
    return kind == change.kind && ipv6 == (change.ip.ipv6 != 0) && everyone == (change.mac == 0);
  }
};

/** The set of interfaces that are served; without a name there is none. */
struct ServedSet {
  uint8_t family = 0;
  std::string table;
  std::string set;
};

/**
 * Writes the messages of one transaction; returns their number. The last before its end asks for an acknowledgement. 2: there
 * was nothing to write.
 */
size_t put_set_changes(std::vector<uint8_t>& to, const std::vector<SetTarget>& targets,
                       const SetChange* changes, size_t count, uint32_t first_sequence);

class SetWriter final : public ElementSink {
 public:
  explicit SetWriter(std::vector<SetTarget> targets, ServedSet served = {});
  ~SetWriter() override;
  SetWriter(const SetWriter&) = delete;
  SetWriter& operator=(const SetWriter&) = delete;

  /** Empty, or why not. */
  std::string open();
  /** Of the socket, as others are told who changed something; 0 before it is open. */
  uint32_t port() const;
  size_t write(std::vector<SetChange>& changes) override;
  void serve(const std::vector<std::string>& interfaces, uint32_t timeout_ms, bool anew) override;

 private:
  /** Sends what is in `out_`; 0, or the first error's number. */
  int exchange(uint32_t first, size_t messages);
  int put_served(const std::vector<std::string>& interfaces, uint32_t timeout_ms, bool present);
  /** 0, or the first error's number. */
  int transact(const std::vector<SetTarget>& targets, const SetChange* changes, size_t count);
  bool one(const SetChange& change);
  bool one(const SetTarget& target, SetChange change);

  const std::vector<SetTarget> targets_;
  const ServedSet served_;
  bool serves_ = false;
  int fd_ = -1;
  uint32_t sequence_ = 1;
  std::vector<uint8_t> out_;
};

}  // namespace homespin
