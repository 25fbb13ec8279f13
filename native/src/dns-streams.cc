#include "dns-streams.h"

#include <algorithm>
#include <climits>

#include "packet-edit.h"

namespace homespin {

namespace {

/** So long segments wait for the rest of their message. */
constexpr int64_t kWaitNs = 200'000'000;
constexpr size_t kMostBytes = 72 * 1024;
constexpr uint8_t kMostGaps = 3;

bool same(const FlowKey& a, const FlowKey& b) {
  return a.a[0] == b.a[0] && a.a[1] == b.a[1] && a.b[0] == b.b[0] && a.b[1] == b.b[1] &&
         a.port_a == b.port_a && a.port_b == b.port_b && a.ipv6 == b.ipv6;
}

uint32_t sequence_of(const Packet& packet) { return be32(packet.body + 4); }

}  // namespace

DnsStreams::Stream* DnsStreams::find(const Packet& packet) {
  Stream* const bucket = &streams_[packet.hash % kBuckets * kWays];
  for (size_t i = 0; i < kWays; i++) {
    if (bucket[i].used && bucket[i].hash == packet.hash && same(bucket[i].key, packet.key)) return &bucket[i];
  }
  return nullptr;
}

bool DnsStreams::asker_of(const Packet& packet, Asker& asker) const {
  const Stream* const stream = const_cast<DnsStreams*>(this)->find(packet);
  if (stream != nullptr) asker = stream->asker;
  return stream != nullptr;
}

DnsStreams::Stream& DnsStreams::make(const Packet& packet, const Asker& asker, int64_t now_ns) {
  Stream* stream = find(packet);
  if (stream == nullptr) {
    Stream* const bucket = &streams_[packet.hash % kBuckets * kWays];
    stream = std::min_element(bucket, bucket + kWays,
                              [](const Stream& a, const Stream& b) { return a.last_ns < b.last_ns; });
    drop_held(*stream);
    *stream = Stream{};
    stream->key = packet.key;
    stream->hash = packet.hash;
    stream->used = true;
  }
  stream->asker = asker;
  stream->last_ns = now_ns;
  return *stream;
}

void DnsStreams::note(const Packet& packet, const Asker& asker, int64_t now_ns) {
  Stream& stream = make(packet, asker, now_ns);
  if (packet.tcp_flags & (kSyn | kRst)) {
    drop_held(stream);
    stream.synced = false;
    stream.skip = 0;
  }
}

void DnsStreams::take(const QueuedPacket& queued, const Packet& packet, const Asker& asker, int64_t now_ns) {
  Stream& stream = make(packet, asker, now_ns);
  const uint32_t sequence = sequence_of(packet);
  const uint32_t bytes = packet.body_captured - packet.header_bytes;
  if (packet.tcp_flags & kSyn) {
    drop_held(stream);
    // Data in a first segment (RFC 7413) is sent again in one of its own.
    if (bytes > 0) return host_.drop(queued.id);
    stream.synced = true;
    stream.next = sequence + 1;
    stream.skip = 0;
    return host_.accept(queued.id);
  }
  if (bytes == 0) return host_.accept(queued.id);
  if (!stream.synced) {
    stream.synced = true;
    stream.next = sequence;
  }
  const int32_t ahead = static_cast<int32_t>(sequence - stream.next);
  if (ahead > 0) {
    // What comes before its turn comes again after what is missing; but what passed a full queue unseen never comes.
    if (++stream.gaps <= kMostGaps) return host_.drop(queued.id);
    drop_held(stream);
    stream.next = sequence;
    stream.skip = 0;
  }
  stream.gaps = 0;
  const size_t body = static_cast<size_t>(packet.body - queued.data);
  Segment segment{queued.id, sequence, body, body + packet.header_bytes, queued.gso,
                  std::vector<uint8_t>(queued.data, packet.body + packet.body_captured)};
  if (static_cast<int32_t>(sequence - stream.next) < 0) {
    // Sent again: the same bytes have to come to the same, as the first may be lost. Judged by itself, as it most likely began.
    Stream again;
    again.asker = asker;
    again.held.push_back(std::move(segment));
    std::vector<uint8_t> whole(again.held[0].packet.begin() + static_cast<long>(again.held[0].payload),
                               again.held[0].packet.end());
    Fate worst = Fate::kPass;
    const size_t judged = judge_all(again, whole, worst);
    held_++;
    if (judged != whole.size()) return drop_held(again);
    if (static_cast<int32_t>(sequence + bytes - stream.next) > 0) {
      drop_held(stream);
      stream.next = sequence + bytes;
      stream.skip = again.skip;
    }
    return release(again, 1, whole, worst);
  }
  stream.next += bytes;
  if (stream.skip > 0 && stream.held.empty() && bytes <= stream.skip) {
    stream.skip -= bytes;
    return host_.accept(queued.id);
  }
  if (stream.held.empty()) stream.deadline_ns = now_ns + kWaitNs;
  stream.held.push_back(std::move(segment));
  held_++;
  assemble(stream);
}

size_t DnsStreams::judge_all(Stream& stream, std::vector<uint8_t>& bytes, Fate& worst) {
  size_t at = std::min<size_t>(stream.skip, bytes.size());
  stream.skip -= static_cast<uint32_t>(at);
  while (bytes.size() - at >= 2) {
    const size_t length = be16(&bytes[at]);
    const size_t here = bytes.size() - at - 2;
    if (!host_.possible(length)) {
      worst = Fate::kDrop;
      return bytes.size();
    }
    if (here < length) {
      if (!host_.wanted(&bytes[at + 2], here)) {
        stream.skip = static_cast<uint32_t>(length - here);
        return bytes.size();
      }
      return at;
    }
    worst = std::max(worst, host_.judge(&bytes[at + 2], length, stream.asker));
    at += 2 + length;
  }
  return at;
}

void DnsStreams::assemble(Stream& stream) {
  std::vector<uint8_t> bytes;
  for (const Segment& segment : stream.held) {
    bytes.insert(bytes.end(), segment.packet.begin() + static_cast<long>(segment.payload), segment.packet.end());
  }
  // Judging changes `skip`; what stays is judged again once there is more, and must begin as it does now.
  const uint32_t skip = stream.skip;
  Fate worst = Fate::kPass;
  const size_t judged = judge_all(stream, bytes, worst);
  if (judged == bytes.size()) return release(stream, stream.held.size(), bytes, worst);
  stream.skip = skip;
  if (bytes.size() > kMostBytes || held_ > most_held_) {
    expired_++;
    stream.next = stream.held.front().sequence;
    drop_held(stream);
  }
}

void DnsStreams::release(Stream& stream, size_t count, const std::vector<uint8_t>& bytes, Fate worst) {
  size_t at = 0;
  for (size_t i = 0; i < count; i++) {
    Segment& segment = stream.held[i];
    const size_t size = segment.bytes();
    uint8_t* const payload = segment.packet.data() + segment.payload;
    const bool differs = std::memcmp(payload, &bytes[at], size) != 0;
    // A super-packet can't be written anew; without an answer the client gives up, which it shall.
    if (worst == Fate::kDrop || (differs && segment.gso && worst == Fate::kBlank)) {
      host_.drop(segment.id);
    } else if (differs && !segment.gso) {
      std::memcpy(payload, &bytes[at], size);
      seal_packet(segment.packet.data(), segment.packet.size(), segment.body, kProtocolTcp,
                  segment.packet[0] >> 4 == 6);
      host_.rewrite(segment.id, std::move(segment.packet));
    } else {
      host_.accept(segment.id);
    }
    at += size;
  }
  held_ -= count;
  stream.held.erase(stream.held.begin(), stream.held.begin() + static_cast<long>(count));
}

void DnsStreams::drop_held(Stream& stream) {
  for (const Segment& segment : stream.held) host_.drop(segment.id);
  held_ -= stream.held.size();
  stream.held.clear();
}

int64_t DnsStreams::expire(int64_t now_ns) {
  if (held_ == 0) return INT64_MAX;
  int64_t next = INT64_MAX;
  for (Stream& stream : streams_) {
    if (stream.held.empty()) continue;
    if (stream.deadline_ns <= now_ns) {
      expired_++;
      stream.next = stream.held.front().sequence;
      drop_held(stream);
    } else {
      next = std::min(next, stream.deadline_ns);
    }
  }
  return next;
}

void DnsStreams::end() {
  for (Stream& stream : streams_) drop_held(stream);
}

}  // namespace homespin
