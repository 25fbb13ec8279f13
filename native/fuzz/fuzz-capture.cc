// libFuzzer target: any bytes as a capture, in pieces of any size, or as frames of any link; everything drained and checked.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "bytes.h"
#include "capture-file.h"
#include "link-types.h"
#include "meter.h"

namespace {

using namespace homespin;

#define REQUIRE(condition)                                         \
  do {                                                             \
    if (!(condition)) {                                            \
      std::fprintf(stderr, "not so: %s, line %d\n", #condition, __LINE__); \
      std::abort();                                                \
    }                                                              \
  } while (false)

constexpr uint32_t kMaxFlows = 16;

/** Takes all that there is and looks at each record. */
void drain(Meter& meter, uint64_t& closed) {
  const uint32_t count = meter.flows().pending();
  std::vector<FlowRecord> records(count);
  meter.flows().take(records.data(), count);
  for (const FlowRecord& record : records) {
    REQUIRE(record.state <= kStateClosed);
    REQUIRE((record.state == kStateClosed) == (record.closed_by != kStillOpen));
    REQUIRE(record.orig_packets + record.resp_packets >= 1);
    if (record.state == kStateClosed) closed++;
  }
  NameQueue& queue = meter.names().queue();
  const size_t size = queue.size();
  const std::unique_ptr<uint8_t[]> names(new uint8_t[size]);
  queue.take(names.get());
  for (size_t at = 0; at < size;) {
    const NameHead head = load<NameHead>(names.get() + at);
    REQUIRE(head.size % 8 == 0 && head.size <= size - at);
    REQUIRE(head.kind < kNameKinds);
    REQUIRE(sizeof head + head.payload_bytes <= head.size);
    at += head.size;
  }
}

void check(const Meter& meter) {
  const MeterCounters& counters = meter.counters();
  REQUIRE(counters.packets == counters.decoded + counters.malformed + counters.unsupported);
}

void as_file(Meter& meter, const uint8_t* data, size_t size, size_t piece, uint64_t& closed) {
  CaptureFile file;
  std::vector<uint8_t> rest;
  for (size_t at = 0; at < size && !file.failed(); at += piece) {
    const size_t n = piece < size - at ? piece : size - at;
    rest.insert(rest.end(), data + at, data + at + n);
    // A buffer of its own size, so that a read beyond it is seen.
    const std::unique_ptr<uint8_t[]> exact(new uint8_t[rest.size()]);
    std::memcpy(exact.get(), rest.data(), rest.size());
    const size_t used = file.parse(exact.get(), rest.size(), meter);
    REQUIRE(used <= rest.size());
    rest.erase(rest.begin(), rest.begin() + static_cast<long>(used));
    if (at % 3 == 0) drain(meter, closed);
  }
  file.end(rest.size());
}

void as_frames(Meter& meter, const uint8_t* data, size_t size, uint64_t& closed) {
  static constexpr uint16_t kLinks[] = {kLinkEthernet,    kLinkRaw,  kLinkLinuxCooked,
                                        kLinkLinuxCooked2, kLinkIpv4, kLinkIpv6, 105};
  int64_t time = 1'790'000'000'000'000;
  while (size >= 4) {
    const uint32_t length = be16(data) & 0x7ff;
    if (data[2] < 250) {
      time += data[2] * (data[2] < 128 ? 1000 : 1'000'000);
    } else {
      // A clock that is set, or an absurd time.
      constexpr int64_t kHour = 3'600'000'000;
      time = std::max<int64_t>(0, time + (data[2] & 1 ? 1 : -1) * kHour * (data[2] - 249) * (data[3] + 1));
    }
    const uint16_t link = kLinks[data[3] % (sizeof kLinks / sizeof *kLinks)];
    const uint32_t beyond = data[3] & 64 ? data[3] * 100 : 0;
    data += 4;
    size -= 4;
    const uint32_t captured = length < size ? length : static_cast<uint32_t>(size);
    const std::unique_ptr<uint8_t[]> exact(new uint8_t[captured]);
    std::memcpy(exact.get(), data, captured);
    const Frame frame{exact.get(), captured, captured + beyond, time, link, 0, 0, 0, false};
    REQUIRE(meter.add(&frame, 1) == 1);
    if (captured % 7 == 0) drain(meter, closed);
    if (captured % 11 == 0) {
      meter.expect_after(captured * 1'000'000);
      meter.advance_after(captured * 1'000'000);
    }
    data += captured;
    size -= captured;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  MeterOptions options;
  options.flows.max_flows = kMaxFlows;
  options.flows.updates = data[0] & 1;
  options.names.kinds = (1u << kNameKinds) - 1;
  Meter meter(options);
  if (data[0] & 8) meter.run_live();
  uint64_t closed = 0;
  if (data[0] & 2) {
    as_frames(meter, data + 1, size - 1, closed);
  } else {
    as_file(meter, data + 1, size - 1, data[0] & 4 ? 7 : 1u << 20, closed);
  }
  check(meter);
  REQUIRE(meter.flows().live() <= kMaxFlows);
  meter.end();
  drain(meter, closed);
  REQUIRE(meter.flows().live() == 0);
  REQUIRE(closed == meter.flows().begun());
  return 0;
}
