// A socket that follows links, addresses, neighbours and default routes: first all that are, then every change.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "route-messages.h"

namespace homespin {

class RouteSocket {
 public:
  RouteSocket() = default;
  ~RouteSocket();
  RouteSocket(const RouteSocket&) = delete;
  RouteSocket& operator=(const RouteSocket&) = delete;

  /** Empty, or why the kernel refuses. */
  std::string open();
  int fd() const { return fd_; }

  /** Reads some of what is there, without waiting; what remains makes the descriptor readable again. */
  void read(std::vector<RouteEvent>& events);

 private:
  /** Asks for the dump at `step_`, one after the other as the kernel wants it. */
  void ask();
  void begin();

  int fd_ = -1;
  uint32_t sequence_ = 0;
  size_t step_ = 0;
  bool dumping_ = false;
  bool again_ = false;
  std::unique_ptr<uint8_t[]> buffer_;
};

}  // namespace homespin
