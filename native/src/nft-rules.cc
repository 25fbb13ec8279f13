#include "nft-rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netlink.h>

#include <cstring>

namespace homespin {

namespace {

/** Sizes of xt structures are multiples of this (XT_ALIGN). */
constexpr size_t kXtAlignment = 8;

/** One rule with one expression, whose attributes `put` writes. */
template <typename Put>
void put_rule(NftMessages& messages, const NftPlace& chain, const char* expression, int32_t index,
              Put put) {
  messages.message(NFT_MSG_NEWRULE, chain.family, NLM_F_CREATE | NLM_F_APPEND, index);
  messages.put_text(NFTA_RULE_TABLE, chain.table);
  messages.put_text(NFTA_RULE_CHAIN, chain.name);
  const size_t list = messages.nest(NFTA_RULE_EXPRESSIONS);
  const size_t element = messages.nest(NFTA_LIST_ELEM);
  messages.put_text(NFTA_EXPR_NAME, expression);
  const size_t data = messages.nest(NFTA_EXPR_DATA);
  put();
  messages.end_nest(data);
  messages.end_nest(element);
  messages.end_nest(list);
}

}  // namespace

void put_queue_rule(NftMessages& messages, const NftPlace& chain, QueueWay way, uint16_t queue,
                    bool bypass, int32_t index) {
  if (way == QueueWay::kNft) {
    put_rule(messages, chain, "queue", index, [&] {
      messages.put_be16(NFTA_QUEUE_NUM, queue);
      messages.put_be16(NFTA_QUEUE_TOTAL, 1);
      messages.put_be16(NFTA_QUEUE_FLAGS, bypass ? NFT_QUEUE_FLAG_BYPASS : 0);
    });
    return;
  }
  put_rule(messages, chain, "target", index, [&] {
    const xt_NFQ_info_v3 target{queue, 1, static_cast<uint16_t>(bypass ? NFQ_FLAG_BYPASS : 0)};
    static_assert(sizeof target <= kXtAlignment);
    uint8_t info[kXtAlignment] = {};
    std::memcpy(info, &target, sizeof target);
    messages.put_text(NFTA_TARGET_NAME, "NFQUEUE");
    messages.put_be32(NFTA_TARGET_REV, 3);
    messages.put(NFTA_TARGET_INFO, info, sizeof info);
  });
}

void put_table(NftMessages& messages, uint8_t family, const std::string& table, bool dormant) {
  messages.message(NFT_MSG_NEWTABLE, family, NLM_F_CREATE);
  messages.put_text(NFTA_TABLE_NAME, table);
  if (dormant) messages.put_be32(NFTA_TABLE_FLAGS, NFT_TABLE_F_DORMANT);
}

void put_table_deletion(NftMessages& messages, uint8_t family, const std::string& table) {
  messages.message(NFT_MSG_DELTABLE, family, 0);
  messages.put_text(NFTA_TABLE_NAME, table);
}

void put_base_chain(NftMessages& messages, const NftPlace& chain, uint32_t hook, int32_t priority,
                    const std::string& device) {
  messages.message(NFT_MSG_NEWCHAIN, chain.family, NLM_F_CREATE);
  messages.put_text(NFTA_CHAIN_TABLE, chain.table);
  messages.put_text(NFTA_CHAIN_NAME, chain.name);
  const size_t at = messages.nest(NFTA_CHAIN_HOOK);
  messages.put_be32(NFTA_HOOK_HOOKNUM, hook);
  messages.put_be32(NFTA_HOOK_PRIORITY, static_cast<uint32_t>(priority));
  if (!device.empty()) messages.put_text(NFTA_HOOK_DEV, device);
  messages.end_nest(at);
  messages.put_text(NFTA_CHAIN_TYPE, "filter");
}

void put_conntrack_rule(NftMessages& messages, const NftPlace& chain) {
  put_rule(messages, chain, "ct", -1, [&] {
    messages.put_be32(NFTA_CT_DREG, NFT_REG_1);
    messages.put_be32(NFTA_CT_KEY, NFT_CT_STATE);
  });
}

}  // namespace homespin
