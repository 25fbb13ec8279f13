// A socket that follows links, addresses, neighbours and default routes: first all that are, then every change.
// The kernel does not tell of every route that goes (with a link that goes down, or replaced by another one), and one gateway may
// be that of several routes: so after whatever may have changed a default route, all are asked for, and told as one list.
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

  /** There is something to ask for a moment later (`kLaterMs`): then `ask_later` is to be called. */
  bool waits() const { return unsent_ || (routes_changed_ && !dumping_); }
  void ask_later();
  /** Changes come together; and the kernel tells that a link goes down before its routes are gone. */
  static constexpr uint64_t kLaterMs = 50;

 private:
  /** Asks for the dump at `step_`, one after the other as the kernel wants it. */
  void ask();
  void begin();
  void begin_routes();
  void take(RouteEvent&& event, std::vector<RouteEvent>& events);
  void step_ended(std::vector<RouteEvent>& events);

  int fd_ = -1;
  uint32_t sequence_ = 0;
  size_t step_ = 0;
  bool dumping_ = false;
  bool again_ = false;
  /** The dump is that of routes alone. */
  bool only_routes_ = false;
  bool routes_changed_ = false;
  /** A question could not be sent. */
  bool unsent_ = false;
  /** Of the dump under way. */
  std::vector<Gateway> gateways_;
  std::unique_ptr<uint8_t[]> buffer_;
};

}  // namespace homespin
