#include "nft-watch-socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "nft-attributes.h"

namespace homespin {

namespace {

constexpr size_t kBuffer = 16 * 1024;
constexpr int kReadsAtOnce = 256;
constexpr size_t kMostAuthors = 16;
constexpr uint16_t kNewGeneration = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;

/** A transaction of many elements tells of each; only the message that ends it is let through. */
bool hear_only_generations(int fd) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(nlmsghdr, nlmsg_type)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(kNewGeneration), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program{sizeof code / sizeof *code, code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

}  // namespace

NftWatchSocket::~NftWatchSocket() {
  if (fd_ >= 0) close(fd_);
}

std::string NftWatchSocket::open() {
  const auto refused = [] {
    return std::string("the kernel refuses to tell of changes in nftables: ") + std::strerror(errno);
  };
  fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
  if (fd_ < 0) return refused();
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  const int group = NFNLGRP_NFTABLES;
  if (!hear_only_generations(fd_) ||
      bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      setsockopt(fd_, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
    return refused();
  }
  buffer_.reset(new uint8_t[kBuffer]);
  return {};
}

void NftWatchSocket::read(NftNews& news) {
  for (int i = 0; i < kReadsAtOnce; i++) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = recvfrom(fd_, buffer_.get(), kBuffer, MSG_DONTWAIT,
                                  reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) return;
      news.missed = true;
      continue;
    }
    if (from.nl_pid == 0) read_generations(buffer_.get(), static_cast<size_t>(size), news);
  }
}

void read_generations(const uint8_t* data, size_t size, NftNews& news) {
  while (size >= sizeof(nlmsghdr)) {
    const nlmsghdr head = load<nlmsghdr>(data);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > size) return;
    const size_t body = head.nlmsg_len - sizeof head;
    if (head.nlmsg_type == kNewGeneration && body >= sizeof(nfgenmsg)) {
      const NftAttributes<NFTA_GEN_PROC_NAME> attributes(
          {data + sizeof head + sizeof(nfgenmsg), body - sizeof(nfgenmsg)});
      news.generation = attributes[NFTA_GEN_ID].number();
      news.count++;
      NftAuthor author{head.nlmsg_pid, attributes[NFTA_GEN_PROC_PID].number(),
                       attributes[NFTA_GEN_PROC_NAME].text()};
      if (std::find(news.authors.begin(), news.authors.end(), author) == news.authors.end()) {
        if (news.authors.size() < kMostAuthors) {
          news.authors.push_back(std::move(author));
        } else {
          news.missed = true;
        }
      }
    }
    const size_t step = NLMSG_ALIGN(head.nlmsg_len);
    if (step >= size) return;
    data += step;
    size -= step;
  }
}

}  // namespace homespin
