#include "set-writer.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "bytes.h"

namespace homespin {

namespace {

/** A commit can wait for another program's; longer than this nobody who asked for a name waits either. */
constexpr int kAnswerMs = 1000;
/** Elements of one transaction. */
constexpr size_t kAtOnce = 256;
/** A transaction that fails costs the kernel tens of milliseconds; no call waits for more of them. */
constexpr uint32_t kMostFailures = 6;

class Message {
 public:
  Message(std::vector<uint8_t>& to, uint16_t type, uint16_t flags, uint32_t sequence, uint8_t family,
          uint16_t resource)
      : to_(to), start_(to.size()) {
    nlmsghdr head{};
    head.nlmsg_type = type;
    head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    head.nlmsg_seq = sequence;
    put(&head, sizeof head);
    nfgenmsg about{};
    about.nfgen_family = family;
    about.version = NFNETLINK_V0;
    about.res_id = __builtin_bswap16(resource);
    put(&about, sizeof about);
  }
  ~Message() { store(to_.data() + start_, static_cast<uint32_t>(to_.size() - start_)); }

  void attribute(uint16_t type, const void* data, size_t size) {
    head(type, size);
    put(data, size);
    to_.resize((to_.size() + 3) & ~size_t{3});
  }
  void text(uint16_t type, const std::string& value) { attribute(type, value.c_str(), value.size() + 1); }
  size_t begin(uint16_t type) {
    const size_t at = to_.size();
    head(type | NLA_F_NESTED, 0);
    return at;
  }
  void end(size_t at) { store(to_.data() + at, static_cast<uint16_t>(to_.size() - at)); }

 private:
  void head(int type, size_t size) {
    const uint16_t words[2] = {static_cast<uint16_t>(NLA_HDRLEN + size), static_cast<uint16_t>(type)};
    put(words, sizeof words);
  }
  void put(const void* data, size_t size) {
    const uint8_t* const from = static_cast<const uint8_t*>(data);
    to_.insert(to_.end(), from, from + size);
  }

  std::vector<uint8_t>& to_;
  const size_t start_;
};

void put_key(std::vector<uint8_t>& to, uint8_t family, const std::string& table, const std::string& set,
             bool remove, uint16_t flags, uint32_t sequence, const uint8_t* value, size_t size,
             uint32_t timeout_ms) {
  const int verb = remove ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM;
  Message message(to, static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | verb), flags, sequence,
                  family, 0);
  message.text(NFTA_SET_ELEM_LIST_TABLE, table);
  message.text(NFTA_SET_ELEM_LIST_SET, set);
  const size_t list = message.begin(NFTA_SET_ELEM_LIST_ELEMENTS);
  const size_t element = message.begin(NFTA_LIST_ELEM);
  const size_t key = message.begin(NFTA_SET_ELEM_KEY);
  message.attribute(NFTA_DATA_VALUE, value, size);
  message.end(key);
  if (!remove) {
    const uint64_t timeout = __builtin_bswap64(timeout_ms);
    message.attribute(NFTA_SET_ELEM_TIMEOUT, &timeout, sizeof timeout);
  }
  message.end(element);
  message.end(list);
}

/** Of the time that an element is there only to be taken out again. */
constexpr uint32_t kMomentMs = 1000;

void put_element(std::vector<uint8_t>& to, const SetTarget& target, const SetChange& change,
                 bool remove, uint32_t sequence, uint32_t timeout_ms) {
  // Each part of a key fills whole words of four bytes.
  uint8_t value[32] = {};
  size_t before = 0;
  if (target.key == SetKey::kMac) {
    std::memcpy(value, &change.owner.mac, 6);
    before = 8;
  } else if (target.key == SetKey::kIp) {
    before = change.owner.ip.ipv6 ? 16 : 4;
    std::memcpy(value, change.owner.ip.word, before);
  }
  const size_t bytes = change.ip.ipv6 ? 16 : 4;
  std::memcpy(value + before, change.ip.word, bytes);
  // Without NLM_F_EXCL what is there already is no error.
  put_key(to, target.family, target.table, target.set, remove, remove ? 0 : NLM_F_CREATE, sequence, value,
          before + bytes, timeout_ms);
}

void ask_for_answer(std::vector<uint8_t>& to, size_t message) {
  uint8_t* const flags = to.data() + message + offsetof(nlmsghdr, nlmsg_flags);
  store<uint16_t>(flags, load<uint16_t>(flags) | NLM_F_ACK);
}

}  // namespace

