// Gates the DNS of chosen devices: names that are blocked do not exist for them, and addresses of names that are allowed are in
// the kernel's sets before the answer goes on.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connection-marks.h"
#include "dns-learner.h"
#include "dns-message.h"
#include "dns-pending.h"
#include "dns-policy.h"
#include "dns-streams.h"
#include "queue-thread.h"

namespace homespin {

/** A way to a device that goes round netfilter. */
class Answerer {
 public:
  virtual ~Answerer() = default;
  /** Sends an IP packet. False: it could not. */
  virtual bool send(uint32_t interface, uint64_t mac, bool ipv6, const std::vector<uint8_t>& packet) = 0;
};

struct DnsGateCounters {
  uint64_t queries = 0;
  uint64_t answers = 0;
  /** Queries answered here, and answers made "no such name". */
  uint64_t refused = 0;
  uint64_t blanked = 0;
  /** Addresses put into sets, and what could not be. */
  uint64_t learned = 0;
  uint64_t over_cap = 0;
  uint64_t failed = 0;
  uint64_t malformed = 0;
  /** Addresses that names may not have: protected ones, and those of the home for names of the internet. */
  uint64_t unfit = 0;
  /** Packets of devices without a policy. */
  uint64_t free = 0;
  /** Events that nobody took in time. */
  uint64_t events_lost = 0;
};

/** A name that was refused. */
struct RefusedName {
  Owner who;
  std::string name;
  uint32_t count;
};

/** Everything but `carry_out` is called with the thread's mutex held. */
class DnsGate final : public PacketHandler, private StreamHost {
 public:
  /** `answer_mark`: bits that the mark of each answer gets. */
  DnsGate(const HashSecret& secret, DnsElements::Limits limits, uint32_t answer_mark, ElementSink& sink,
          ConnectionMarks& marks, Answerer& answerer);

  void packet(const QueuedPacket& packet, int64_t now_ns, Verdicts& verdicts) override;
  void prepare(int64_t now_ns) override;
  void carry_out() override;
  int64_t settle(int64_t now_ns, Verdicts& verdicts) override;
  void end(Verdicts& verdicts) override;

  void set_policy(std::shared_ptr<const DnsPolicy> policy);
  /** False: too many wait to be looked at. */
  bool hear(HeardName heard);
  /** Once what the policy takes back is out of the sets. */
  void take_marks(MarkOrder order) { mark_orders_.push_back(std::move(order)); }
  /** The sets were emptied or made anew by somebody else: writes all elements again. */
  void restore() { restore_ = true; }
  /** From now on tells again and again that these interfaces are served, so that what would wait for a gate that hangs passes. */
  void serve(std::vector<std::string> interfaces) {
    served_ = std::move(interfaces);
    serve_ns_ = 0;
  }
  void on_events(std::function<void()> call) { on_events_ = std::move(call); }
  std::vector<RefusedName> take_refused();
  std::vector<LearnedAddress> take_learned() { return learner_.take_learned(); }
  std::vector<MarksTaken> take_marks_taken() { return std::exchange(marks_taken_, {}); }
  const DnsElements& elements() const { return learner_.elements(); }
  DnsGateCounters counters() const;
  uint64_t segments_expired() const { return answers_.expired() + queries_.expired(); }
  const HashSecret& secret() const { return secret_; }

 private:
  /** What clients send over TCP, of devices that get only what is understood. */
  class Queries final : public StreamHost {
   public:
    explicit Queries(DnsGate& gate) : gate_(gate) {}
    Fate judge(uint8_t* message, size_t size, const Asker&) override { return gate_.judge_query(message, size); }
    bool possible(size_t size) override { return size <= kMostQuery; }
    bool wanted(const uint8_t*, size_t) override { return true; }
    void accept(uint32_t id) override { gate_.accept(id); }
    void drop(uint32_t id) override { gate_.drop(id); }
    void rewrite(uint32_t id, std::vector<uint8_t> packet) override { gate_.rewrite(id, std::move(packet)); }

