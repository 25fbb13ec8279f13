#include "nft-socket.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace homespin {

namespace {

/** At least as large as the kernel makes the datagrams of a dump. */
constexpr size_t kBuffer = 64 * 1024;
/** A transaction is one datagram, so that room is needed for all of it; more than this is refused with EMSGSIZE. */
constexpr size_t kMostBytes = 64 << 20;
constexpr timeval kPatience = {10, 0};

/** The text in an extended acknowledgement, where there is one. */
std::string words(const nlmsghdr& head, Span body) {
  if (!(head.nlmsg_flags & NLM_F_ACK_TLVS) || body.size < sizeof(nlmsgerr)) return {};
  size_t skip = sizeof(nlmsgerr);
  if (!(head.nlmsg_flags & NLM_F_CAPPED)) {
    const uint32_t copied = load<uint32_t>(body.data + sizeof(int));
    if (copied < sizeof(nlmsghdr) || copied > body.size) return {};
    skip += NLMSG_ALIGN(copied - sizeof(nlmsghdr));
  }
  if (skip > body.size) return {};
  return NftAttributes<NLMSGERR_ATTR_MSG>({body.data + skip, body.size - skip})[NLMSGERR_ATTR_MSG].text();
}

/** Calls `each(header, body)` for the whole messages of a datagram. */
template <typename Each>
void each_message(const uint8_t* at, size_t left, Each each) {
  while (left >= sizeof(nlmsghdr)) {
    const nlmsghdr head = load<nlmsghdr>(at);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > left) return;
    each(head, Span{at + sizeof head, head.nlmsg_len - sizeof head});
    const size_t step = NLMSG_ALIGN(head.nlmsg_len);
    if (step >= left) return;
    at += step;
    left -= step;
  }
}

/** Of NLMSG_ERROR and NLMSG_DONE, positive. */
int error_of(Span body) {
  return body.size >= sizeof(int) ? static_cast<int>(0u - load<uint32_t>(body.data)) : 0;
}

}  // namespace

NftSocket::~NftSocket() {
  if (fd_ >= 0) close(fd_);
}

int NftSocket::open() {
  if (fd_ >= 0) return 0;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) return errno;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    const int error = errno;
    close(fd);
    return error;
  }
  const int on = 1;
  // Errors come without the message that they are about, and with words; old kernels know neither and need neither.
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  int room = 0;
  socklen_t room_size = sizeof room;
  getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &room_size);
  send_room_ = static_cast<size_t>(std::max(room, 0));
  buffer_.reset(new uint8_t[kBuffer]);
  port_ = address.nl_pid;
  fd_ = fd;
  return 0;
}

bool NftSocket::send(const NftMessages& messages) {
  const std::vector<uint8_t>& bytes = messages.bytes();
  // The kernel keeps a little of the room for itself.
  if (bytes.size() + 4096 > send_room_ && bytes.size() < kMostBytes) {
    const int room = static_cast<int>(bytes.size() + 4096);
    if (setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) {
      setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    }
    send_room_ = bytes.size() + 4096;
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent;
  do {
    sent = sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

ssize_t NftSocket::receive(int flags) {
  for (;;) {
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        recvfrom(fd_, buffer_.get(), kBuffer, flags, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && errno == EINTR) continue;
    // Only the kernel is believed.
    if (got >= 0 && from.nl_pid != 0) continue;
    return got;
  }
}

NftOutcome NftSocket::transact(NftMessages& messages) {
  NftOutcome outcome;
  outcome.error = open();
  if (outcome.error != 0) return outcome;
  while (receive(MSG_DONTWAIT) > 0) {
  }
  if (!send(messages)) {
    outcome.error = errno;
    return outcome;
  }
  bool answered = false;
  for (;;) {
    const ssize_t size = receive(MSG_DONTWAIT);
    if (size < 0) {
      // More errors than there is room for: the first ones are here.
      if (errno == ENOBUFS) continue;
      break;
    }
    each_message(buffer_.get(), static_cast<size_t>(size), [&](const nlmsghdr& head, Span body) {
      if (head.nlmsg_type != NLMSG_ERROR) return;
      answered = true;
      const int error = error_of(body);
      const int32_t index = messages.index_of(head.nlmsg_seq);
      // One that says which message failed tells more than one about the whole.
      if (error == 0 || (outcome.error != 0 && !(outcome.index < 0 && index >= 0))) return;
      outcome.error = error;
      outcome.index = index;
      outcome.detail = words(head, body);
    });
  }
  if (!answered) outcome.error = ETIMEDOUT;
  return outcome;
}

int NftSocket::ask(NftMessages& question, const Each& each) {
  const int error = open();
  if (error != 0) return error;
  while (receive(MSG_DONTWAIT) > 0) {
  }
  if (!send(question)) return errno;
  idle_ = false;
  const uint32_t sequence = load<uint32_t>(question.bytes().data() + offsetof(nlmsghdr, nlmsg_seq));
  bool interrupted = false;
  int end = -1;
  while (end < 0) {
    const ssize_t size = receive(0);
    if (size < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    each_message(buffer_.get(), static_cast<size_t>(size), [&](const nlmsghdr& head, Span body) {
      if (head.nlmsg_seq != sequence || end >= 0) return;
      if (head.nlmsg_flags & NLM_F_DUMP_INTR) interrupted = true;
      if (head.nlmsg_type == NLMSG_ERROR || head.nlmsg_type == NLMSG_DONE) {
        end = error_of(body);
        return;
      }
      if (head.nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || body.size < sizeof(nfgenmsg)) return;
      each(head.nlmsg_type & 0xff, body.data[offsetof(nfgenmsg, nfgen_family)],
           {body.data + sizeof(nfgenmsg), body.size - sizeof(nfgenmsg)});
    });
  }
  idle_ = true;
  return end == 0 && interrupted ? EINTR : end;
}

uint32_t nft_generation(NftSocket& socket) {
  NftMessages question;
  question.message(NFT_MSG_GETGEN, AF_UNSPEC, NLM_F_ACK);
  uint32_t generation = 0;
  const int error = socket.ask(question, [&](uint16_t type, uint8_t, Span attributes) {
    if (type == NFT_MSG_NEWGEN) generation = NftAttributes<NFTA_GEN_ID>(attributes)[NFTA_GEN_ID].number();
  });
  return error == 0 ? generation : 0;
}

}  // namespace homespin
