// Messages of nfnetlink_queue (linux/netfilter/nfnetlink_queue.h): what the kernel hands up, and verdicts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace homespin {

/** A packet that waits in the kernel. Pointers are into the message that it was read from. */
struct QueuedPacket {
  /** As the kernel has it, in network order: only ever given back. */
  uint32_t id;
  uint32_t mark;
  /** Index of the interface that it came in by, 0 if this box made it. */
  uint32_t in_interface;
  /** Source MAC, null where the kernel knows none. */
  const uint8_t* mac;
  /** From the IP header on. */
  const uint8_t* data;
  uint32_t captured;
  /** Of the whole packet, at least `captured`. */
  uint32_t length;
  /** A super-packet, which segmentation will cut. */
  bool gso;
};

enum class QueueMessage : uint8_t { kPacket, kError, kOther };

/**
 * Reads the netlink message at `at`, of which `size` bytes are there; `used` is where the next one begins (never 0). An error's
 * number (0: an acknowledgement) comes back in `packet.id`.
 */
QueueMessage read_queue_message(const uint8_t* at, size_t size, QueuedPacket& packet, size_t& used);

/** The most that `put_verdict` writes without a payload. */
constexpr size_t kVerdictBytes = 44;

/**
 * Writes a verdict on one packet. `mark`: the packet's new mark, null to leave it. `payload`: what the packet becomes, null to
 * leave it; checksums in it must be right. Returns the bytes, a multiple of 4.
 */
size_t put_verdict(uint8_t* to, uint16_t queue, uint32_t id, bool accept, const uint32_t* mark,
                   const uint8_t* payload = nullptr, size_t payload_bytes = 0);

/** Writes the messages that bind to a queue and set it up; answered with one acknowledgement each (two). */
size_t put_queue_setup(uint8_t* to, uint16_t queue, uint32_t copy_bytes, uint32_t max_length);

constexpr size_t kQueueSetupBytes = 256;

}  // namespace homespin
