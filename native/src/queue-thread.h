// A thread that serves one queue: packets in, verdicts out, deadlines kept; JavaScript is never waited for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "queue-socket.h"

namespace homespin {

/** CLOCK_BOOTTIME. */
int64_t boot_ns();
/** CLOCK_REALTIME. */
double wall_ms();

/** Where verdicts go. */
class Verdicts {
 public:
  virtual ~Verdicts() = default;
  /** `mark`: the packet's new mark, null to leave it. */
  virtual void verdict(uint32_t id, bool accept, const uint32_t* mark) = 0;
  /** Accepts the packet with other bytes. */
  virtual void rewrite(uint32_t id, const uint32_t* mark, const uint8_t* payload, size_t size) = 0;
};

/** What is done with packets. Called on the queue's thread alone, with `mutex()` of the thread held but where it says so. */
class PacketHandler {
 public:
  virtual ~PacketHandler() = default;
  virtual void packet(const QueuedPacket& packet, int64_t now_ns, Verdicts& verdicts) = 0;
  /** Once after each burst of packets and each waking: puts together what has to be done elsewhere before verdicts. */
  virtual void prepare(int64_t) {}
  /** Does it, without the mutex: nobody waits for a kernel that takes its time. Touches only what others do not. */
  virtual void carry_out() {}
  /** Then. Returns when to be called again, INT64_MAX for never. */
  virtual int64_t settle(int64_t now_ns, Verdicts& verdicts) = 0;
  /** The queue is let go of: the last chance for packets that wait. */
  virtual void end(Verdicts& verdicts) = 0;
};

class QueueThread {
 public:
  QueueThread(const QueueOptions& options, PacketHandler& handler);
  ~QueueThread();

  /** Binds the queue and starts the thread. Empty, or why not. */
  std::string start();
  /** Ends the thread and lets go of the queue; packets that nobody has read yet are dropped by the kernel. */
  void stop();
  /** Has `settle` called soon. From any thread. */
  void wake();

  /** Held by the thread while it handles a burst, but not while it waits for the kernel: others take it to reach what the handler owns. */
  std::mutex& mutex() { return mutex_; }

  struct Counters {
    uint64_t packets;
    uint64_t overruns;
    uint64_t unsent;
    QueueLosses losses;
  };
  Counters counters() const;

 private:
  void run();

  const QueueOptions options_;
  PacketHandler& handler_;
  QueueSocket socket_;
  std::mutex mutex_;
  std::thread thread_;
  int wake_fd_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<bool> woken_{false};
  std::atomic<uint64_t> packets_{0};
  std::atomic<uint64_t> overruns_{0};
  std::atomic<uint64_t> unsent_{0};
};

}  // namespace homespin
