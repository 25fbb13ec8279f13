#include "route-socket.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace homespin {

namespace {

/** As large as the kernel makes a dump's datagrams at most. */
constexpr size_t kBuffer = 64 * 1024;
constexpr int kReadsAtOnce = 16;
constexpr int kReceiveBytes = 1 << 20;
constexpr uint16_t kDumps[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH, RTM_GETROUTE};
constexpr size_t kSteps = sizeof kDumps / sizeof *kDumps;
constexpr size_t kRoutesStep = kSteps - 1;

/** Routes go with a link or an address, and most without a word. */
bool takes_routes_along(const RouteEvent& event) {
  if (event.kind == RouteEvent::Kind::kLink) return event.removed || !event.up;
  return event.kind == RouteEvent::Kind::kAddress && event.removed;
}

}  // namespace

RouteSocket::~RouteSocket() {
  if (fd_ >= 0) close(fd_);
}

std::string RouteSocket::open() {
  fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd_ < 0) return std::string("a netlink socket can't be opened: ") + std::strerror(errno);
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof kReceiveBytes);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                      RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return std::string("the kernel refuses to tell of changes by netlink: ") + std::strerror(errno);
  }
  buffer_.reset(new uint8_t[kBuffer]);
  begin();
  return {};
}

void RouteSocket::begin() {
  step_ = 0;
  again_ = false;
  only_routes_ = false;
  routes_changed_ = false;
  dumping_ = true;
  ask();
}

void RouteSocket::begin_routes() {
  step_ = kRoutesStep;
  only_routes_ = true;
  routes_changed_ = false;
  dumping_ = true;
  ask();
}

void RouteSocket::ask_later() {
  if (unsent_) {
    ask();
  } else if (routes_changed_ && !dumping_) {
    begin_routes();
  }
}

void RouteSocket::ask() {
  struct {
    nlmsghdr head;
    // Long enough for the header of any of the four; zero is "all".
    uint8_t body[sizeof(ifinfomsg)];
  } request{};
  request.head.nlmsg_type = kDumps[step_];
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.head.nlmsg_seq = ++sequence_;
  size_t body = sizeof(ifinfomsg);
  if (kDumps[step_] == RTM_GETADDR) body = sizeof(ifaddrmsg);
  if (kDumps[step_] == RTM_GETNEIGH || kDumps[step_] == RTM_GETROUTE) body = sizeof(rtmsg);
  request.head.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(body));
  if (step_ == kRoutesStep) gateways_.clear();
  unsent_ = send(fd_, &request, request.head.nlmsg_len, 0) < 0;
}

void RouteSocket::take(RouteEvent&& event, std::vector<RouteEvent>& events) {
  if (event.kind == RouteEvent::Kind::kGateway) {
    if (!event.dumped) {
      routes_changed_ = true;
    } else if (dumping_ && step_ == kRoutesStep) {
      gateways_.push_back({event.index, std::move(event.ip)});
    }
    return;
  }
  if (takes_routes_along(event)) routes_changed_ = true;
  events.push_back(std::move(event));
}

void RouteSocket::step_ended(std::vector<RouteEvent>& events) {
  if (++step_ < kSteps) return ask();
  if (again_) return begin();
  RouteEvent event{RouteEvent::Kind::kGateways};
  event.gateways = std::move(gateways_);
  events.push_back(std::move(event));
  dumping_ = false;
  if (!only_routes_) events.push_back({RouteEvent::Kind::kSynchronised});
}

void RouteSocket::read(std::vector<RouteEvent>& events) {
  std::vector<RouteEvent> raw;
  for (int i = 0; i < kReadsAtOnce; i++) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = recvfrom(fd_, buffer_.get(), kBuffer, MSG_DONTWAIT,
                                  reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) return;
      events.push_back({RouteEvent::Kind::kOverrun});
      // A dump under way must end first: the kernel does one at a time.
      if (dumping_ && !unsent_) {
        again_ = true;
      } else {
        begin();
      }
      continue;
    }
    // Only the kernel is believed.
    if (from.nl_pid != 0) continue;
    raw.clear();
    const RouteEnd end = read_route_messages(buffer_.get(), static_cast<size_t>(size), raw);
    for (RouteEvent& event : raw) take(std::move(event), events);
    if (end.interrupted) (only_routes_ ? routes_changed_ : again_) = true;
    if (!dumping_ || (!end.done && end.error == 0) || end.done_sequence != sequence_) continue;
    if (end.error == EBUSY) {
      unsent_ = true;
    } else {
      step_ended(events);
    }
  }
}

}  // namespace homespin
