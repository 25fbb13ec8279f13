#include "nft-changes.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>

namespace homespin {

namespace {

constexpr int kAttempts = 12;
/** More changes of one set with concatenated ranges than this: all of it is read at once. */
constexpr size_t kSingleReads = 100;
constexpr useconds_t kPauseUs = 2000;

/** First and last key in one. */
std::string range_of(const uint8_t* first, const uint8_t* last, size_t bytes) {
  std::string both(reinterpret_cast<const char*>(first), bytes);
  return both.append(reinterpret_cast<const char*>(last), bytes);
}

/** What is in some of the sets, followed through the changes of one transaction. */
using Present = std::map<uint32_t, std::set<std::string>>;

void put_key(NftMessages& messages, uint16_t type, const uint8_t* key, size_t bytes) {
  const size_t nest = messages.nest(type);
  messages.put(NFTA_DATA_VALUE, key, bytes);
  messages.end_nest(nest);
}

void put_element(NftMessages& messages, uint16_t type, const NftPlace& set, const NftChange& change,
                 int32_t index) {
  const bool add = type == NFT_MSG_NEWSETELEM;
  messages.message(type, set.family, add ? NLM_F_CREATE : 0, index);
  messages.put_text(NFTA_SET_ELEM_LIST_TABLE, set.table);
  messages.put_text(NFTA_SET_ELEM_LIST_SET, set.name);
  const size_t list = messages.nest(NFTA_SET_ELEM_LIST_ELEMENTS);
  const size_t element = messages.nest(NFTA_LIST_ELEM);
  put_key(messages, NFTA_SET_ELEM_KEY, change.first, change.key_bytes);
  if (change.kind == SetKind::kConcatenatedRanges) {
    put_key(messages, NFTA_SET_ELEM_KEY_END, change.last, change.key_bytes);
  }
  if (add && change.timeout_ms != 0) messages.put_be64(NFTA_SET_ELEM_TIMEOUT, change.timeout_ms);
  messages.end_nest(element);
  if (change.kind == SetKind::kRanges) {
    uint8_t behind[kMostKeyBytes];
    std::memcpy(behind, change.last, change.key_bytes);
    if (next_key(behind, change.key_bytes)) {
      const size_t end = messages.nest(NFTA_LIST_ELEM);
      messages.put_be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
      put_key(messages, NFTA_SET_ELEM_KEY, behind, change.key_bytes);
      messages.end_nest(end);
    }
  }
  messages.end_nest(list);
}

/** 0, ENOENT, or another errno. */
int find_set(NftSocket& socket, const NftPlace& set) {
  NftMessages question;
  question.message(NFT_MSG_GETSET, set.family, NLM_F_ACK);
  question.put_text(NFTA_SET_TABLE, set.table);
  question.put_text(NFTA_SET_NAME, set.name);
  return socket.ask(question, [](uint16_t, uint8_t, Span) {});
}

bool removes(const NftChange& change) {
  return change.what == NftChange::Do::kDelete ||
         (change.what == NftChange::Do::kAdd && change.replace);
}

}  // namespace

bool NftTransactions::can_destroy() {
  if (asked_ || !may_destroy_) return may_destroy_;
  // Deletes a table that is not there, and throws even that away: a kernel that does not know how says so.
  NftMessages messages;
  messages.begin();
  messages.message(kDestroyTable, NFPROTO_INET, 0);
  messages.put_text(NFTA_TABLE_NAME, "homespin_absent");
  messages.acknowledge();
  may_destroy_ = socket_.transact(messages).error == 0;
  asked_ = true;
  return may_destroy_;
}

bool NftTransactions::read_before(const NftChange& change) {
  return removes(change) && (change.kind != SetKind::kPlain || !can_destroy());
}

NftOutcome NftTransactions::apply(const std::vector<NftPlace>& places,
                                  const std::vector<NftChange>& changes) {
  if (changes.empty()) return {};
  NftOutcome outcome = attempt(places, changes);
  for (int i = 1; i < kAttempts; i++) {
    const bool absent = outcome.error == ENOENT && outcome.index >= 0 &&
                        read_before(changes[static_cast<size_t>(outcome.index)]);
    // Somebody was quicker, or an element's time was up between the two.
    if (outcome.error != ERESTART && outcome.error != EINTR && !absent) break;
    usleep(kPauseUs);
    outcome = attempt(places, changes);
  }
  return outcome;
}

NftOutcome NftTransactions::attempt(const std::vector<NftPlace>& places,
                                    const std::vector<NftChange>& changes) {
  NftOutcome outcome;
  outcome.error = socket_.open();
  if (outcome.error != 0) return outcome;
  uint32_t generation = 0;
  Present present;
  std::map<uint32_t, size_t> reads;
  for (const NftChange& change : changes) {
    if (read_before(change)) reads[change.place]++;
  }
  if (!reads.empty()) generation = nft_generation(socket_);
  for (size_t i = 0; i < changes.size(); i++) {
    const NftChange& change = changes[i];
    if (!read_before(change)) continue;
    const bool single =
        change.kind == SetKind::kConcatenatedRanges && reads[change.place] <= kSingleReads;
    if (!single && present.contains(change.place)) continue;
    std::vector<SetElement> elements;
    const NftPlace& set = places[change.place];
    if (single) {
      elements.resize(1);
      outcome.error =
          read_element(socket_, set, change.first, change.key_bytes, elements.front());
      if (outcome.error == ENOENT) {
        // Of a set that is not there, the transaction says so.
        outcome.error = 0;
        elements.clear();
      }
    } else {
      outcome.error = read_elements(socket_, set, change.kind, change.key_bytes, elements);
    }
    outcome.index = static_cast<int32_t>(i);
    if (outcome.error != 0) return outcome;
    std::set<std::string>& keys = present[change.place];
    for (const SetElement& each : elements) keys.insert(range_of(each.first, each.last, change.key_bytes));
  }
  outcome.index = -1;

  NftMessages messages;
  messages.begin(generation);
  bool any = false;
  for (size_t i = 0; i < changes.size(); i++) {
    const NftChange& change = changes[i];
    const NftPlace& place = places[change.place];
    const int32_t index = static_cast<int32_t>(i);
    if (change.what == NftChange::Do::kQueueRule) {
      put_queue_rule(messages, place, change.way, change.queue, change.bypass, index);
      any = true;
      continue;
    }
    const auto known = present.find(change.place);
    const std::string range =
        known == present.end() ? std::string() : range_of(change.first, change.last, change.key_bytes);
    if (removes(change)) {
      if (known == present.end()) {
        put_element(messages, kDestroySetElement, place, change, index);
        any = true;
      } else if (known->second.erase(range) > 0) {
        put_element(messages, NFT_MSG_DELSETELEM, place, change, index);
        any = true;
      }
    }
    if (change.what == NftChange::Do::kAdd) {
      put_element(messages, NFT_MSG_NEWSETELEM, place, change, index);
      if (known != present.end()) known->second.insert(range);
      any = true;
    }
  }
  if (!any) {
    // Nothing of it is there; but it is told where that is so because a set is gone.
    for (size_t i = 0; i < changes.size(); i++) {
      outcome.error = find_set(socket_, places[changes[i].place]);
      outcome.index = static_cast<int32_t>(i);
      if (outcome.error != 0) return outcome;
    }
    outcome.index = -1;
    return outcome;
  }
  messages.acknowledge();
  messages.commit();
  return socket_.transact(messages);
}

}  // namespace homespin
