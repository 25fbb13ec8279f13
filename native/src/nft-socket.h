// A socket to nf_tables (NETLINK_NETFILTER): transactions, and questions with their answers. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "nft-attributes.h"
#include "nft-messages.h"

namespace homespin {

/** How a transaction ended. */
struct NftOutcome {
  /** 0: it is done. Else nothing of it is. */
  int error = 0;
  /** Of the message that failed, as it was given; below zero where the kernel does not say. */
  int32_t index = -1;
  /** The kernel's own words, often empty. */
  std::string detail;
};

class NftSocket {
 public:
  NftSocket() = default;
  ~NftSocket();
  NftSocket(const NftSocket&) = delete;
  NftSocket& operator=(const NftSocket&) = delete;

  /** 0, or the errno. Again: does nothing. */
  int open();
  /** Its netlink address, which the kernel names as the author of a new generation. 0 before it is open. */
  uint32_t port() const { return port_; }

  /** Carries out what was begun and committed; the kernel has answered when this returns. */
  NftOutcome transact(NftMessages& messages);

  /** Of each message of an answer: its type (of nf_tables.h), its family, its attributes. */
  using Each = std::function<void(uint16_t type, uint8_t family, Span attributes)>;
  /** One question. 0, or the errno; EINTR: the ruleset changed meanwhile, so what came is to be thrown away. */
  int ask(NftMessages& question, const Each& each);
  /** Nothing of an answer is still to come. */
  bool idle() const { return idle_; }

 private:
  ssize_t receive(int flags);
  bool send(const NftMessages& messages);

  int fd_ = -1;
  uint32_t port_ = 0;
  size_t send_room_ = 0;
  bool idle_ = true;
  std::unique_ptr<uint8_t[]> buffer_;
};

/** The generation that the ruleset is at; 0 where that fails. */
uint32_t nft_generation(NftSocket& socket);

}  // namespace homespin
