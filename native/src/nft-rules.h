// Expressions and rules that nft's text can't say everywhere: packets to user space, by nft's `queue` or by the xt target.
#pragma once

#include <cstdint>
#include <string>

#include "nft-messages.h"

namespace homespin {

/** How packets are put to user space. */
enum class QueueWay : uint8_t {
  /** nft's own `queue` expression (CONFIG_NFT_QUEUE). */
  kNft = 0,
  /** The xt target NFQUEUE, revision 3, through nft_compat. */
  kXt = 1,
};

/** Names of a chain, or of a set, with the family (NFPROTO_…) of their table. */
struct NftPlace {
  uint8_t family = 0;
  std::string table;
  std::string name;
};

/** Adds a rule at the end of a chain whose only statement is the queue verdict. */
void put_queue_rule(NftMessages& messages, const NftPlace& chain, QueueWay way, uint16_t queue,
                    bool bypass, int32_t index);

/** Adds a table; one that is there already is no error. `dormant`: none of its chains sees a packet. */
void put_table(NftMessages& messages, uint8_t family, const std::string& table, bool dormant = false);

/** Deletes a table that is there. */
void put_table_deletion(NftMessages& messages, uint8_t family, const std::string& table);

/** Adds a filter chain at a hook; `device` only for family netdev. */
void put_base_chain(NftMessages& messages, const NftPlace& chain, uint32_t hook, int32_t priority,
                    const std::string& device = {});

/** Adds a rule that loads the state of the packet's connection and does nothing with it. */
void put_conntrack_rule(NftMessages& messages, const NftPlace& chain);

}  // namespace homespin
