#include "dns-gate.h"

#include <algorithm>
#include <utility>

#include "link-types.h"
#include "packet-edit.h"

namespace homespin {

namespace {

constexpr uint16_t kPortDns = __builtin_bswap16(53);
constexpr int64_t kSecond = 1'000'000'000;
/** So long a query waits for its answer. */
constexpr int64_t kPendingNs = 10 * kSecond;
/** Answers to what was asked before the gate was there are believed for so long. */
constexpr int64_t kWarmUpNs = 5 * kSecond;
/** So often it is told that the queue is served, and for so long that holds. */
constexpr int64_t kServeNs = kSecond / 5;
constexpr uint32_t kServedMs = 700;
/** The tables may be on their way. */
constexpr int64_t kRetryNs = kSecond / 10;
constexpr size_t kMostRefused = 1024;
constexpr size_t kMostLearned = 4096;
constexpr size_t kMostHeard = 4096;

}  // namespace

DnsGate::DnsGate(const HashSecret& secret, DnsElements::Limits limits, uint32_t answer_mark,
                 ElementSink& sink, Answerer& answerer)
    : secret_(secret),
      answer_mark_(answer_mark),
      sink_(sink),
      answerer_(answerer),
      elements_(secret, limits),
      pending_(secret),
      streams_(*this),
      started_ns_(boot_ns()) {}

void DnsGate::set_policy(std::shared_ptr<const DnsPolicy> policy) {
  policy_ = std::move(policy);
  policy_is_new_ = true;
}

bool DnsGate::hear(HeardName heard) {
  if (heard_.size() >= kMostHeard) {
    counters_.events_lost++;
    return false;
  }
  heard_.push_back(std::move(heard));
  return true;
}

/** By who sent it, else by who gets it. `packet`: null where only the MAC can be read. */
const GatedDevice* DnsGate::device_of(const QueuedPacket& queued, const Packet* packet) const {
  const uint32_t known =
      queued.mac == nullptr ? DeviceIndex::kNone : policy_->index.by_mac(mac_number(queued.mac));
  if (known != DeviceIndex::kNone) return &policy_->devices[known];
  if (packet == nullptr) return nullptr;
  const Ends ends = ends_of(*packet);
  const GatedDevice* const device = policy_->of_ip(ends.from);
  return device != nullptr ? device : policy_->of_ip(ends.to);
}

void DnsGate::packet(const QueuedPacket& queued, int64_t now_ns, Verdicts&) {
  now_ns_ = now_ns;
  mark_ = queued.mark;
  if (policy_ == nullptr) {
    mark_ |= answer_mark_;
    counters_.free++;
    return accept(queued.id);
  }
  Packet packet;
  decode({queued.data, queued.captured, queued.length, 0, kLinkRaw, 0, 0, 0, false}, secret_, packet);
  const bool ip = packet.verdict == Verdict::kIp;
  const bool whole = ip && !packet.fragment && queued.captured == queued.length &&
                     packet.header_bytes > 0;
  if (!whole) {
    // A piece, a copy that was cut, or what is no packet: whose device may only get what was understood does not get it.
    const GatedDevice* const device = device_of(queued, ip ? &packet : nullptr);
    counters_.malformed++;
    return device != nullptr && device->closed() ? drop(queued.id) : accept(queued.id);
  }
  const Ends ends = ends_of(packet);
  if (ends.to_port == kPortDns) return query(queued, packet, ends);
  // Rules behind the queue in the same chain are not asked about what comes out of it.
  mark_ |= answer_mark_;
  if (ends.from_port == kPortDns) return answer(queued, packet, ends);
  counters_.free++;
  accept(queued.id);
}

void DnsGate::query(const QueuedPacket& queued, const Packet& packet, const Ends& ends) {
  const uint64_t sender = queued.mac == nullptr ? 0 : mac_number(queued.mac);
  const GatedDevice* found = device_of(queued, &packet);
  if (found == nullptr) found = policy_->of_mac(sender);
  if (found == nullptr) {
    counters_.free++;
    return accept(queued.id);
  }
  const GatedDevice& device = *found;
  // A device that is known by its address alone may sit behind another router, whose MAC this is.
  const uint64_t mac = device.mac != 0 ? device.mac : policy_->of_ip(ends.from) == nullptr ? sender : 0;
  if (packet.key.protocol == kProtocolTcp) {
    // Over TCP the answer is blanked: one of our own would not fit into the connection.
    streams_.from_client(packet, mac, now_ns_);
    return accept(queued.id);
  }
  const uint8_t* const message = packet.body + packet.header_bytes;
  const size_t size = packet.body_captured - packet.header_bytes;
  if (!read_question(message, size, question_) || question_.response) {
    counters_.malformed++;
    return device.closed() ? drop(queued.id) : accept(queued.id);
  }
  counters_.queries++;
  const NameVerdict verdict = policy_->judge(device, question_.text()).verdict;
  PendingQuery pending{ends.from, mac, std::hash<std::string_view>{}(question_.text()),
                       now_ns_ + kPendingNs, ends.from_port, question_.id, false};
  if (verdict != NameVerdict::kBlocked && verdict != NameVerdict::kRefused) {
    pending_.add(pending);
    return accept(queued.id);
  }
  note_refused(mac, question_.text());
  if (queued.mac != nullptr && queued.in_interface != 0) {
    uint8_t made[kMaxNameText + 64];
    const bool edns = has_edns(message, size, question_);
    const size_t bytes = put_nxdomain(message, question_, edns, made);
    put_datagram(scratch_, ends.to, ends.to_port, ends.from, ends.from_port, made, bytes);
    pending.answered = answerer_.send(queued.in_interface, sender, ends.from.ipv6, scratch_);
  }
  if (pending.answered) counters_.refused++;
  pending_.add(pending);
  // What is blocked is asked all the same, for its addresses; what is only refused need not leave the home.
  const bool stays = verdict == NameVerdict::kRefused && pending.answered;
  stays ? drop(queued.id) : accept(queued.id);
}

void DnsGate::answer(const QueuedPacket& queued, const Packet& packet, const Ends& ends) {
  trusted_ = policy_->trusts(ends.from);
  if (packet.key.protocol == kProtocolTcp) {
    uint64_t mac = streams_.mac_of(packet);
    const GatedDevice* const device = policy_->of_ip(ends.to);
    if (mac == 0 && device != nullptr) mac = device->mac;
    if (policy_->of_mac(mac) != nullptr) return streams_.from_server(queued, packet, mac, now_ns_);
    counters_.free++;
    return accept(queued.id);
  }
  const uint8_t* const message = packet.body + packet.header_bytes;
  const size_t size = packet.body_captured - packet.header_bytes;
  const bool read = read_question(message, size, question_) && question_.response;
  const PendingQuery* pending = nullptr;
  if (read) {
    pending = pending_.find(ends.to, ends.to_port, question_.id, now_ns_);
    const bool same = pending != nullptr &&
                      pending->name_hash == std::hash<std::string_view>{}(question_.text());
    if (!same) pending = nullptr;
  }
  const GatedDevice* device = pending == nullptr ? nullptr : policy_->of_mac(pending->mac);
  if (device == nullptr) device = policy_->of_ip(ends.to);
  if (device == nullptr) {
    counters_.free++;
    return accept(queued.id);
  }
  if (!read) {
    counters_.malformed++;
    return device->closed() ? drop(queued.id) : accept(queued.id);
  }
  counters_.answers++;
  // What nobody asked for opens nothing.
  const bool open = pending != nullptr || now_ns_ < started_ns_ + kWarmUpNs;
  bool sound;
  const NameVerdict verdict = examine(*device, message, size, question_, open, sound);
  if (!sound) {
    counters_.malformed++;
    if (device->closed()) return drop(queued.id);
  }
  if (verdict != NameVerdict::kBlocked && verdict != NameVerdict::kRefused) return accept(queued.id);
  if (pending != nullptr && pending->answered) return drop(queued.id);
  note_refused(pending != nullptr ? pending->mac : device->mac, question_.text());
  counters_.blanked++;
  if (queued.gso) return drop(queued.id);
  const size_t head = static_cast<size_t>(message - queued.data);
  std::vector<uint8_t> made(queued.data, queued.data + head);
  made.resize(head + nxdomain_bytes(question_.end));
  made.resize(head + put_nxdomain(message, question_, records_.edns, made.data() + head));
  seal_packet(made.data(), made.size(), static_cast<size_t>(packet.body - queued.data), kProtocolUdp, ends.to.ipv6);
  rewrite(queued.id, std::move(made));
}

/** What becomes of an answer; its addresses are noted for the sets. */
NameVerdict DnsGate::examine(const GatedDevice& device, const uint8_t* message, size_t size,
                             const DnsQuestion& question, bool open, bool& sound) {
  sound = read_answer(message, size, question, records_);
  size_t decider;
  const Judgement judgement = policy_->judge(device, records_.names, decider);
  if (!sound) return judgement.verdict;
  for (const DnsAddress& address : records_.addresses) {
    conclude(device, judgement, address.ip, address.ttl_s, records_.names[decider], open && trusted_);
  }
  return judgement.verdict;
}

void DnsGate::conclude(const GatedDevice& device, const Judgement& judgement, const Ip& ip,
                       uint32_t ttl_s, const std::string& name, bool open) {
  const uint64_t mac = judgement.everyone ? 0 : device.mac;
  const bool whose = judgement.everyone || device.mac != 0;
  if (judgement.verdict == NameVerdict::kBlocked && whose && policy_->blockable(ip)) {
    learn(mac, ip, kShut, ttl_s, name);
  }
  if (!open || judgement.verdict == NameVerdict::kBlocked || judgement.verdict == NameVerdict::kRefused) return;
  const bool allowed = judgement.verdict == NameVerdict::kAllowed;
  if (allowed && whose) learn(mac, ip, kOpen, ttl_s, name);
  // What was resolved goes on when the name has expired, other than an exception.
  if (device.mac != 0 && (device.no_dns_no_connect || (allowed && device.allow_list))) {
    learn(device.mac, ip, kResolved, ttl_s, name);
  }
}

void DnsGate::learn(uint64_t mac, const Ip& ip, ElementKind kind, uint32_t ttl_s, const std::string& name) {
  const size_t before = changes_.size();
  if (!elements_.add(mac, ip, kind, ttl_s, name, now_ns_, changes_)) {
    counters_.over_cap++;
    return;
  }
  if (changes_.size() == before) return;
  if (learned_.size() == kMostLearned) {
    counters_.events_lost++;
  } else {
    learned_.push_back({mac, ip, static_cast<uint8_t>(kind), name});
  }
}

Fate DnsGate::judge(uint8_t* message, size_t size, uint64_t mac) {
  const GatedDevice* const device = policy_ == nullptr ? nullptr : policy_->of_mac(mac);
  if (device == nullptr) return Fate::kPass;
  if (!read_question(message, size, question_) || !question_.response) {
    counters_.malformed++;
    return device->closed() ? Fate::kDrop : Fate::kPass;
  }
  counters_.answers++;
  bool sound;
  const NameVerdict verdict = examine(*device, message, size, question_, true, sound);
  if (!sound) counters_.malformed++;
  if (!sound && device->closed()) return Fate::kDrop;
  if (verdict != NameVerdict::kBlocked && verdict != NameVerdict::kRefused) return Fate::kPass;
  note_refused(mac, question_.text());
  counters_.blanked++;
  blank_answer(message, size, question_, records_.edns);
  return Fate::kBlank;
}

bool DnsGate::wanted(const uint8_t* start, size_t size) {
  DnsQuestion question;
  // Too little to know: the rest is waited for.
  if (!read_question(start, size, question)) return true;
  return leads_to_addresses(question.type);
}

void DnsGate::hear_now(const HeardName& heard) {
  const auto about = [&](const GatedDevice& device) {
    size_t decider;
    const Judgement judgement = policy_->judge(device, heard.names, decider);
    for (const Ip& ip : heard.ips) {
      conclude(device, judgement, ip, heard.ttl_s, heard.names[decider], heard.mac != 0);
    }
  };
  if (heard.mac == 0) {
    for (const GatedDevice& device : policy_->devices) about(device);
    if (policy_->otherwise != nullptr) about(*policy_->otherwise);
  } else if (const GatedDevice* const device = policy_->of_mac(heard.mac)) {
    about(*device);
  }
}

void DnsGate::note_refused(uint64_t mac, std::string_view name) {
  const auto found = refused_.find(std::pair<uint64_t, std::string>(mac, name));
  if (found != refused_.end()) {
    found->second++;
  } else if (refused_.size() < kMostRefused) {
    refused_.emplace(std::pair<uint64_t, std::string>(mac, name), 1);
  } else {
    counters_.events_lost++;
  }
}

/** Whether an element would come to be again. */
bool DnsGate::stands(const ElementKey& key, const std::string& name) const {
  if (policy_ == nullptr || (key.kind == kShut && !policy_->blockable(key.ip))) return false;
  const NameVerdict shall = key.kind == kShut ? NameVerdict::kBlocked : NameVerdict::kAllowed;
  if (key.mac == 0) {
    const GatedDevice nobody{};
    return policy_->judge(nobody, name).verdict == shall;
  }
  const uint32_t index = policy_->index.by_mac(key.mac);
  if (index == DeviceIndex::kNone) return false;
  const GatedDevice& device = policy_->devices[index];
  const Judgement judgement = policy_->judge(device, name);
  if (key.kind != kResolved) return judgement.verdict == shall && !judgement.everyone;
  if (judgement.verdict == NameVerdict::kAllowed) return device.no_dns_no_connect || device.allow_list;
  return device.no_dns_no_connect && judgement.verdict == NameVerdict::kNothing;
}

void DnsGate::commit() {
  if (changes_.empty()) return;
  const size_t failed = sink_.write(changes_);
  counters_.failed += failed;
  if (failed > 0) retry_ns_ = now_ns_ + kRetryNs;
  for (const SetChange& change : changes_) {
    if (change.remove) continue;
    const bool written = change.timeout_ms != 0;
    elements_.note(change, written);
    if (written && !change.keep) counters_.learned++;
  }
  changes_.clear();
}

int64_t DnsGate::settle(int64_t now_ns, Verdicts& verdicts) {
  now_ns_ = now_ns;
  if (policy_is_new_) {
    policy_is_new_ = false;
    elements_.revise([this](const ElementKey& key, const std::string& name) { return stands(key, name); },
                     now_ns, changes_);
  }
  const bool anew = std::exchange(restore_, false);
  if (anew || now_ns >= retry_ns_) {
    elements_.repeat(now_ns, !anew, changes_);
    retry_ns_ = INT64_MAX;
  }
  if (!served_.empty() && (anew || now_ns >= serve_ns_)) {
    sink_.serve(served_, kServedMs, anew);
    serve_ns_ = now_ns + kServeNs;
  }
  if (policy_ != nullptr) {
    for (const HeardName& heard : heard_) hear_now(heard);
  }
  heard_.clear();
  const int64_t streams = streams_.expire(now_ns);
  // The sets first: who has its answer connects at once.
  commit();
  const auto mark = [this](const Accepted& of) { return answer_mark_ != 0 ? &of.mark : nullptr; };
  for (const Accepted& each : accepted_) verdicts.verdict(each.id, true, mark(each));
  for (const uint32_t id : dropped_) verdicts.verdict(id, false, nullptr);
  for (const auto& [of, packet] : rewritten_) {
    verdicts.rewrite(of.id, mark(of), packet.data(), packet.size());
  }
  accepted_.clear();
  dropped_.clear();
  rewritten_.clear();
  if (on_events_ && (!refused_.empty() || !learned_.empty())) on_events_();
  return std::min({streams, served_.empty() ? INT64_MAX : serve_ns_, retry_ns_});
}

void DnsGate::end(Verdicts& verdicts) {
  streams_.end();
  settle(now_ns_, verdicts);
}

std::vector<RefusedName> DnsGate::take_refused() {
  std::vector<RefusedName> all;
  for (const auto& [key, count] : refused_) all.push_back({key.first, key.second, count});
  refused_.clear();
  return all;
}

std::vector<LearnedAddress> DnsGate::take_learned() { return std::exchange(learned_, {}); }

}  // namespace homespin
