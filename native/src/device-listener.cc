#include "device-listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace homespin {

namespace {

constexpr int kBacklog = 128;

DeviceListener refused(int fd, const char* call) {
  const DeviceListener result{-errno, call};
  if (fd >= 0) close(fd);
  return result;
}

}  // namespace

DeviceListener listen_on_device(const std::string& address, uint16_t port, const std::string& device) {
  sockaddr_storage where{};
  socklen_t bytes = 0;
  auto* ipv4 = reinterpret_cast<sockaddr_in*>(&where);
  auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&where);
  if (inet_pton(AF_INET, address.c_str(), &ipv4->sin_addr) == 1) {
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(port);
    bytes = sizeof *ipv4;
  } else if (inet_pton(AF_INET6, address.c_str(), &ipv6->sin6_addr) == 1) {
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    bytes = sizeof *ipv6;
  } else {
    errno = EINVAL;
    return refused(-1, "inet_pton");
  }
  const int fd = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused(fd, "socket");
  const int yes = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) return refused(fd, "SO_REUSEADDR");
  // Before bind and listen, so that there is no moment at which another interface is heard (socket(7)).
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device.c_str(), static_cast<socklen_t>(device.size())) != 0) {
    return refused(fd, "SO_BINDTODEVICE");
  }
  if (bind(fd, reinterpret_cast<sockaddr*>(&where), bytes) != 0) return refused(fd, "bind");
  if (listen(fd, kBacklog) != 0) return refused(fd, "listen");
  return {fd, ""};
}

}  // namespace homespin
