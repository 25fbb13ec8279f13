#include "nft-probes.h"

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

namespace homespin {

namespace {

/** Newer than the headers that this may be built with; Linux 5.16. */
constexpr uint32_t kNetdevEgress = 1;
constexpr char kTable[] = "homespin_probe";

}  // namespace

void try_probe(NftSocket& socket, NftProbe& probe) {
  using What = NftProbe::What;
  uint8_t family = probe.family;
  if (probe.what == What::kTables) family = NFPROTO_INET;
  if (probe.what == What::kBridge || probe.what == What::kBridgeConntrack) family = NFPROTO_BRIDGE;
  if (probe.what == What::kEgress) family = NFPROTO_NETDEV;
  const NftPlace chain{family, kTable, "probe"};
  uint32_t hook = family == NFPROTO_BRIDGE ? NF_BR_PRE_ROUTING : NF_INET_PRE_ROUTING;
  if (family == NFPROTO_NETDEV) hook = kNetdevEgress;

  NftMessages messages;
  messages.begin();
  const bool queue = probe.what == What::kQueueNft || probe.what == What::kQueueXt;
  if (queue) {
    // What somebody left who was killed in the middle.
    put_table(messages, family, kTable);
    put_table_deletion(messages, family, kTable);
  }
  put_table(messages, family, kTable, queue);
  put_base_chain(messages, chain, hook, -300, probe.interface);
  if (probe.what == What::kBridgeConntrack) put_conntrack_rule(messages, chain);
  if (queue) {
    const QueueWay way = probe.what == What::kQueueNft ? QueueWay::kNft : QueueWay::kXt;
    put_queue_rule(messages, chain, way, 0, true, -1);
  }
  messages.acknowledge();
  if (queue) messages.commit();
  const NftOutcome outcome = socket.transact(messages);
  probe.error = outcome.error;
  probe.detail = outcome.detail;
  if (!queue || probe.error != 0) return;

  NftMessages removal;
  removal.begin();
  put_table_deletion(removal, family, kTable);
  removal.acknowledge();
  removal.commit();
  socket.transact(removal);
}

}  // namespace homespin
