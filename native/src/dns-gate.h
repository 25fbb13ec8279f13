// Gates the DNS of chosen devices: names that are blocked do not exist for them, and addresses of names that are allowed are in
// the kernel's sets before the answer goes on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dns-elements.h"
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
  /** Packets of devices without a policy. */
  uint64_t free = 0;
  /** Events that nobody took in time. */
  uint64_t events_lost = 0;
};

/** A name that was refused. */
struct RefusedName {
  uint64_t mac;
  std::string name;
  uint32_t count;
};

/** An address that went into a set. */
struct LearnedAddress {
  uint64_t mac;
  Ip ip;
  uint8_t kind;
  std::string name;
};

/** Addresses of a name that were heard elsewhere. */
struct HeardName {
  /** 0: it is not said who resolved it; only blocks follow from it. */
  uint64_t mac;
  std::vector<std::string> names;
  std::vector<Ip> ips;
  uint32_t ttl_s;
};

/** Everything is called with the thread's mutex held. */
class DnsGate final : public PacketHandler, private StreamHost {
 public:
  /** `answer_mark`: bits that the mark of each answer gets. */
  DnsGate(const HashSecret& secret, DnsElements::Limits limits, uint32_t answer_mark, ElementSink& sink,
          Answerer& answerer);

  void packet(const QueuedPacket& packet, int64_t now_ns, Verdicts& verdicts) override;
  int64_t settle(int64_t now_ns, Verdicts& verdicts) override;
  void end(Verdicts& verdicts) override;

  void set_policy(std::shared_ptr<const DnsPolicy> policy);
  /** False: too many wait to be looked at. */
  bool hear(HeardName heard);
  /** The sets were emptied or made anew by somebody else: writes all elements again. */
  void restore() { restore_ = true; }
  /** From now on tells again and again that these interfaces are served, so that what would wait for a gate that hangs passes. */
  void serve(std::vector<std::string> interfaces) {
    served_ = std::move(interfaces);
    serve_ns_ = 0;
  }
  void on_events(std::function<void()> call) { on_events_ = std::move(call); }
  std::vector<RefusedName> take_refused();
  std::vector<LearnedAddress> take_learned();
  const DnsElements& elements() const { return elements_; }
  const DnsGateCounters& counters() const { return counters_; }
  uint64_t segments_expired() const { return streams_.expired(); }
  const HashSecret& secret() const { return secret_; }

 private:
  Fate judge(uint8_t* message, size_t size, uint64_t mac) override;
  bool wanted(const uint8_t* start, size_t size) override;
  void accept(uint32_t id) override { accepted_.push_back({id, mark_}); }
  void drop(uint32_t id) override { dropped_.push_back(id); }
  void rewrite(uint32_t id, std::vector<uint8_t> packet) override {
    rewritten_.push_back({{id, mark_}, std::move(packet)});
  }

  const GatedDevice* device_of(const QueuedPacket& queued, const Packet* packet) const;
  void query(const QueuedPacket& queued, const Packet& packet, const Ends& ends);
  void answer(const QueuedPacket& queued, const Packet& packet, const Ends& ends);
  NameVerdict examine(const GatedDevice& device, const uint8_t* message, size_t size,
                      const DnsQuestion& question, bool open, bool& sound);
  /** Notes what follows from a judgement for an address. `open`: it is believed enough to open something. */
  void conclude(const GatedDevice& device, const Judgement& judgement, const Ip& ip, uint32_t ttl_s,
                const std::string& name, bool open);
  void learn(uint64_t mac, const Ip& ip, ElementKind kind, uint32_t ttl_s, const std::string& name);
  void hear_now(const HeardName& heard);
  void commit();
  void note_refused(uint64_t mac, std::string_view name);
  bool stands(const ElementKey& key, const std::string& name) const;

  const HashSecret secret_;
  const uint32_t answer_mark_;
  ElementSink& sink_;
  Answerer& answerer_;
  std::shared_ptr<const DnsPolicy> policy_;
  bool policy_is_new_ = false;
  bool restore_ = false;
  /** When what the kernel did not take is tried again. */
  int64_t retry_ns_ = INT64_MAX;
  std::vector<std::string> served_;
  /** When it has to be told again. */
  int64_t serve_ns_ = 0;
  DnsElements elements_;
  PendingQueries pending_;
  DnsStreams streams_;
  int64_t now_ns_ = 0;
  int64_t started_ns_;
  bool trusted_ = true;
  DnsAnswer records_;
  DnsQuestion question_;
  std::vector<uint8_t> scratch_;
  std::vector<SetChange> changes_;
  /** What the packet at hand is marked with if it is accepted; of segments that waited, the same of their connection's last. */
  uint32_t mark_ = 0;
  struct Accepted {
    uint32_t id;
    uint32_t mark;
  };
  std::vector<Accepted> accepted_;
  std::vector<uint32_t> dropped_;
  std::vector<std::pair<Accepted, std::vector<uint8_t>>> rewritten_;
  std::vector<HeardName> heard_;
  std::map<std::pair<uint64_t, std::string>, uint32_t, std::less<>> refused_;
  std::vector<LearnedAddress> learned_;
  DnsGateCounters counters_;
  std::function<void()> on_events_;
};

}  // namespace homespin
