#include "queue-socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace homespin {

namespace {

/** Datagrams taken by one call: of heads, and of whole packets. */
constexpr size_t kVector = 64;
constexpr size_t kWholeVector = 16;
constexpr uint32_t kWholeBytes = 4096;
/** A message's attributes besides the payload. */
constexpr size_t kAttributes = 384;
constexpr size_t kOutBytes = 32 * 1024;
constexpr int kReceiveBytes = 16 << 20;
constexpr int kAnswerMs = 2000;

std::string problem(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

}  // namespace

QueueSocket::QueueSocket(const QueueOptions& options)
    : options_(options),
      each_bytes_((options.copy_bytes + kAttributes + 63) / 64 * 64),
      vector_(options.copy_bytes > kWholeBytes ? kWholeVector : kVector) {}

QueueSocket::~QueueSocket() { close(); }

void QueueSocket::close() {
  if (fd_ < 0) return;
  flush();
  ::close(fd_);
  fd_ = -1;
}

std::string QueueSocket::open() {
  fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
  if (fd_ < 0) return problem("a netlink socket can't be opened");
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) {
    return problem("a netlink socket can't be bound");
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (connect(fd_, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) != 0) {
    return problem("a netlink socket can't be connected");
  }
  if (setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof kReceiveBytes) != 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof kReceiveBytes);
  }
  out_.resize(kOutBytes);
  buffer_.reset(new uint8_t[vector_ * each_bytes_]);
  messages_.resize(vector_);
  places_.resize(vector_);
  from_.resize(vector_);
  for (size_t i = 0; i < vector_; i++) {
    places_[i] = {buffer_.get() + i * each_bytes_, each_bytes_};
    messages_[i] = {};
    messages_[i].msg_hdr.msg_iov = &places_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_name = &from_[i];
  }
  const size_t size =
      put_queue_setup(out_.data(), options_.number, options_.copy_bytes, options_.max_length);
  if (send(fd_, out_.data(), size, 0) < 0) return problem("the kernel has no NFQUEUE");
  return acknowledged(2);
}

std::string QueueSocket::acknowledged(int count) {
  while (count > 0) {
    pollfd poll_for{fd_, POLLIN, 0};
    if (poll(&poll_for, 1, kAnswerMs) <= 0) return "the kernel does not answer about its queue";
    const ssize_t got = recv(fd_, buffer_.get(), each_bytes_, MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return problem("the kernel does not answer about its queue");
    }
    const uint8_t* at = buffer_.get();
    for (size_t left = static_cast<size_t>(got); left > 0;) {
      QueuedPacket packet;
      size_t used;
      const QueueMessage kind = read_queue_message(at, left, packet, used);
      if (kind == QueueMessage::kPacket) verdict(packet.id, true, nullptr);
      if (kind == QueueMessage::kError) {
        count--;
        if (packet.id == EPERM || packet.id == EBUSY) {
          return "queue " + std::to_string(options_.number) +
                 (packet.id == EBUSY ? " is served by another program" : " may not be served: needs CAP_NET_ADMIN");
        }
        if (packet.id != 0) {
          return std::string("the kernel refuses the queue: ") + std::strerror(static_cast<int>(packet.id));
        }
      }
      at += used;
      left -= used;
    }
  }
  flush();
  return {};
}

size_t QueueSocket::receive(bool& full) {
  for (size_t i = 0; i < vector_; i++) messages_[i].msg_hdr.msg_namelen = sizeof(Sender);
  full = false;
  const int got = recvmmsg(fd_, messages_.data(), static_cast<unsigned>(vector_), MSG_DONTWAIT, nullptr);
  if (got < 0) {
    if (errno == ENOBUFS) {
      overruns_++;
      full = true;
    }
    return 0;
  }
  full = static_cast<size_t>(got) == vector_;
  return static_cast<size_t>(got);
}

void QueueSocket::verdict(uint32_t id, bool accept, const uint32_t* mark) {
  if (packed_ + kVerdictBytes > out_.size()) flush();
  packed_ += put_verdict(out_.data() + packed_, options_.number, id, accept, mark);
}

void QueueSocket::rewrite(uint32_t id, const uint32_t* mark, const uint8_t* payload, size_t size) {
  if (packed_ + kVerdictBytes + size + 8 > out_.size()) flush();
  if (kVerdictBytes + size + 8 > out_.size()) out_.resize(kVerdictBytes + size + 8);
  packed_ += put_verdict(out_.data() + packed_, options_.number, id, true, mark, payload, size);
}

void QueueSocket::flush() {
  if (packed_ == 0) return;
  while (send(fd_, out_.data(), packed_, 0) < 0) {
    if (errno == EINTR) continue;
    unsent_++;
    break;
  }
  packed_ = 0;
}

QueueLosses read_queue_losses(uint16_t number) {
  QueueLosses losses;
  FILE* const file = std::fopen("/proc/thread-self/net/netfilter/nfnetlink_queue", "re");
  if (file == nullptr) return losses;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    unsigned queue;
    unsigned long long queue_dropped;
    unsigned long long user_dropped;
    // Number, port, waiting, copy mode, copy range, dropped for a full queue, dropped for a full socket.
    if (std::sscanf(line, "%u %*u %*u %*u %*u %llu %llu", &queue, &queue_dropped, &user_dropped) == 3 &&
        queue == number) {
      losses = {queue_dropped, user_dropped};
      break;
    }
  }
  std::fclose(file);
  return losses;
}

}  // namespace homespin
