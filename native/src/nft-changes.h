// Changes of sets and added rules as one transaction of nf_tables.
#pragma once

#include <cstdint>
#include <vector>

#include "nft-elements.h"
#include "nft-rules.h"
#include "nft-socket.h"

namespace homespin {

struct NftChange {
  enum class Do : uint8_t { kAdd = 0, kDelete = 1, kQueueRule = 2 };

  Do what = Do::kAdd;
  /** Which of the places it is about: a set, or for a rule the chain. */
  uint32_t place = 0;
  SetKind kind = SetKind::kPlain;
  /** An element that is there is replaced, so that its time begins anew. */
  bool replace = false;
  uint8_t key_bytes = 0;
  uint8_t first[kMostKeyBytes];
  uint8_t last[kMostKeyBytes];
  /** 0: without an end. */
  uint64_t timeout_ms = 0;
  QueueWay way = QueueWay::kNft;
  bool bypass = true;
  uint16_t queue = 0;
};

class NftTransactions {
 public:
  /** `old`: as on a kernel before Linux 6.3, which can't delete what may be absent. For tests. */
  explicit NftTransactions(bool old) : may_destroy_(!old) {}

  /**
   * All of it, or nothing. Deleting what is not there is no error: the kernel is asked to overlook it. For ranges (of which it
   * would take the ends one by one, or another one that holds the first key) and before Linux 6.3, what is there is read
   * first, and the transaction holds only if nobody changed anything since.
   */
  NftOutcome apply(const std::vector<NftPlace>& places, const std::vector<NftChange>& changes);

  NftSocket& socket() { return socket_; }

 private:
  bool can_destroy();
  /** Whether what is in its set has to be known for it. */
  bool read_before(const NftChange& change);
  NftOutcome attempt(const std::vector<NftPlace>& places, const std::vector<NftChange>& changes);

  NftSocket socket_;
  bool may_destroy_;
  bool asked_ = false;
};

}  // namespace homespin
