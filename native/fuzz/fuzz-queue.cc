// libFuzzer target: any bytes as messages of the queue, handed to first packets and to the DNS gate. Each packet has to get one
// verdict and no more, whatever is in it.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bytes.h"
#include "dns-gate.h"
#include "first-packets.h"
#include "queue-messages.h"

namespace {

using namespace homespin;

#define REQUIRE(condition)                                                   \
  do {                                                                       \
    if (!(condition)) {                                                      \
      std::fprintf(stderr, "not so: %s, line %d\n", #condition, __LINE__);   \
      std::abort();                                                          \
    }                                                                        \
  } while (false)

constexpr HashSecret kSecret{{1, 2, 3, 4}};
constexpr uint8_t kMac[6] = {2, 0x0d, 0xe0, 0, 0, 1};

/** Counts verdicts; what is written anew has to be an IP packet of the size that it says. */
class Ledger final : public Verdicts {
 public:
  std::unordered_map<uint32_t, uint32_t> open;

  void verdict(uint32_t id, bool, const uint32_t*) override { close(id); }
  void rewrite(uint32_t id, const uint32_t*, const uint8_t* payload, size_t size) override {
    close(id);
    REQUIRE(size >= 20);
    const bool ipv6 = payload[0] >> 4 == 6;
    const size_t says = ipv6 ? be16(payload + 4) + size_t{40} : be16(payload + 2);
    REQUIRE(says == size);
  }

 private:
  void close(uint32_t id) {
    const auto found = open.find(id);
    REQUIRE(found != open.end() && found->second > 0);
    if (--found->second == 0) open.erase(found);
  }
};

class Sink final : public ElementSink {
 public:
  void serve(const std::vector<std::string>&, uint32_t, bool) override {}
  size_t write(std::vector<SetChange>& changes) override {
    SetBatch batch;
    const std::vector<SetTarget> targets{{1, kShut, false, SetKey::kMac, "t", "s"},
                                         {1, kResolved, false, SetKey::kIp, "t", "s"},
                                         {1, kOpen, true, SetKey::kNothing, "t", "s"}};
    put_set_changes(batch, targets, changes.data(), changes.size(), {}, 1);
    size_t failed = 0;
    std::unordered_set<std::string> seen;
    for (SetChange& change : changes) {
      std::string key(reinterpret_cast<const char*>(&change.ip.word), sizeof change.ip.word);
      key += std::to_string(change.owner.mac) + ' ' + std::to_string(change.owner.ip.word[0]) + ' ' +
             std::to_string(change.owner.ip.word[1]) + ' ' + std::to_string(change.ip.ipv6) + ' ' +
             std::to_string(change.kind);
      // No element is written twice in one go.
      REQUIRE(change.remove || seen.insert(key).second);
      if (change.remove || change.ip.word[0] % 5 != 0) continue;
      change.timeout_ms = 0;
      failed++;
    }
    return failed;
  }
};

class Marks final : public ConnectionMarks {
 public:
  MarksTaken take(const MarkOrder& order) override { return {static_cast<uint32_t>(order.keep.size()), {}}; }
};

class Out final : public Answerer {
 public:
  bool send(uint32_t interface, uint64_t, bool, const std::vector<uint8_t>& packet) override {
    REQUIRE(packet.size() >= 28 + 12);
    return interface % 2 == 0;
  }
};

std::shared_ptr<DnsPolicy> policy(uint8_t bits) {
  auto made = std::make_shared<DnsPolicy>(kSecret);
  made->lists.push_back(std::make_unique<NameList>("example\nads.example\n"));
  made->lists.push_back(std::make_unique<NameList>("good.example\ncom\n"));
  made->local = std::make_unique<NameList>("lan\n");
  GatedDevice device{mac_number(kMac), {}, {}, {}, bool(bits & 1), bool(bits & 2), bool(bits & 4), bool(bits & 8)};
  // 192.0.2.11
  const Ip own{{0x0b0200c0, 0}, 0};
  if (bits & 128) {
    device.mac = 0;
    device.ips.push_back(own);
  }
  if (bits & 16) device.block.push_back(0);
  if (bits & 32) device.allow.push_back(1);
  if (device.mac != 0) made->index.add_mac(device.mac, 0);
  made->index.add_ip(own, 0);
  made->home.push_back({{192, 0, 2}, 24, false});
  if (bits & 2) made->resolvers.push_back(Ip{{0x350200c0, 0}, 0});
  made->devices.push_back(device);
  if (bits & 64) {
    made->otherwise = std::make_unique<GatedDevice>();
    made->block.push_back(0);
  }
  return made;
}

/** What waits, told to both; messages as they are, or payloads of a packet each behind two bytes of length. */
template <typename Use>
void each_packet(const uint8_t* data, size_t size, bool raw, Use&& use) {
  uint32_t id = 0;
  while (size > 4) {
    QueuedPacket packet{};
    size_t used = size;
    std::unique_ptr<uint8_t[]> exact;
    if (raw) {
      exact.reset(new uint8_t[size]);
      std::memcpy(exact.get(), data, size);
      if (read_queue_message(exact.get(), size, packet, used) == QueueMessage::kPacket) use(packet);
      REQUIRE(used > 0 && used <= size);
    } else {
      const size_t length = std::min<size_t>(be16(data) & 0xfff, size - 4);
      exact.reset(new uint8_t[length]);
      std::memcpy(exact.get(), data + 4, length);
      packet.id = ++id;
      packet.in_interface = data[2];
      packet.mac = data[3] & 1 ? kMac : nullptr;
      packet.data = exact.get();
      packet.captured = static_cast<uint32_t>(length);
      packet.length = packet.captured + (data[3] & 0x40 ? 100 : 0);
      packet.gso = data[3] & 0x80;
      use(packet);
      used = 4 + length;
    }
    data += used;
    size -= used;
  }
}

void first_packets(const uint8_t* data, size_t size, uint8_t bits) {
  FirstPacketOptions options;
  options.max_held = 8;
  options.max_held_per_device = 5;
  options.cache_buckets = 2;
  options.accept_mark = bits & 2;
  FirstPackets first(options, kSecret);
  auto asked = std::make_shared<AskedDevices>(kSecret);
  asked->devices.push_back({1, bool(bits & 4)});
  asked->index.add_mac(mac_number(kMac), 0);
  asked->index.add_ip(Ip{{0x0b0200c0, 0}, 0}, 0);
  if ((bits & 8) == 0) first.set_devices(asked);
  Ledger ledger;
  int64_t now = 1'000'000'000;
  uint32_t n = 0;
  std::vector<ConnectionRecord> records(16);
  each_packet(data, size, bits & 1, [&](const QueuedPacket& packet) {
    ledger.open[packet.id]++;
    first.packet(packet, now, ledger);
    now += 20'000'000;
    if (++n % 3 != 0) return;
    REQUIRE(first.asking() <= options.max_held);
    const size_t count = first.take(records.data());
    for (size_t i = 0; i < count; i += 2) {
      const VerdictRecord answer{records[i].id, n % 2 * 1000, static_cast<uint8_t>(n % 4 == 0), {}};
      const VerdictRecord twice[2] = {answer, answer};
      first.answer(twice, 2);
    }
    REQUIRE(first.settle(now, ledger) > now);
    REQUIRE(first.held() <= options.max_held);
  });
  first.end(ledger);
  REQUIRE(ledger.open.empty());
  REQUIRE(first.held() == 0);
}

void turn(DnsGate& gate, int64_t now, Ledger& ledger) {
  gate.prepare(now);
  gate.carry_out();
  gate.settle(now, ledger);
}

void dns_gate(const uint8_t* data, size_t size, uint8_t bits, uint8_t what) {
  Sink sink;
  Marks marks;
  Out out;
  const DnsElements::Limits limits{32, 32, 16, 4};
  DnsGate gate(kSecret, limits, bits & 2 ? 0x100 : 0, sink, marks, out);
  gate.set_policy(policy(what));
  Ledger ledger;
  int64_t now = boot_ns();
  uint32_t n = 0;
  each_packet(data, size, bits & 1, [&](const QueuedPacket& packet) {
    ledger.open[packet.id]++;
    gate.packet(packet, now, ledger);
    now += 30'000'000;
    if (++n % 4 == 0) turn(gate, now, ledger);
    if (n % 16 == 0) gate.set_policy(policy(static_cast<uint8_t>(what + n)));
    if (n % 23 == 0) gate.restore();
    if (n % 29 == 0) {
      std::vector<Ip> ips;
      for (uint64_t i = 0; i < 8; i++) ips.push_back(Ip{{0x0900c6c0u + ((n + i) << 24), 0}, 0});
      const std::string name = "n" + std::to_string(n % 7) + ".example";
      gate.hear({{mac_number(kMac), {}}, n % 2 == 0, {name}, ips, n});
      gate.take_marks({1, ips});
    }
    now += n % 41 == 0 ? 3'700'000'000'000 : 0;
    REQUIRE(gate.elements().size() <= limits.shut + limits.open);
  });
  gate.end(ledger);
  REQUIRE(ledger.open.empty());
  gate.take_refused();
  gate.take_learned();
  gate.take_marks_taken();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  if (data[0] & 0x80) {
    first_packets(data + 2, size - 2, data[0]);
  } else {
    dns_gate(data + 2, size - 2, data[0], data[1]);
  }
  return 0;
}
