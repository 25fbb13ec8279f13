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
constexpr int64_t kLongestRetryNs = 5 * kSecond;
constexpr size_t kMostRefused = 1024;
constexpr size_t kMostHeard = 16384;
/** What was heard is looked at for so long at a time, and while so few elements wait: answers are not to wait for it. */
constexpr int64_t kHearNs = 2'000'000;
constexpr size_t kHearElements = 256;
/** Segments that wait over TCP, of answers and of questions. */
constexpr size_t kMostAnswers = 72;
constexpr size_t kMostQueries = 24;

}  // namespace

DnsGate::DnsGate(const HashSecret& secret, DnsElements::Limits limits, uint32_t answer_mark,
                 ElementSink& sink, ConnectionMarks& marks, Answerer& answerer)
    : secret_(secret),
      answer_mark_(answer_mark),
      sink_(sink),
      marks_(marks),
      answerer_(answerer),
      retry_wait_ns_(kRetryNs),
      learner_(secret, limits, boot_ns()),
      pending_(secret),
      answers_(*this, kMostAnswers),
      queries_(query_host_, kMostQueries),
      started_ns_(boot_ns()),
      refused_(16, RefusedHash{secret}) {}

void DnsGate::set_policy(std::shared_ptr<const DnsPolicy> policy) {
  policy_ = std::move(policy);
  learner_.follow(policy_);
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
  // A device that is asked may be gated too: here it is who sent it that counts.
  const uint32_t known = policy_->index.by_mac(sender);
  const GatedDevice* found = known != DeviceIndex::kNone ? &policy_->devices[known] : policy_->of_ip(ends.from);
  if (found == nullptr) found = policy_->of_mac(sender);
  if (found == nullptr) {
    counters_.free++;
    return accept(queued.id);
  }
  const GatedDevice& device = *found;
  // A device that is known by its address alone may sit behind another router, whose MAC this is.
  const uint64_t mac = device.mac != 0 ? device.mac : policy_->of_ip(ends.from) == nullptr ? sender : 0;
  const Asker asker{mac, ends.from};
  if (packet.key.protocol == kProtocolTcp) {
    // The answer is blanked: one of our own would not fit into the connection.
    answers_.note(packet, asker, now_ns_);
    return device.closed() ? queries_.take(queued, packet, asker, now_ns_) : accept(queued.id);
  }
  const uint8_t* const message = packet.body + packet.header_bytes;
  const size_t size = packet.body_captured - packet.header_bytes;
  const bool read = read_question(message, size, question_) && !question_.response;
  if (!read || (device.closed() && !is_plain_query(message, size, question_))) {
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
  note_refused(asker, question_.text());
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

Fate DnsGate::judge_query(const uint8_t* message, size_t size) {
  if (read_question(message, size, question_) && is_plain_query(message, size, question_)) return Fate::kPass;
  counters_.malformed++;
  return Fate::kDrop;
}

void DnsGate::tcp_answer(const QueuedPacket& queued, const Packet& packet, const Ends& ends) {
  Asker asker{0, ends.to};
  answers_.asker_of(packet, asker);
  const GatedDevice* const device = policy_->of_ip(ends.to);
  if (asker.mac == 0 && device != nullptr) asker.mac = device->mac;
  if (policy_->of(asker) != nullptr) return answers_.take(queued, packet, asker, now_ns_);
  counters_.free++;
  accept(queued.id);
}

void DnsGate::answer(const QueuedPacket& queued, const Packet& packet, const Ends& ends) {
  trusted_ = policy_->trusts(ends.from);
  if (packet.key.protocol == kProtocolTcp) return tcp_answer(queued, packet, ends);
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
  const bool early = trusted_ && now_ns_ < started_ns_ + kWarmUpNs;
  const Belief belief = pending == nullptr && !early ? Belief::kNone : trusted_ ? Belief::kBelieved : Belief::kAsked;
  bool sound;
  const NameVerdict verdict = examine(*device, message, size, question_, belief, sound);
  if (!sound) {
    counters_.malformed++;
    if (device->closed()) return drop(queued.id);
  }
  const size_t head = static_cast<size_t>(message - queued.data);
  if (verdict != NameVerdict::kBlocked && verdict != NameVerdict::kRefused) {
    if (queued.gso || !sound || !shortens(*device, verdict)) return accept(queued.id);
    std::vector<uint8_t> made(queued.data, packet.body + packet.body_captured);
    lower_ttls(made.data() + head, size, question_, kLongestTtlS);
    return pass_edited(queued, packet, std::move(made));
  }
  if (pending != nullptr && pending->answered) return drop(queued.id);
  note_refused({pending != nullptr ? pending->mac : device->mac, ends.to}, question_.text());
  counters_.blanked++;
  if (queued.gso) return drop(queued.id);
  std::vector<uint8_t> made(queued.data, queued.data + head);
  made.resize(head + nxdomain_bytes(question_.end));
  made.resize(head + put_nxdomain(message, question_, records_.edns, made.data() + head));
  pass_edited(queued, packet, std::move(made));
}

void DnsGate::pass_edited(const QueuedPacket& queued, const Packet& packet, std::vector<uint8_t> made) {
  seal_packet(made.data(), made.size(), static_cast<size_t>(packet.body - queued.data), kProtocolUdp,
              packet.key.ipv6 != 0);
  rewrite(queued.id, std::move(made));
}

NameVerdict DnsGate::examine(const GatedDevice& device, const uint8_t* message, size_t size,
                             const DnsQuestion& question, Belief belief, bool& sound) {
  sound = read_answer(message, size, question, records_);
  size_t decider;
  const Judgement judgement = policy_->judge(device, records_.names, decider);
  if (!sound) return judgement.verdict;
  for (const DnsAddress& address : records_.addresses) {
    learner_.conclude(device, judgement, address.ip, address.ttl_s, records_.names, decider, belief, now_ns_);
  }
  return judgement.verdict;
}

bool DnsGate::shortens(const GatedDevice& device, NameVerdict verdict) const {
  return (device.closed() || verdict == NameVerdict::kAllowed) && records_.longest_ttl_s > kLongestTtlS;
}

Fate DnsGate::judge(uint8_t* message, size_t size, const Asker& asker) {
  const GatedDevice* const device = policy_ == nullptr ? nullptr : policy_->of(asker);
  if (device == nullptr) return Fate::kPass;
  if (!read_question(message, size, question_) || !question_.response) {
    counters_.malformed++;
    return device->closed() ? Fate::kDrop : Fate::kPass;
  }
  counters_.answers++;
  // Who opened the connection asked.
  const Belief belief = trusted_ ? Belief::kBelieved : Belief::kAsked;
  bool sound;
  const NameVerdict verdict = examine(*device, message, size, question_, belief, sound);
  if (!sound) counters_.malformed++;
  if (!sound && device->closed()) return Fate::kDrop;
  if (verdict != NameVerdict::kBlocked && verdict != NameVerdict::kRefused) {
    if (!sound || !shortens(*device, verdict)) return Fate::kPass;
    return lower_ttls(message, size, question_, kLongestTtlS) ? Fate::kEdited : Fate::kPass;
  }
  note_refused(asker, question_.text());
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

void DnsGate::hear_some(int64_t now_ns) {
  if (policy_ == nullptr) return heard_.clear();
  while (!heard_.empty() && learner_.elements().waiting() < kHearElements && boot_ns() - now_ns < kHearNs) {
    learner_.hear(heard_.front(), now_ns);
    heard_.pop_front();
  }
}

void DnsGate::note_refused(const Asker& asker, std::string_view name) {
  const Owner who = asker.mac != 0 ? Owner{asker.mac, {}} : Owner{0, asker.ip};
  RefusedKey key{who, std::string(name)};
  const auto found = refused_.find(key);
  if (found != refused_.end()) {
    found->second++;
  } else if (refused_.size() < kMostRefused) {
    refused_.emplace(std::move(key), 1);
  } else {
    counters_.events_lost++;
  }
}

void DnsGate::prepare(int64_t now_ns) {
  now_ns_ = now_ns;
  DnsElements& elements = learner_.elements();
  if (std::exchange(policy_is_new_, false)) learner_.revise(now_ns);
  work_.anew = std::exchange(restore_, false);
  if (work_.anew || now_ns >= retry_ns_) {
    elements.repeat(now_ns, !work_.anew);
    retry_ns_ = INT64_MAX;
  }
  work_.served.clear();
  if (!served_.empty() && (work_.anew || now_ns >= serve_ns_)) {
    work_.served = served_;
    serve_ns_ = now_ns + kServeNs;
  }
  hear_some(now_ns);
  elements.take(now_ns, work_.changes);
  work_.orders.swap(mark_orders_);
}

void DnsGate::carry_out() {
  if (!work_.served.empty()) sink_.serve(work_.served, kServedMs, work_.anew);
  // The sets first: who has its answer connects at once.
  work_.failed = work_.changes.empty() ? 0 : sink_.write(work_.changes);
  for (const MarkOrder& order : work_.orders) work_.taken.push_back(marks_.take(order));
  work_.orders.clear();
}

int64_t DnsGate::settle(int64_t now_ns, Verdicts& verdicts) {
  counters_.failed += work_.failed;
  if (work_.failed > 0) {
    retry_ns_ = now_ns + retry_wait_ns_;
    retry_wait_ns_ = std::min(retry_wait_ns_ * 2, kLongestRetryNs);
  } else if (!work_.changes.empty()) {
    retry_wait_ns_ = kRetryNs;
  }
  for (const SetChange& change : work_.changes) {
    if (change.remove) continue;
    const bool written = change.timeout_ms != 0;
    learner_.elements().note(change, written, now_ns);
    if (written && !change.keep) counters_.learned++;
  }
  work_.changes.clear();
  std::move(work_.taken.begin(), work_.taken.end(), std::back_inserter(marks_taken_));
  work_.taken.clear();
  const int64_t streams = std::min(answers_.expire(now_ns), queries_.expire(now_ns));
  const auto mark = [this](const Accepted& of) { return answer_mark_ != 0 ? &of.mark : nullptr; };
  for (const Accepted& each : accepted_) verdicts.verdict(each.id, true, mark(each));
  for (const uint32_t id : dropped_) verdicts.verdict(id, false, nullptr);
  for (const auto& [of, packet] : rewritten_) {
    verdicts.rewrite(of.id, mark(of), packet.data(), packet.size());
  }
  accepted_.clear();
  dropped_.clear();
  rewritten_.clear();
  const bool tells = !refused_.empty() || learner_.has_learned() || !marks_taken_.empty();
  if (on_events_ && tells) on_events_();
  if (!heard_.empty() || !mark_orders_.empty() || policy_is_new_ || restore_) return now_ns;
  return std::min({streams, served_.empty() ? INT64_MAX : serve_ns_, retry_ns_});
}

void DnsGate::end(Verdicts& verdicts) {
  answers_.end();
  queries_.end();
  prepare(now_ns_);
  carry_out();
  settle(now_ns_, verdicts);
}

std::vector<RefusedName> DnsGate::take_refused() {
  std::vector<RefusedName> all;
  for (const auto& [key, count] : refused_) all.push_back({key.who, key.name, count});
  refused_.clear();
  return all;
}

DnsGateCounters DnsGate::counters() const {
  DnsGateCounters all = counters_;
  all.over_cap = learner_.over_cap();
  all.unfit = learner_.unfit();
  all.events_lost += learner_.events_lost();
  return all;
}

}  // namespace homespin
