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

void put_element(std::vector<uint8_t>& to, const SetTarget& target, const SetChange& change,
                 bool remove, uint32_t sequence) {
  uint16_t flags = remove ? 0 : NLM_F_CREATE;
  // What is not known to be there and is there all the same has another time-out: then we want to hear of it.
  if (!remove && !change.present && !change.keep) flags |= NLM_F_EXCL;
  // Each part of a key fills whole words of four bytes.
  uint8_t value[24] = {};
  const size_t before = target.everyone ? 0 : 8;
  std::memcpy(value, &change.mac, 6);
  std::memcpy(value + before, change.ip.word, 16);
  put_key(to, target.family, target.table, target.set, remove, flags, sequence, value,
          before + (change.ip.ipv6 ? 16 : 4), change.timeout_ms);
}

void ask_for_answer(std::vector<uint8_t>& to, size_t message) {
  uint8_t* const flags = to.data() + message + offsetof(nlmsghdr, nlmsg_flags);
  store<uint16_t>(flags, load<uint16_t>(flags) | NLM_F_ACK);
}

}  // namespace

size_t put_set_changes(std::vector<uint8_t>& to, const std::vector<SetTarget>& targets,
                       const SetChange* changes, size_t count, uint32_t sequence) {
  const uint32_t first = sequence;
  Message(to, NFNL_MSG_BATCH_BEGIN, 0, sequence++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  size_t last = 0;
  const auto put = [&](const SetTarget& target, const SetChange& change, bool remove) {
    last = to.size();
    put_element(to, target, change, remove, sequence++);
  };
  for (size_t i = 0; i < count; i++) {
    for (const SetTarget& target : targets) {
      if (!target.takes(changes[i])) continue;
      if (changes[i].remove || changes[i].present) put(target, changes[i], true);
      if (!changes[i].remove) put(target, changes[i], false);
    }
  }
  if (last != 0) ask_for_answer(to, last);
  Message(to, NFNL_MSG_BATCH_END, 0, sequence++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  return sequence - first;
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
  return {};
}

uint32_t SetWriter::port() const {
  sockaddr_nl own{};
  socklen_t size = sizeof own;
  if (fd_ < 0 || getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size) != 0) return 0;
  return own.nl_pid;
}

int SetWriter::transact(const std::vector<SetTarget>& targets, const SetChange* changes, size_t count) {
  out_.clear();
  const uint32_t first = sequence_;
  const size_t messages = put_set_changes(out_, targets, changes, count, first);
  return messages <= 2 ? 0 : exchange(first, messages);
}

int SetWriter::exchange(uint32_t first, size_t messages) {
  sequence_ += static_cast<uint32_t>(messages);
  const uint32_t acknowledged = sequence_ - 2;
  if (send(fd_, out_.data(), out_.size(), 0) < 0) return errno;
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
        // An error of the whole comes alone, with the number of its beginning.
        if (head.nlmsg_seq == acknowledged || (number != 0 && head.nlmsg_seq == first)) return error;
      }
      const size_t step = std::min<size_t>((head.nlmsg_len + 3) & ~3u, left);
      at += step;
      left -= step;
    }
  }
}

bool SetWriter::one(const SetTarget& target, SetChange change) {
  const std::vector<SetTarget> alone{target};
  int error = transact(alone, &change, 1);
  // It was there though we did not know, or is gone though we thought that it was there.
  if (error == ENOENT && change.remove) return true;
  if (!change.remove && ((error == EEXIST && !change.present) || (error == ENOENT && change.present))) {
    change.present = !change.present;
    error = transact(alone, &change, 1);
  }
  return error == 0;
}

bool SetWriter::one(const SetChange& change) {
  bool all = true;
  for (const SetTarget& target : targets_) {
    if (target.takes(change) && !one(target, change)) all = false;
  }
  return all;
}

size_t SetWriter::write(std::vector<SetChange>& changes) {
  if (fd_ < 0) return 0;
  size_t failed = 0;
  for (size_t at = 0; at < changes.size(); at += kAtOnce) {
    const size_t count = std::min(kAtOnce, changes.size() - at);
    if (transact(targets_, &changes[at], count) == 0) continue;
    for (size_t i = at; i < at + count; i++) {
      if (one(changes[i])) continue;
      changes[i].timeout_ms = 0;
      failed++;
    }
  }
  return failed;
}

int SetWriter::put_served(const std::vector<std::string>& interfaces, uint32_t timeout_ms, bool present) {
  out_.clear();
  uint32_t sequence = sequence_;
  const auto& [family, table, set] = served_;
  Message(out_, NFNL_MSG_BATCH_BEGIN, 0, sequence++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  size_t last = 0;
  for (const std::string& name : interfaces) {
    uint8_t key[IFNAMSIZ] = {};
    std::memcpy(key, name.data(), std::min<size_t>(name.size(), IFNAMSIZ - 1));
    if (present) put_key(out_, family, table, set, true, 0, sequence++, key, sizeof key, 0);
    last = out_.size();
    put_key(out_, family, table, set, false, NLM_F_CREATE, sequence++, key, sizeof key, timeout_ms);
  }
  ask_for_answer(out_, last);
  Message(out_, NFNL_MSG_BATCH_END, 0, sequence++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  return exchange(sequence_, sequence - sequence_);
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
