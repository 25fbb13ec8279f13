// What this kernel's nf_tables can do, tried for real. Most of it in transactions that are never committed, so that nothing of
// them is ever there. Queues in a table that sleeps, sees no packet and is deleted at once: some kernels refuse them only
// when the transaction is committed.
#pragma once

#include <string>
#include <vector>

#include "nft-rules.h"
#include "nft-socket.h"

namespace homespin {

/** One try, by what it needs; `error` 0: it works. */
struct NftProbe {
  enum class What : uint8_t { kTables, kBridge, kBridgeConntrack, kEgress, kQueueNft, kQueueXt };

  What what;
  /** NFPROTO_INET or NFPROTO_BRIDGE; of queues. */
  uint8_t family;
  /** Of egress. */
  std::string interface;
  int error = 0;
  std::string detail;
};

void try_probe(NftSocket& socket, NftProbe& probe);

}  // namespace homespin
