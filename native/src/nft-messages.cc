#include "nft-messages.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <cstring>

#include "bytes.h"

namespace homespin {

namespace {

/** Sequence numbers count from here, so that an answer to nothing of this is seen as such. */
constexpr uint32_t kFirstSequence = 1;

constexpr size_t padded(size_t size) { return (size + 3) & ~static_cast<size_t>(3); }

}  // namespace

void NftMessages::header(uint16_t type, uint16_t flags, uint8_t family, uint16_t resource) {
  last_ = bytes_.size();
  bytes_.resize(last_ + sizeof(nlmsghdr) + sizeof(nfgenmsg));
  nlmsghdr head{};
  head.nlmsg_len = sizeof(nlmsghdr) + sizeof(nfgenmsg);
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  head.nlmsg_seq = kFirstSequence + static_cast<uint32_t>(indexes_.size());
  nfgenmsg general{};
  general.nfgen_family = family;
  general.version = NFNETLINK_V0;
  general.res_id = htons(resource);
  std::memcpy(bytes_.data() + last_, &head, sizeof head);
  std::memcpy(bytes_.data() + last_ + sizeof head, &general, sizeof general);
}

void NftMessages::begin(uint32_t generation) {
  header(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  indexes_.push_back(-1);
  if (generation != 0) put_be32(NFNL_BATCH_GENID, generation);
}

void NftMessages::message(uint16_t type, uint8_t family, uint16_t flags, int32_t index) {
  header(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags, family, 0);
  indexes_.push_back(index);
}

void NftMessages::acknowledge() {
  if (bytes_.empty()) return;
  uint8_t* const at = bytes_.data() + last_ + offsetof(nlmsghdr, nlmsg_flags);
  store<uint16_t>(at, static_cast<uint16_t>(load<uint16_t>(at) | NLM_F_ACK));
}

void NftMessages::commit() {
  header(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  indexes_.push_back(-1);
}

void NftMessages::grown() {
  store<uint32_t>(bytes_.data() + last_, static_cast<uint32_t>(bytes_.size() - last_));
}

void NftMessages::put(uint16_t type, const void* data, size_t size) {
  const size_t at = bytes_.size();
  bytes_.resize(at + sizeof(nlattr) + padded(size));
  const nlattr head{static_cast<uint16_t>(sizeof(nlattr) + size), type};
  std::memcpy(bytes_.data() + at, &head, sizeof head);
  if (size > 0) std::memcpy(bytes_.data() + at + sizeof head, data, size);
  grown();
}

void NftMessages::put_text(uint16_t type, std::string_view text) {
  const size_t at = bytes_.size();
  bytes_.resize(at + sizeof(nlattr) + padded(text.size() + 1));
  const nlattr head{static_cast<uint16_t>(sizeof(nlattr) + text.size() + 1), type};
  std::memcpy(bytes_.data() + at, &head, sizeof head);
  std::memcpy(bytes_.data() + at + sizeof head, text.data(), text.size());
  grown();
}

void NftMessages::put_be16(uint16_t type, uint16_t value) {
  value = __builtin_bswap16(value);
  put(type, &value, sizeof value);
}

void NftMessages::put_be32(uint16_t type, uint32_t value) {
  value = __builtin_bswap32(value);
  put(type, &value, sizeof value);
}

void NftMessages::put_be64(uint16_t type, uint64_t value) {
  value = __builtin_bswap64(value);
  put(type, &value, sizeof value);
}

size_t NftMessages::nest(uint16_t type) {
  const size_t at = bytes_.size();
  put(static_cast<uint16_t>(type | NLA_F_NESTED), nullptr, 0);
  return at;
}

void NftMessages::end_nest(size_t nest) {
  store<uint16_t>(bytes_.data() + nest, static_cast<uint16_t>(bytes_.size() - nest));
}

int32_t NftMessages::index_of(uint32_t sequence) const {
  const uint32_t place = sequence - kFirstSequence;
  return place < indexes_.size() ? indexes_[place] : -1;
}

}  // namespace homespin
