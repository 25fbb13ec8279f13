// The socket that serves one queue of the kernel. For one thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "queue-messages.h"

namespace homespin {

struct QueueOptions {
  uint16_t number = 0;
  /** Bytes of each packet that are handed up. */
  uint32_t copy_bytes = 128;
  /** Packets that may wait in the kernel; beyond, they pass. */
  uint32_t max_length = 256;
};

/** Losses, as the kernel counts them since the queue was bound. */
struct QueueLosses {
  uint64_t queue_dropped = 0;
  uint64_t user_dropped = 0;
};

class QueueSocket {
 public:
  explicit QueueSocket(const QueueOptions& options);
  ~QueueSocket();
  QueueSocket(const QueueSocket&) = delete;
  QueueSocket& operator=(const QueueSocket&) = delete;

  /** Binds the queue. Empty, or why the kernel refuses, for a person. */
  std::string open();
  int fd() const { return fd_; }
  /** Sends what is packed and lets go of the queue. */
  void close();

  /** Takes what is there, without waiting. Returns the number of datagrams; `full`: there may be more. */
  size_t receive(bool& full);
  /** Calls `use(const QueuedPacket&)` for each packet in datagram `i` of the last `receive`. */
  template <typename Use>
  void each(size_t i, Use&& use) {
    const uint8_t* at = buffer_.get() + i * each_bytes_;
    size_t left = messages_[i].msg_len;
    // Only the kernel is believed; what did not fit is cut at the end of the payload, which says so itself.
    if (from_[i].nl_pid != 0) return;
    while (left > 0) {
      QueuedPacket packet;
      size_t used;
      if (read_queue_message(at, left, packet, used) == QueueMessage::kPacket) use(packet);
      at += used;
      left -= used;
    }
  }

  /** Packs a verdict; `flush` sends those that are packed. */
  void verdict(uint32_t id, bool accept, const uint32_t* mark);
  /** The packet goes on with these bytes. */
  void rewrite(uint32_t id, const uint32_t* mark, const uint8_t* payload, size_t size);
  void flush();

  uint64_t overruns() const { return overruns_; }
  /** Verdicts that the kernel did not take. */
  uint64_t unsent() const { return unsent_; }

 private:
  struct Sender {
    uint16_t family;
    uint16_t padding;
    uint32_t nl_pid;
    uint32_t groups;
  };
  std::string acknowledged(int count);

  const QueueOptions options_;
  int fd_ = -1;
  const size_t each_bytes_;
  const size_t vector_;
  std::unique_ptr<uint8_t[]> buffer_;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> places_;
  std::vector<Sender> from_;
  std::vector<uint8_t> out_;
  size_t packed_ = 0;
  uint64_t overruns_ = 0;
  uint64_t unsent_ = 0;
};

/** From /proc/net/netfilter/nfnetlink_queue, of the network namespace of this thread. */
QueueLosses read_queue_losses(uint16_t number);

}  // namespace homespin
