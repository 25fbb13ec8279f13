#include "packet-answerer.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace homespin {

PacketAnswerer::~PacketAnswerer() {
  if (fd_ >= 0) close(fd_);
}

void PacketAnswerer::open(uint32_t mark) {
  // Protocol 0: it receives nothing.
  fd_ = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ >= 0 && mark != 0) setsockopt(fd_, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}

bool PacketAnswerer::send(uint32_t interface, uint64_t mac, bool ipv6, const std::vector<uint8_t>& packet) {
  if (fd_ < 0) return false;
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
  to.sll_ifindex = static_cast<int>(interface);
  to.sll_halen = 6;
  std::memcpy(to.sll_addr, &mac, 6);
  return sendto(fd_, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to) >= 0;
}

}  // namespace homespin