   private:
    DnsGate& gate_;
  };
  struct RefusedKey {
    Owner who;
    std::string name;
    bool operator==(const RefusedKey& other) const { return who == other.who && name == other.name; }
  };
  struct RefusedHash {
    HashSecret secret;
    size_t operator()(const RefusedKey& key) const {
      return NumberHash{secret}(key.who.mac) ^ IpHash{secret}(key.who.ip) ^ std::hash<std::string>{}(key.name);
    }
  };
  struct Accepted {
    uint32_t id;
    uint32_t mark;
  };

  Fate judge(uint8_t* message, size_t size, const Asker& asker) override;
  bool possible(size_t) override { return true; }
  bool wanted(const uint8_t* start, size_t size) override;
  void accept(uint32_t id) override { accepted_.push_back({id, mark_}); }
  void drop(uint32_t id) override { dropped_.push_back(id); }
  void rewrite(uint32_t id, std::vector<uint8_t> packet) override {
    rewritten_.push_back({{id, mark_}, std::move(packet)});
  }
  Fate judge_query(const uint8_t* message, size_t size);

  const GatedDevice* device_of(const QueuedPacket& queued, const Packet* packet) const;
  void query(const QueuedPacket& queued, const Packet& packet, const Ends& ends);
  void answer(const QueuedPacket& queued, const Packet& packet, const Ends& ends);
  void tcp_answer(const QueuedPacket& queued, const Packet& packet, const Ends& ends);
  /** What becomes of an answer; its addresses are noted for the sets. */
  NameVerdict examine(const GatedDevice& device, const uint8_t* message, size_t size, const DnsQuestion& question,
                      Belief belief, bool& sound);
  /** Whether who gets this answer may not keep it for longer than its addresses are open. */
  bool shortens(const GatedDevice& device, NameVerdict verdict) const;
  /** An answer over UDP with other bytes of its own size, or fewer. */
  void pass_edited(const QueuedPacket& queued, const Packet& packet, std::vector<uint8_t> made);
  void hear_some(int64_t now_ns);
  void note_refused(const Asker& asker, std::string_view name);

  const HashSecret secret_;
  const uint32_t answer_mark_;
  ElementSink& sink_;
  ConnectionMarks& marks_;
  Answerer& answerer_;
  std::shared_ptr<const DnsPolicy> policy_;
  bool policy_is_new_ = false;
  bool restore_ = false;
  /** When what the kernel did not take is tried again, and how long is waited then. */
  int64_t retry_ns_ = INT64_MAX;
  int64_t retry_wait_ns_;
  std::vector<std::string> served_;
  /** When it has to be told again. */
  int64_t serve_ns_ = 0;
  DnsLearner learner_;
  PendingQueries pending_;
  DnsStreams answers_;
  Queries query_host_{*this};
  DnsStreams queries_;
  int64_t now_ns_ = 0;
  int64_t started_ns_;
  /** The resolver whose answer is at hand is believed. */
  bool trusted_ = true;
  DnsAnswer records_;
  DnsQuestion question_;
  std::vector<uint8_t> scratch_;
  /** What the packet at hand is marked with if it is accepted; of segments that waited, the same of their connection's last. */
  uint32_t mark_ = 0;
  std::vector<Accepted> accepted_;
  std::vector<uint32_t> dropped_;
  std::vector<std::pair<Accepted, std::vector<uint8_t>>> rewritten_;
  std::deque<HeardName> heard_;
  std::vector<MarkOrder> mark_orders_;
  std::unordered_map<RefusedKey, uint32_t, RefusedHash> refused_;
  std::vector<MarksTaken> marks_taken_;
  DnsGateCounters counters_;
  std::function<void()> on_events_;

  /** For `carry_out`, which others do not touch. */
  struct Work {
    std::vector<SetChange> changes;
    size_t failed = 0;
    std::vector<std::string> served;
    bool anew = false;
    std::vector<MarkOrder> orders;
    std::vector<MarksTaken> taken;
  };
  Work work_;
};

}  // namespace homespin
