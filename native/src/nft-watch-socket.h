// A socket that hears of each new generation of the ruleset, and of nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace homespin {

/** Who made a new generation. */
struct NftAuthor {
  /** Netlink address of the socket that did it: for most programs their process id. */
  uint32_t port = 0;
  /** Process id, in the first pid namespace. */
  uint32_t pid = 0;
  std::string name;

  bool operator==(const NftAuthor&) const = default;
};

/** What came since the last time. */
struct NftNews {
  uint32_t generation = 0;
  /** New generations. */
  uint32_t count = 0;
  /** Each once; those above the limit are left out and `missed` is set. */
  std::vector<NftAuthor> authors;
  /** Some were not heard of (ENOBUFS). */
  bool missed = false;

  bool empty() const { return count == 0 && !missed; }
};

class NftWatchSocket {
 public:
  NftWatchSocket() = default;
  ~NftWatchSocket();
  NftWatchSocket(const NftWatchSocket&) = delete;
  NftWatchSocket& operator=(const NftWatchSocket&) = delete;

  /** Empty, or why the kernel refuses. */
  std::string open();
  int fd() const { return fd_; }

  /** Reads some of what is there, without waiting; what remains makes the descriptor readable again. */
  void read(NftNews& news);

 private:
  int fd_ = -1;
  std::unique_ptr<uint8_t[]> buffer_;
};

/** Adds what a datagram says; what is cut off or about something else is left out. */
void read_generations(const uint8_t* data, size_t size, NftNews& news);

}  // namespace homespin
