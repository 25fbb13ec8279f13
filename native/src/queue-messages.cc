#include "queue-messages.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include "bytes.h"

namespace homespin {

namespace {

constexpr uint16_t kPacketType = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
constexpr size_t kHead = sizeof(nlmsghdr) + sizeof(nfgenmsg);
constexpr uint16_t kTypeMask = 0x3fff;  // NLA_TYPE_MASK

constexpr size_t aligned(size_t size) { return (size + 3) & ~size_t{3}; }

void read_attribute(uint16_t type, const uint8_t* data, size_t size, QueuedPacket& packet,
                    bool& known) {
  switch (type) {
    case NFQA_PACKET_HDR:
      if (size < sizeof(nfqnl_msg_packet_hdr)) return;
      packet.id = load<uint32_t>(data + offsetof(nfqnl_msg_packet_hdr, packet_id));
      known = true;
      return;
    case NFQA_MARK:
      if (size >= 4) packet.mark = be32(data);
      return;
    case NFQA_IFINDEX_INDEV:
      if (size >= 4) packet.in_interface = be32(data);
      return;
    case NFQA_HWADDR:
      if (size >= 10 && be16(data) == 6) packet.mac = data + 4;
      return;
    case NFQA_CAP_LEN:
      if (size >= 4) packet.length = be32(data);
      return;
    case NFQA_SKB_INFO:
      if (size >= 4) packet.gso = be32(data) & NFQA_SKB_GSO;
      return;
    case NFQA_PAYLOAD:
      packet.data = data;
      packet.captured = static_cast<uint32_t>(size);
      return;
    default:
      return;
  }
}

/** Writes the heads of a message about a queue; returns where its attributes begin. */
uint8_t* put_head(uint8_t* to, int type, uint16_t flags, uint16_t queue) {
  nlmsghdr head{};
  head.nlmsg_type = static_cast<uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type);
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  store(to, head);
  nfgenmsg about{};
  about.version = NFNETLINK_V0;
  about.res_id = __builtin_bswap16(queue);
  store(to + sizeof head, about);
  return to + kHead;
}

uint8_t* put_attribute(uint8_t* to, uint16_t type, const void* data, size_t size) {
  store(to, static_cast<uint16_t>(NLA_HDRLEN + size));
  store(to + 2, type);
  std::memcpy(to + NLA_HDRLEN, data, size);
  const size_t padding = aligned(size) - size;
  std::memset(to + NLA_HDRLEN + size, 0, padding);
  return to + NLA_HDRLEN + size + padding;
}

uint8_t* put_number(uint8_t* to, uint16_t type, uint32_t value) {
  const uint32_t network = __builtin_bswap32(value);
  return put_attribute(to, type, &network, sizeof network);
}

size_t seal(uint8_t* message, const uint8_t* end) {
  const size_t size = static_cast<size_t>(end - message);
  store(message, static_cast<uint32_t>(size));
  return size;
}

}  // namespace

QueueMessage read_queue_message(const uint8_t* at, size_t size, QueuedPacket& packet,
                                size_t& used) {
  packet = {};
  used = size;
  if (size < sizeof(nlmsghdr)) return QueueMessage::kOther;
  const nlmsghdr head = load<nlmsghdr>(at);
  if (head.nlmsg_len < sizeof head || head.nlmsg_len > size) return QueueMessage::kOther;
  if (aligned(head.nlmsg_len) < size) used = aligned(head.nlmsg_len);
  if (head.nlmsg_type == NLMSG_ERROR && head.nlmsg_len >= sizeof head + 4) {
    packet.id = static_cast<uint32_t>(-load<int32_t>(at + sizeof head));
    return QueueMessage::kError;
  }
  if (head.nlmsg_type != kPacketType || head.nlmsg_len < kHead) return QueueMessage::kOther;
  bool known = false;
  size_t next;
  for (size_t i = kHead; i + NLA_HDRLEN <= head.nlmsg_len; i = next) {
    const uint16_t length = load<uint16_t>(at + i);
    if (length < NLA_HDRLEN || length > head.nlmsg_len - i) break;
    read_attribute(load<uint16_t>(at + i + 2) & kTypeMask, at + i + NLA_HDRLEN,
                   length - size_t{NLA_HDRLEN}, packet, known);
    next = i + aligned(length);
  }
  if (packet.length < packet.captured) packet.length = packet.captured;
  return known ? QueueMessage::kPacket : QueueMessage::kOther;
}

size_t put_verdict(uint8_t* to, uint16_t queue, uint32_t id, bool accept, const uint32_t* mark,
                   const uint8_t* payload, size_t payload_bytes) {
  uint8_t* at = put_head(to, NFQNL_MSG_VERDICT, 0, queue);
  nfqnl_msg_verdict_hdr verdict;
  verdict.verdict = __builtin_bswap32(accept ? NF_ACCEPT : NF_DROP);
  verdict.id = id;
  at = put_attribute(at, NFQA_VERDICT_HDR, &verdict, sizeof verdict);
  if (mark != nullptr) at = put_number(at, NFQA_MARK, *mark);
  if (payload != nullptr) at = put_attribute(at, NFQA_PAYLOAD, payload, payload_bytes);
  return seal(to, at);
}

size_t put_queue_setup(uint8_t* to, uint16_t queue, uint32_t copy_bytes, uint32_t max_length) {
  uint8_t* at = put_head(to, NFQNL_MSG_CONFIG, NLM_F_ACK, queue);
  nfqnl_msg_config_cmd command{};
  command.command = NFQNL_CFG_CMD_BIND;
  at = put_attribute(at, NFQA_CFG_CMD, &command, sizeof command);
  const size_t first = seal(to, at);
  uint8_t* const second = at;
  at = put_head(second, NFQNL_MSG_CONFIG, NLM_F_ACK, queue);
  nfqnl_msg_config_params params{};
  params.copy_range = __builtin_bswap32(copy_bytes);
  params.copy_mode = NFQNL_COPY_PACKET;
  at = put_attribute(at, NFQA_CFG_PARAMS, &params, sizeof params);
  at = put_number(at, NFQA_CFG_QUEUE_MAXLEN, max_length);
  // A full queue lets packets pass, and super-packets stay whole: else queued TCP falls to a tenth of its speed.
  constexpr uint32_t kFlags = NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO;
  at = put_number(at, NFQA_CFG_FLAGS, kFlags);
  at = put_number(at, NFQA_CFG_MASK, kFlags);
  return first + seal(second, at);
}

}  // namespace homespin
