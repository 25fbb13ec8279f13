// Decides on the first packet of each new connection of chosen devices: by what is remembered, by who is asked, or at the
// deadline by the device's default.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "device-index.h"
#include "held-table.h"
#include "layout.h"
#include "queue-thread.h"
#include "verdict-cache.h"

namespace homespin {

struct FirstPacketOptions {
  int64_t deadline_ns = 200'000'000;
  uint32_t max_held = 192;
  uint32_t max_held_per_device = 64;
  size_t cache_buckets = 2048;
  /** Bits that an accepted packet's mark gets. */
  uint32_t accept_mark = 0;
};

struct AskedDevice {
  uint64_t key;
  bool accept;
};

/** The devices whose connections are asked about. */
struct AskedDevices {
  explicit AskedDevices(const HashSecret& secret) : index(secret) {}
  std::vector<AskedDevice> devices;
  DeviceIndex index;
};

struct FirstPacketCounters {
  uint64_t asked = 0;
  uint64_t answered = 0;
  uint64_t expired = 0;
  /** Over a cap: the default without asking. */
  uint64_t unasked = 0;
  uint64_t remembered = 0;
  /** Of devices that are not asked about. */
  uint64_t free = 0;
  uint64_t malformed = 0;
  /** Verdicts on what waits no more. */
  uint64_t late = 0;
  uint64_t accepted = 0;
  uint64_t dropped = 0;
};

/** Everything is called with the thread's mutex held, the verdicts of `PacketHandler` on the thread. */
class FirstPackets final : public PacketHandler {
 public:
  FirstPackets(const FirstPacketOptions& options, const HashSecret& secret);

  void packet(const QueuedPacket& packet, int64_t now_ns, Verdicts& verdicts) override;
  int64_t settle(int64_t now_ns, Verdicts& verdicts) override;
  void end(Verdicts& verdicts) override;

  /** Called when there is something to `take`; on the thread. */
  void on_asking(std::function<void()> call) { on_asking_ = std::move(call); }
  void set_devices(std::shared_ptr<const AskedDevices> devices) { devices_ = std::move(devices); }
  /** Carried out by the next `settle`. */
  void answer(const VerdictRecord* records, size_t count) {
    answers_.insert(answers_.end(), records, records + count);
  }
  void remember(const VerdictKey& about, bool accept, int64_t until_ns, int64_t now_ns) {
    cache_.put(about, accept, until_ns, now_ns);
  }
  void forget(const uint64_t* device) { cache_.forget(device); }

  size_t asking() const { return asking_.size(); }
  /** Moves those that still wait to `to`, which has room for `asking()`. */
  size_t take(ConnectionRecord* to);

  const FirstPacketCounters& counters() const { return counters_; }
  uint64_t evicted() const { return cache_.evicted(); }
  uint32_t held() const { return held_.connections(); }
  const HashSecret& secret() const { return secret_; }

 private:
  void decide(const QueuedPacket& packet, bool accept, Verdicts& verdicts);
  void give(uint32_t id, uint32_t mark, bool accept, Verdicts& verdicts);
  void hold(const QueuedPacket& queued, const Packet& packet, const Ends& ends,
            const VerdictKey& about, bool accept, int64_t now_ns, Verdicts& verdicts);
  void close(uint32_t slot, bool accept, Verdicts& verdicts);
  void linger(const Held& held, bool accept, int64_t now_ns);

  const FirstPacketOptions options_;
  const HashSecret secret_;
  VerdictCache cache_;
  HeldTable held_;
  std::shared_ptr<const AskedDevices> devices_;
  std::unordered_map<uint64_t, uint32_t, NumberHash> held_of_device_;
  std::vector<ConnectionRecord> asking_;
  std::vector<VerdictRecord> answers_;
  FirstPacketCounters counters_;
  std::function<void()> on_asking_;
};

}  // namespace homespin
