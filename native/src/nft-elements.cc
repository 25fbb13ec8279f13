#include "nft-elements.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_set>

namespace homespin {

namespace {

constexpr int kAttempts = 12;
constexpr useconds_t kPauseUs = 3000;

/** Before pairing: where an interval begins, or what comes right after it. */
struct Read {
  SetElement element;
  bool end;
};

bool copy_key(Span data, size_t key_bytes, uint8_t* to) {
  const Span value = NftAttributes<NFTA_DATA_VALUE>(data)[NFTA_DATA_VALUE];
  if (value.size < key_bytes) return false;
  std::memcpy(to, value.data, key_bytes);
  return true;
}

void read_counter(Span expression, SetElement& to) {
  const NftAttributes<NFTA_EXPR_DATA> attributes(expression);
  if (attributes[NFTA_EXPR_NAME].text() != "counter") return;
  const NftAttributes<NFTA_COUNTER_PACKETS> counter(attributes[NFTA_EXPR_DATA]);
  to.packets = counter[NFTA_COUNTER_PACKETS].long_number();
  to.bytes = counter[NFTA_COUNTER_BYTES].long_number();
}

void read_one(Span from, size_t key_bytes, std::vector<Read>& to) {
  const NftAttributes<NFTA_SET_ELEM_EXPRESSIONS> attributes(from);
  const uint32_t flags = attributes[NFTA_SET_ELEM_FLAGS].number();
  if (flags & NFT_SET_ELEM_CATCHALL) return;
  Read read{};
  read.end = flags & NFT_SET_ELEM_INTERVAL_END;
  if (!copy_key(attributes[NFTA_SET_ELEM_KEY], key_bytes, read.element.first)) return;
  if (!copy_key(attributes[NFTA_SET_ELEM_KEY_END], key_bytes, read.element.last)) {
    std::memcpy(read.element.last, read.element.first, key_bytes);
  }
  const Span left = attributes[NFTA_SET_ELEM_EXPIRATION];
  read.element.remaining_ms = left ? left.long_number() : kForEver;
  if (attributes[NFTA_SET_ELEM_EXPR]) read_counter(attributes[NFTA_SET_ELEM_EXPR], read.element);
  each_attribute(attributes[NFTA_SET_ELEM_EXPRESSIONS],
                 [&](uint16_t, Span expression) { read_counter(expression, read.element); });
  to.push_back(read);
}

/** Each beginning with the end that follows it; what has no end goes to the last key. */
void pair(std::vector<Read>& all, size_t key_bytes, std::vector<SetElement>& elements) {
  std::sort(all.begin(), all.end(), [&](const Read& a, const Read& b) {
    const int order = std::memcmp(a.element.first, b.element.first, key_bytes);
    return order != 0 ? order < 0 : a.end && !b.end;
  });
  for (size_t i = 0; i < all.size(); i++) {
    if (all[i].end) continue;
    SetElement element = all[i].element;
    std::memset(element.last, 0xff, key_bytes);
    if (i + 1 < all.size()) {
      // The key before the next one.
      std::memcpy(element.last, all[i + 1].element.first, key_bytes);
      for (size_t at = key_bytes; at-- > 0 && element.last[at]-- == 0;) {
      }
    }
    elements.push_back(element);
  }
}

/**
 * Whether something came twice. A hash table that grows or shrinks while it is dumped is put in another order, and the kernel
 * goes on by counting: as many elements as come twice are then missing.
 */
bool repeats(const std::vector<Read>& all, size_t key_bytes) {
  std::unordered_set<std::string_view> seen[2];
  for (std::unordered_set<std::string_view>& each : seen) each.reserve(all.size());
  std::vector<uint8_t> both(all.size() * 2 * key_bytes);
  uint8_t* at = both.data();
  for (const Read& read : all) {
    std::memcpy(at, read.element.first, key_bytes);
    std::memcpy(at + key_bytes, read.element.last, key_bytes);
    const std::string_view key(reinterpret_cast<const char*>(at), 2 * key_bytes);
    if (!seen[read.end ? 1 : 0].insert(key).second) return true;
    at += 2 * key_bytes;
  }
  return false;
}

int read_answer(NftSocket& socket, NftMessages& question, size_t key_bytes, std::vector<Read>& all) {
  return socket.ask(question, [&](uint16_t type, uint8_t, Span attributes) {
    if (type != NFT_MSG_NEWSETELEM) return;
    const NftAttributes<NFTA_SET_ELEM_LIST_ELEMENTS> list(attributes);
    each_attribute(list[NFTA_SET_ELEM_LIST_ELEMENTS],
                   [&](uint16_t, Span element) { read_one(element, key_bytes, all); });
  });
}

int read_once(NftSocket& socket, const NftPlace& set, size_t key_bytes, std::vector<Read>& all) {
  NftMessages question;
  question.message(NFT_MSG_GETSETELEM, set.family, NLM_F_DUMP);
  question.put_text(NFTA_SET_ELEM_LIST_TABLE, set.table);
  question.put_text(NFTA_SET_ELEM_LIST_SET, set.name);
  return read_answer(socket, question, key_bytes, all);
}

}  // namespace

int read_elements(NftSocket& socket, const NftPlace& set, SetKind kind, size_t key_bytes,
                  std::vector<SetElement>& elements) {
  std::vector<Read> all;
  int error = EINTR;
  for (int i = 0; i < kAttempts && error == EINTR; i++) {
    if (i > 0) usleep(kPauseUs);
    all.clear();
    error = read_once(socket, set, key_bytes, all);
    if (error == 0 && repeats(all, key_bytes)) error = EINTR;
  }
  if (error != 0) return error;
  elements.clear();
  elements.reserve(all.size());
  if (kind == SetKind::kRanges) {
    pair(all, key_bytes, elements);
  } else {
    for (const Read& read : all) elements.push_back(read.element);
  }
  return 0;
}

int read_element(NftSocket& socket, const NftPlace& set, const uint8_t* key, size_t key_bytes,
                 SetElement& element) {
  NftMessages question;
  question.message(NFT_MSG_GETSETELEM, set.family, NLM_F_ACK);
  question.put_text(NFTA_SET_ELEM_LIST_TABLE, set.table);
  question.put_text(NFTA_SET_ELEM_LIST_SET, set.name);
  const size_t list = question.nest(NFTA_SET_ELEM_LIST_ELEMENTS);
  const size_t one = question.nest(NFTA_LIST_ELEM);
  for (const uint16_t type : {NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_KEY_END}) {
    const size_t nest = question.nest(type);
    question.put(NFTA_DATA_VALUE, key, key_bytes);
    question.end_nest(nest);
  }
  question.end_nest(one);
  question.end_nest(list);
  std::vector<Read> all;
  const int error = read_answer(socket, question, key_bytes, all);
  if (error != 0) return error;
  if (all.empty()) return ENOENT;
  element = all.front().element;
  return 0;
}

bool next_key(uint8_t* key, size_t bytes) {
  for (size_t at = bytes; at-- > 0;) {
    if (++key[at] != 0) return true;
  }
  return false;
}

}  // namespace homespin
