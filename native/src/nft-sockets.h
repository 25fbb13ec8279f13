// Sockets to nf_tables that questions borrow. Not one for each question: when a socket of NETLINK_NETFILTER is closed, whoever
// does it, the kernel lets nobody commit before all that was deleted is freed, on a busy machine for tens of milliseconds.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "nft-socket.h"

namespace homespin {

/** From any thread. There are never more than were in use at once. */
class NftSockets {
 public:
  /** Calls `use(socket)` with one that nobody else uses meanwhile. */
  template <typename Use>
  auto with(Use&& use) {
    std::unique_ptr<NftSocket> socket = take();
    auto result = use(*socket);
    give(std::move(socket));
    return result;
  }

 private:
  std::unique_ptr<NftSocket> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<NftSocket>();
    std::unique_ptr<NftSocket> socket = std::move(free_.back());
    free_.pop_back();
    return socket;
  }
  void give(std::unique_ptr<NftSocket> socket) {
    // What is left of an answer would be taken for that to the next question.
    if (!socket->idle()) return;
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(socket));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<NftSocket>> free_;
};

}  // namespace homespin
