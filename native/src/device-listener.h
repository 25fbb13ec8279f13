// A TCP listener of one interface: what comes in by another one does not reach it, whatever address it names.
#pragma once

#include <cstdint>
#include <string>

namespace homespin {

/** A listening socket; or, below zero, the negative errno and the call that failed. */
struct DeviceListener {
  int fd = -1;
  const char* failed = "";
};

/** `address`: IPv4 or IPv6 in text. The descriptor is non-blocking and closed on exec; the caller owns it. */
DeviceListener listen_on_device(const std::string& address, uint16_t port, const std::string& device);

}  // namespace homespin
