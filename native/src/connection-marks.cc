#include "connection-marks.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "bytes.h"

namespace homespin {

namespace {

constexpr int kAnswerMs = 2000;
/** Connections that are changed by one sending. */
constexpr size_t kAtOnce = 64;
constexpr uint16_t kTypeMask = 0x3fff;

/** Calls `use(type, data, size)` for each attribute. */
template <typename Use>
void each_attribute(const uint8_t* at, size_t left, Use&& use) {
  while (left >= NLA_HDRLEN) {
    const uint16_t size = load<uint16_t>(at);
    if (size < NLA_HDRLEN || size > left) return;
    use(static_cast<uint16_t>(load<uint16_t>(at + 2) & kTypeMask), at + NLA_HDRLEN, size_t{size} - NLA_HDRLEN);
    const size_t step = std::min<size_t>((size + 3u) & ~3u, left);
    at += step;
    left -= step;
  }
}

/** Who began a connection, by its first tuple. */
Ip beginner(const uint8_t* tuple, size_t size) {
  Ip ip{};
  each_attribute(tuple, size, [&](uint16_t type, const uint8_t* data, size_t bytes) {
    if (type != CTA_TUPLE_IP) return;
    each_attribute(data, bytes, [&](uint16_t part, const uint8_t* address, size_t length) {
      const bool ipv6 = part == CTA_IP_V6_SRC;
      if ((!ipv6 && part != CTA_IP_V4_SRC) || length != (ipv6 ? 16u : 4u)) return;
      ip.ipv6 = ipv6;
      std::memcpy(ip.word, address, length);
    });
  });
  return ip;
}

/** Appends bytes, and fills up whole words. */
void put(std::vector<uint8_t>& to, const void* data, size_t size) {
  const size_t at = to.size();
  to.resize(at + ((size + 3) & ~size_t{3}));
  if (size > 0) std::memcpy(to.data() + at, data, size);
}

void put_attribute(std::vector<uint8_t>& to, uint16_t type, const void* data, size_t size) {
  const uint16_t head[2] = {static_cast<uint16_t>(NLA_HDRLEN + size), type};
  put(to, head, sizeof head);
  put(to, data, size);
}

void put_number(std::vector<uint8_t>& to, uint16_t type, uint32_t number) {
  const uint32_t bytes = __builtin_bswap32(number);
  put_attribute(to, type, &bytes, sizeof bytes);
}

size_t begin(std::vector<uint8_t>& to, uint8_t verb, uint16_t flags, uint32_t sequence, uint8_t family) {
  const size_t start = to.size();
  nlmsghdr head{};
  head.nlmsg_type = static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | verb);
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  head.nlmsg_seq = sequence;
  put(to, &head, sizeof head);
  nfgenmsg about{};
  about.nfgen_family = family;
  about.version = NFNETLINK_V0;
  put(to, &about, sizeof about);
  return start;
}

void end(std::vector<uint8_t>& to, size_t start) {
  store(to.data() + start, static_cast<uint32_t>(to.size() - start));
}

/** Calls `use(head, at)` for each message that comes with this number until it says that it was the last; 0 or an errno. */
template <typename Use>
int receive(int fd, uint32_t sequence, Use&& use) {
  std::vector<uint8_t> answer(65536);
  for (;;) {
    pollfd poll_for{fd, POLLIN, 0};
    if (poll(&poll_for, 1, kAnswerMs) <= 0) return ETIMEDOUT;
    const ssize_t got = recv(fd, answer.data(), answer.size(), MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return errno;
    }
    size_t left = static_cast<size_t>(got);
    for (const uint8_t* at = answer.data(); left >= sizeof(nlmsghdr);) {
      const nlmsghdr head = load<nlmsghdr>(at);
      if (head.nlmsg_len < sizeof head || head.nlmsg_len > left) return EBADMSG;
      if (head.nlmsg_type == NLMSG_ERROR && head.nlmsg_len >= sizeof head + 4) {
        const int number = -load<int32_t>(at + sizeof head);
        // A connection that is gone meanwhile needs no change.
        if (number != 0 && number != ENOENT) return number;
        if (head.nlmsg_seq == sequence) return 0;
      }
      if (head.nlmsg_seq == sequence && head.nlmsg_type == NLMSG_DONE) return 0;
      if (head.nlmsg_seq == sequence) use(head, at);
      const size_t step = std::min<size_t>((head.nlmsg_len + 3) & ~3u, left);
      at += step;
      left -= step;
    }
  }
}

}  // namespace

