// Marks of connections that run (conntrack), taken back by ctnetlink: what a connection was once allowed for may no longer hold.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "device-index.h"

namespace homespin {

/** Takes bits of a mark from all connections but those that were begun by some addresses. */
struct MarkOrder {
  uint32_t mark;
  std::vector<Ip> keep;
};

/** What came of it: so many had the mark; `error` is empty, or why it could not be done, for a person. */
struct MarksTaken {
  uint32_t count = 0;
  std::string error;
};

class ConnectionMarks {
 public:
  virtual ~ConnectionMarks() = default;
  virtual MarksTaken take(const MarkOrder& order) = 0;
};

class ConntrackMarks final : public ConnectionMarks {
 public:
  ConntrackMarks() = default;
  ~ConntrackMarks() override;
  ConntrackMarks(const ConntrackMarks&) = delete;
  ConntrackMarks& operator=(const ConntrackMarks&) = delete;

  MarksTaken take(const MarkOrder& order) override;

 private:
  /** 0 or the errno. Again: does nothing. */
  int open();
  void close();
  /** Of one IP version; 0 or the errno. The messages that change what was found come to `changes_`. */
  int find(uint8_t family, const MarkOrder& order, const std::unordered_set<Ip, IpHash>& keep);
  int change();

  struct Change {
    uint8_t family;
    /** Attributes that name the connection, as they came. */
    std::vector<uint8_t> name;
  };
  /** Kept: the kernel lets nobody change nftables while it closes such a socket, see nft-sockets.h. */
  int fd_ = -1;
  std::vector<Change> changes_;
  uint32_t sequence_ = 1;
  uint32_t mark_ = 0;
};

}  // namespace homespin
