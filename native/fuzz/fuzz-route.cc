// libFuzzer target: any bytes as rtnetlink messages.
#include <cstring>
#include <memory>

#include "route-messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[size]);
  if (size > 0) std::memcpy(exact.get(), data, size);
  std::vector<homespin::RouteEvent> events;
  homespin::read_route_messages(exact.get(), size, events);
  return 0;
}