void put_set_changes(SetBatch& batch, const std::vector<SetTarget>& targets, const SetChange* changes, size_t count,
                     const std::vector<bool>& left_out, uint32_t first_sequence) {
  std::vector<uint8_t>& to = batch.bytes;
  uint32_t sequence = first_sequence;
  Message(to, NFNL_MSG_BATCH_BEGIN, 0, sequence++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  size_t last = 0;
  size_t pair = 0;
  const auto put = [&](const SetTarget& target, const SetChange& change, bool remove, uint32_t timeout_ms) {
    last = to.size();
    batch.pairs.push_back(pair);
    put_element(to, target, change, remove, sequence++, timeout_ms);
  };
  for (size_t i = 0; i < count; i++) {
    const SetChange& change = changes[i];
    for (size_t t = 0; t < targets.size(); t++) {
      const SetTarget& target = targets[t];
      pair = i * targets.size() + t;
      if (!target.takes(change) || (!left_out.empty() && left_out[pair])) continue;
      // What is put in first can be taken out for sure: to take out what is not there fails, and all with it.
      if (change.remove || (!change.fresh && !change.keep)) {
        put(target, change, false, kMomentMs);
        put(target, change, true, 0);
      }
      if (!change.remove) put(target, change, false, change.timeout_ms);
    }
  }
  if (last != 0) ask_for_answer(to, last);
  Message(to, NFNL_MSG_BATCH_END, 0, sequence++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

SetWriter::SetWriter(std::vector<SetTarget> targets, ServedSet served)
    : targets_(std::move(targets)), served_(std::move(served)) {}

SetWriter::~SetWriter() {
  if (fd_ >= 0) close(fd_);
}

std::string SetWriter::open() {
  fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (fd_ < 0 || connect(fd_, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) != 0) {
    return std::string("a netlink socket for sets can't be opened: ") + std::strerror(errno);
  }
  // Room for an answer to each message of a transaction, each without the message itself.
  const int on = 1;
  const int room = 1 << 21;
  setsockopt(fd_, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  return {};
}

uint32_t SetWriter::port() const {
  sockaddr_nl own{};
  socklen_t size = sizeof own;
  if (fd_ < 0 || getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size) != 0) return 0;
  return own.nl_pid;
}

int SetWriter::exchange() {
  failed_.clear();
  const uint32_t first = sequence_;
  // Those between the beginning and the end.
  const uint32_t acknowledged = first + static_cast<uint32_t>(batch_.pairs.size());
  sequence_ = acknowledged + 2;
  if (send(fd_, batch_.bytes.data(), batch_.bytes.size(), 0) < 0) return errno;
  int error = 0;
  for (;;) {
    // The kernel has answered when `send` returns; waiting is for what we do not know.
    pollfd poll_for{fd_, POLLIN, 0};
    if (poll(&poll_for, 1, kAnswerMs) <= 0) return error != 0 ? error : ETIMEDOUT;
    alignas(8) uint8_t answer[16384];
    const ssize_t got = recv(fd_, answer, sizeof answer, MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return errno;
    }
    size_t left = static_cast<size_t>(got);
    for (const uint8_t* at = answer; left >= sizeof(nlmsghdr);) {
      const nlmsghdr head = load<nlmsghdr>(at);
      if (head.nlmsg_len < sizeof head || head.nlmsg_len > left) break;
      const bool ours = head.nlmsg_seq - first <= acknowledged - first;
      if (ours && head.nlmsg_type == NLMSG_ERROR && head.nlmsg_len >= sizeof head + 4) {
        const int number = -load<int32_t>(at + sizeof head);
        if (number != 0 && error == 0) error = number;
        // The kernel tells of every message that failed, in their order. An error of the whole comes alone, with the number
        // of its beginning.
        if (number != 0 && head.nlmsg_seq != first) failed_.push_back(head.nlmsg_seq - first - 1);
        if (head.nlmsg_seq == acknowledged || (number != 0 && head.nlmsg_seq == first)) return error;
      }
      const size_t step = std::min<size_t>((head.nlmsg_len + 3) & ~3u, left);
      at += step;
      left -= step;
    }
  }
}

/** Takes what fails out of a transaction until it holds; halves it where the kernel does not say what failed. */
void SetWriter::write_some(SetChange* changes, size_t count) {
  const auto give_up = [](SetChange& change) { change.timeout_ms = 0; };
  std::vector<bool> left_out(count * targets_.size());
  for (;;) {
    batch_.bytes.clear();
    batch_.pairs.clear();
    put_set_changes(batch_, targets_, changes, count, left_out, sequence_);
    if (batch_.pairs.empty() || exchange() == 0) break;
    if (patience_ == 0) {
      std::for_each(changes, changes + count, give_up);
      return;
    }
    patience_--;
    bool told = false;
    for (const size_t message : failed_) {
      if (message >= batch_.pairs.size()) continue;
      const size_t pair = batch_.pairs[message];
      told = told || !left_out[pair];
      left_out[pair] = true;
    }
    if (told) continue;
    if (count == 1) return give_up(*changes);
    write_some(changes, count / 2);
    return write_some(changes + count / 2, count - count / 2);
  }
  for (size_t pair = 0; pair < left_out.size(); pair++) {
    if (left_out[pair]) give_up(changes[pair / targets_.size()]);
  }
}

size_t SetWriter::write(std::vector<SetChange>& changes) {
  if (fd_ < 0) return 0;
  patience_ = kMostFailures;
  for (size_t at = 0; at < changes.size(); at += kAtOnce) {
    write_some(&changes[at], std::min(kAtOnce, changes.size() - at));
  }
  // What could not be taken out was not there, or its set is gone.
  return static_cast<size_t>(std::count_if(changes.begin(), changes.end(), [](const SetChange& change) {
    return change.timeout_ms == 0 && !change.remove;
  }));
}

int SetWriter::put_served(const std::vector<std::string>& interfaces, uint32_t timeout_ms, bool present) {
  batch_.bytes.clear();
  batch_.pairs.clear();
  std::vector<uint8_t>& to = batch_.bytes;
  uint32_t sequence = sequence_;
  Message(to, NFNL_MSG_BATCH_BEGIN, 0, sequence++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  size_t last = 0;
  const auto put = [&](const uint8_t* key, bool remove) {
    last = to.size();
    batch_.pairs.push_back(0);
    put_key(to, served_.family, served_.table, served_.set, remove, remove ? 0 : NLM_F_CREATE, sequence++, key,
            IFNAMSIZ, timeout_ms);
  };
  for (const std::string& name : interfaces) {
    uint8_t key[IFNAMSIZ] = {};
    std::memcpy(key, name.data(), std::min<size_t>(name.size(), IFNAMSIZ - 1));
    if (present) put(key, true);
    put(key, false);
  }
  ask_for_answer(to, last);
  Message(to, NFNL_MSG_BATCH_END, 0, sequence++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  return exchange();
}

void SetWriter::serve(const std::vector<std::string>& interfaces, uint32_t timeout_ms, bool anew) {
  if (fd_ < 0 || served_.set.empty() || interfaces.empty()) return;
  // A transaction that fails costs the kernel tens of milliseconds, so it is not tried where it is likely to; what is there
  // all the same keeps its time for this once.
  const bool again = serves_ && !anew && put_served(interfaces, timeout_ms, true) == 0;
  // Their time was over, or others have emptied the set; where the set itself is gone it comes back with them.
  serves_ = again || put_served(interfaces, timeout_ms, false) == 0;
}

}  // namespace homespin
