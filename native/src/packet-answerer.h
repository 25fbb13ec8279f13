// Sends IP packets out of an interface by a packet socket: neither routed, nor translated, nor queued again.
#pragma once

#include <string>

#include "dns-gate.h"

namespace homespin {

class PacketAnswerer final : public Answerer {
 public:
  PacketAnswerer() = default;
  ~PacketAnswerer() override;
  PacketAnswerer(const PacketAnswerer&) = delete;
  PacketAnswerer& operator=(const PacketAnswerer&) = delete;

  /** `mark` is put on each packet. Without a socket `send` says that it could not. */
  void open(uint32_t mark);
  bool send(uint32_t interface, uint64_t mac, bool ipv6, const std::vector<uint8_t>& packet) override;

 private:
  int fd_ = -1;
};

}  // namespace homespin
