// A source of packets, the meter and the thread that brings them together.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "capture-file.h"
#include "input-queue.h"
#include "meter.h"
#include "ring-set.h"

namespace homespin {

/**
 * The thread holds the mutex for one piece of the source at a time (well under a millisecond); whoever drains gets it
 * next. The signal is called on the thread; it must not block.
 */
class Capture {
 public:
  explicit Capture(const MeterOptions& options);
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  /** Further sources are read after it, as the same capture. Empty, or why it can't be. */
  std::string read_file(const std::string& path);
  std::string read_descriptor(int fd, bool live);

  /** Live interfaces; those that stay keep their rings, whatever else changes. Empty, or why nothing can be captured. */
  std::string set_interfaces(const std::vector<RingOptions>& list);
  void set_locality(Locality locality);

  void start(std::function<void()> signal);
  /** Ends the thread and closes all flows. Afterwards everything is handed up at once. */
  void stop();

  /** Holds the meter still. */
  class Drain {
   public:
    explicit Drain(Capture& capture);
    ~Drain();
    /** Flows that this drain takes. */
    uint32_t flow_count() const;
    Meter& meter() { return capture_.meter_; }
    const CaptureFile& file() const { return capture_.file_; }
    const std::vector<SourceFault>& faults() const { return capture_.faults_; }
    const std::vector<std::unique_ptr<Ring>>& rings() const { return capture_.rings_.captured(); }
    uint64_t ring_dropped() const { return capture_.rings_.dropped(); }
    /** Everything is taken and nothing more will come. */
    bool ended() const;
    int64_t time_us() const;

   private:
    Capture& capture_;
    std::unique_lock<std::mutex> lock_;
    uint32_t before_;
  };

  /** There is more to drain than one batch takes. */
  bool more() const { return more_; }

 private:
  void run();
  void run_inputs();
  std::string run_input(uint8_t* buffer);
  size_t parse(const uint8_t* data, size_t size);
  void run_rings();
  bool read_rings();
  bool wait_for_input(int timeout_ms);
  void after_piece();
  void wake();
  void wait_while_full();
  void signal_now();
  bool full();
  int wait_ms() const;
  int64_t silence_us() const;
  int64_t told_now_us() const;

  Meter meter_;
  InputQueue inputs_;
  CaptureFile file_;
  std::vector<SourceFault> faults_;
  RingSet rings_;
  int wake_fd_ = -1;
  bool live_ = false;
  bool started_ = false;

  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable drained_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> draining_{0};
  bool stopped_ = false;
  bool ended_ = false;
  bool more_ = false;
  std::function<void()> signal_;
  int64_t last_signal_ms_ = 0;
  int64_t packet_seen_ms_ = 0;
  uint32_t max_flows_;
  /** Changes of flows are wanted, not only their ends. */
  bool updates_;
  int64_t told_second_ = 0;
  /** Of the flows that had changed at the last signal, those that are still to be taken. */
  uint32_t round_ = 0;
};

}  // namespace homespin
