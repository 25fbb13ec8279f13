// Elements of nftables sets whose key is a device (by MAC or by address) and an address, or an address alone, by a netlink
// socket of its own: each call has been carried out when it returns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device-index.h"

namespace homespin {

/** Whose an element is: of a device by its MAC, of one that is known by an address alone, or with neither of everybody. */
struct Owner {
  uint64_t mac = 0;
  Ip ip{};
  bool by_ip() const { return mac == 0 && (ip.word[0] | ip.word[1]) != 0; }
  bool everyone() const { return mac == 0 && !by_ip(); }
  bool operator==(const Owner& other) const { return mac == other.mac && ip == other.ip; }
};

/** One element that comes or goes. */
struct SetChange {
  Owner owner;
  Ip ip;
  uint8_t kind;
  /** It is surely not there. Else what may be there is taken out first, as older kernels can't change a time-out. */
  bool fresh;
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

/** What stands before the address in the key of a set. */
enum class SetKey : uint8_t { kMac, kIp, kNothing };

/** A set that elements of a kind go into; the same element goes into every set that fits. */
struct SetTarget {
  /** NFPROTO_… */
  uint8_t family;
  uint8_t kind;
  bool ipv6;
  SetKey key;
  std::string table;
  std::string set;

  bool takes(const SetChange& change) const {
    const SetKey has = change.owner.everyone() ? SetKey::kNothing : change.owner.by_ip() ? SetKey::kIp : SetKey::kMac;
    return kind == change.kind && ipv6 == (change.ip.ipv6 != 0) && key == has;
  }
};

/** The set of interfaces that are served; without a name there is none. */
struct ServedSet {
  uint8_t family = 0;
  std::string table;
  std::string set;
};

/** The messages of one transaction, between that of its beginning and that of its end. */
struct SetBatch {
  std::vector<uint8_t> bytes;
  /** Of each message the change and the set that it is for: place of the change × number of sets + place of the set. */
  std::vector<size_t> pairs;
};

/** Writes a transaction without those pairs that are `left_out`. The last message before its end asks for an acknowledgement. */
void put_set_changes(SetBatch& batch, const std::vector<SetTarget>& targets, const SetChange* changes, size_t count,
                     const std::vector<bool>& left_out, uint32_t first_sequence);

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
  /** Sends what is in `batch_`; 0, or the first error's number. Places of messages that failed come to `failed_`. */
  int exchange();
  int put_served(const std::vector<std::string>& interfaces, uint32_t timeout_ms, bool present);
  void write_some(SetChange* changes, size_t count);

  const std::vector<SetTarget> targets_;
  const ServedSet served_;
  bool serves_ = false;
  int fd_ = -1;
  uint32_t sequence_ = 1;
  SetBatch batch_;
  std::vector<size_t> failed_;
  /** Transactions that may still fail before the rest of a call is given up. */
  uint32_t patience_ = 0;
};

}  // namespace homespin