ConntrackMarks::~ConntrackMarks() { close(); }

int ConntrackMarks::open() {
  if (fd_ >= 0) return 0;
  fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const bool opened = fd_ >= 0 && connect(fd_, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) == 0;
  return opened ? 0 : errno;
}

void ConntrackMarks::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int ConntrackMarks::find(uint8_t family, const MarkOrder& order, const std::unordered_set<Ip, IpHash>& keep) {
  std::vector<uint8_t> question;
  const size_t start = begin(question, IPCTNL_MSG_CT_GET, NLM_F_DUMP, ++sequence_, family);
  put_number(question, CTA_MARK, order.mark);
  put_number(question, CTA_MARK_MASK, order.mark);
  end(question, start);
  if (send(fd_, question.data(), question.size(), 0) < 0) return errno;
  return receive(fd_, sequence_, [&](const nlmsghdr& head, const uint8_t* at) {
    constexpr size_t kHead = sizeof(nlmsghdr) + sizeof(nfgenmsg);
    if (head.nlmsg_len < kHead || head.nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW)) return;
    uint32_t mark = 0;
    Ip from{};
    Change change{family, {}};
    each_attribute(at + kHead, head.nlmsg_len - kHead, [&](uint16_t type, const uint8_t* data, size_t size) {
      if (type == CTA_MARK && size == 4) mark = be32(data);
      if (type == CTA_TUPLE_ORIG) from = beginner(data, size);
      if (type != CTA_TUPLE_ORIG && type != CTA_ZONE) return;
      put_attribute(change.name, type == CTA_ZONE ? type : static_cast<uint16_t>(type | NLA_F_NESTED), data, size);
    });
    // Older kernels do not sort out by marks themselves.
    if ((mark & order.mark) != 0 && !keep.contains(from)) changes_.push_back(std::move(change));
  });
}

int ConntrackMarks::change() {
  for (size_t at = 0; at < changes_.size(); at += kAtOnce) {
    std::vector<uint8_t> out;
    const size_t stop = std::min(at + kAtOnce, changes_.size());
    for (size_t i = at; i < stop; i++) {
      const uint16_t last = i + 1 == stop ? NLM_F_ACK : 0;
      const size_t start = begin(out, IPCTNL_MSG_CT_NEW, last, ++sequence_, changes_[i].family);
      put(out, changes_[i].name.data(), changes_[i].name.size());
      put_number(out, CTA_MARK, 0);
      put_number(out, CTA_MARK_MASK, mark_);
      end(out, start);
    }
    if (send(fd_, out.data(), out.size(), 0) < 0) return errno;
    const int error = receive(fd_, sequence_, [](const nlmsghdr&, const uint8_t*) {});
    if (error != 0) return error;
  }
  return 0;
}

MarksTaken ConntrackMarks::take(const MarkOrder& order) {
  MarksTaken taken;
  if (order.mark == 0) return taken;
  const HashSecret secret{{1, 2, 3, 4}};
  const std::unordered_set<Ip, IpHash> keep(order.keep.begin(), order.keep.end(), 16, IpHash{secret});
  changes_.clear();
  mark_ = order.mark;
  int error = open();
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    if (error == 0) error = find(family, order, keep);
  }
  if (error == 0) error = change();
  // What is left of an answer would be taken for the next one.
  if (error != 0) close();
  taken.count = static_cast<uint32_t>(changes_.size());
  changes_.clear();
  if (error != 0) taken.error = std::string("marks of connections can't be changed: ") + std::strerror(error);
  return taken;
}

}  // namespace homespin
