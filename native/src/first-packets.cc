#include "first-packets.h"

#include <climits>

#include "link-types.h"

namespace homespin {

namespace {

/** So long a verdict on one connection holds for packets of it that come late: repeated SYNs, more datagrams. */
constexpr int64_t kLingerNs = 10'000'000'000;

}  // namespace

FirstPackets::FirstPackets(const FirstPacketOptions& options, const HashSecret& secret)
    : options_(options),
      secret_(secret),
      cache_(options.cache_buckets, secret),
      held_(options.max_held, options.max_held),
      held_of_device_(16, NumberHash{secret}) {
  asking_.reserve(options.max_held);
}

void FirstPackets::give(uint32_t id, uint32_t mark, bool accept, Verdicts& verdicts) {
  (accept ? counters_.accepted : counters_.dropped)++;
  const uint32_t marked = mark | options_.accept_mark;
  verdicts.verdict(id, accept, accept && options_.accept_mark != 0 ? &marked : nullptr);
}

void FirstPackets::decide(const QueuedPacket& packet, bool accept, Verdicts& verdicts) {
  give(packet.id, packet.mark, accept, verdicts);
}

void FirstPackets::packet(const QueuedPacket& queued, int64_t now_ns, Verdicts& verdicts) {
  if (devices_ == nullptr) {
    counters_.free++;
    return decide(queued, true, verdicts);
  }
  Packet packet;
  decode({queued.data, queued.captured, queued.length, 0, kLinkRaw, 0, 0, 0, false}, secret_, packet);
  const bool sound = packet.verdict == Verdict::kIp && !packet.later_fragment;
  const DeviceIndex& index = devices_->index;
  uint32_t device =
      queued.mac == nullptr ? DeviceIndex::kNone : index.by_mac(mac_number(queued.mac));
  if (!sound) {
    counters_.malformed++;
    return decide(queued, device == DeviceIndex::kNone || devices_->devices[device].accept, verdicts);
  }
  const Ends ends = ends_of(packet);
  bool inbound = false;
  if (device == DeviceIndex::kNone) device = index.by_ip(ends.from);
  if (device == DeviceIndex::kNone) {
    device = index.by_ip(ends.to);
    inbound = true;
  }
  if (device == DeviceIndex::kNone || to_many(ends.to)) {
    counters_.free++;
    return decide(queued, true, verdicts);
  }
  const AskedDevice& asked = devices_->devices[device];
  const Ip& remote = inbound ? ends.from : ends.to;
  VerdictKey about{asked.key, {remote.word[0], remote.word[1]}, ends.to_port, 0,
                   packet.key.protocol, packet.key.ipv6, inbound, 0};
  int known = cache_.find(about, now_ns);
  if (known < 0) {
    about.from_port = ends.from_port;
    about.single = 1;
    known = cache_.find(about, now_ns);
  }
  if (known >= 0) {
    counters_.remembered++;
    return decide(queued, known == 1, verdicts);
  }
  hold(queued, packet, ends, about, asked.accept, now_ns, verdicts);
}

void FirstPackets::hold(const QueuedPacket& queued, const Packet& packet, const Ends& ends,
                        const VerdictKey& about, bool accept, int64_t now_ns, Verdicts& verdicts) {
  uint32_t slot = held_.find(packet.key, packet.hash);
  if (slot != HeldTable::kNone) {
    if (held_.add_packet(slot, queued.id, queued.mark)) return;
    counters_.unasked++;
    return decide(queued, accept, verdicts);
  }
  uint32_t& of_device = held_of_device_[about.device];
  if (of_device < options_.max_held_per_device && asking_.size() < options_.max_held) {
    slot = held_.add(packet.key, packet.hash, about, now_ns + options_.deadline_ns, accept);
  }
  if (slot == HeldTable::kNone) {
    if (of_device == 0) held_of_device_.erase(about.device);
    counters_.unasked++;
    return decide(queued, accept, verdicts);
  }
  of_device++;
  held_.add_packet(slot, queued.id, queued.mark);
  ConnectionRecord record{};
  record.id = held_.id_of(slot);
  record.asked_ms = wall_ms();
  record.deadline_ms = record.asked_ms + static_cast<double>(options_.deadline_ns) / 1e6;
  record.device = about.device;
  std::memcpy(record.orig_ip, ends.from.word, 16);
  std::memcpy(record.resp_ip, ends.to.word, 16);
  if (queued.mac != nullptr) std::memcpy(record.mac, queued.mac, 6);
  record.orig_port = __builtin_bswap16(ends.from_port);
  record.resp_port = __builtin_bswap16(ends.to_port);
  record.protocol = packet.key.protocol;
  record.flags = static_cast<uint8_t>((packet.key.ipv6 ? kConnectionIpv6 : 0) |
                                      (about.inbound ? kConnectionInbound : 0) |
                                      (accept ? kConnectionAccepts : 0));
  asking_.push_back(record);
  counters_.asked++;
}

void FirstPackets::linger(const Held& held, bool accept, int64_t now_ns) {
  cache_.put(held.about, accept, now_ns + kLingerNs, now_ns);
}

void FirstPackets::close(uint32_t slot, bool accept, Verdicts& verdicts) {
  const uint64_t device = held_.at(slot).about.device;
  const auto count = held_of_device_.find(device);
  if (count != held_of_device_.end() && --count->second == 0) held_of_device_.erase(count);
  held_.remove(slot, [&](uint32_t id, uint32_t mark) { give(id, mark, accept, verdicts); });
}

int64_t FirstPackets::settle(int64_t now_ns, Verdicts& verdicts) {
  for (const VerdictRecord& answer : answers_) {
    const uint32_t slot = held_.of_id(answer.id);
    if (slot == HeldTable::kNone) {
      counters_.late++;
      continue;
    }
    counters_.answered++;
    const Held& held = held_.at(slot);
    const bool accept = answer.accept != 0;
    linger(held, accept, now_ns);
    if (answer.remember_ms > 0) {
      VerdictKey about = held.about;
      about.from_port = 0;
      about.single = 0;
      cache_.put(about, accept, now_ns + answer.remember_ms * int64_t{1'000'000}, now_ns);
    }
    close(slot, accept, verdicts);
  }
  answers_.clear();
  if (!asking_.empty() && on_asking_) on_asking_();
  while (held_.first() != HeldTable::kNone && held_.at(held_.first()).deadline_ns <= now_ns) {
    const Held& held = held_.at(held_.first());
    const bool accept = held.accept;
    counters_.expired++;
    linger(held, accept, now_ns);
    close(held_.first(), accept, verdicts);
  }
  return held_.first() == HeldTable::kNone ? INT64_MAX : held_.at(held_.first()).deadline_ns;
}

void FirstPackets::end(Verdicts& verdicts) {
  while (held_.first() != HeldTable::kNone) {
    close(held_.first(), held_.at(held_.first()).accept, verdicts);
  }
}

size_t FirstPackets::take(ConnectionRecord* to) {
  size_t count = 0;
  for (const ConnectionRecord& record : asking_) {
    if (held_.of_id(record.id) != HeldTable::kNone) to[count++] = record;
  }
  asking_.clear();
  return count;
}

}  // namespace homespin
