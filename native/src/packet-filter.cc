#include "packet-filter.h"

#include <linux/if_packet.h>

namespace homespin {

namespace {

/** Their clients say all that names them; what comes back is bulk. */
constexpr uint16_t kBulkPorts[] = {443, 80, 8080, 8443, 22, 445, 554, 873, 993, 2049, 8009, 5201};

sock_filter load(uint16_t mode, uint32_t offset) { return BPF_STMT(mode, offset); }
sock_filter give(uint32_t bytes) { return BPF_STMT(BPF_RET | BPF_K, bytes); }
sock_filter jump(uint32_t value, uint8_t yes, uint8_t no) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
}

/** Expects the source port in the accumulator; always returns. */
void by_port(std::vector<sock_filter>& program) {
  constexpr uint8_t kPorts = sizeof kBulkPorts / sizeof *kBulkPorts;
  for (uint8_t i = 0; i < kPorts; i++) {
    program.push_back(jump(kBulkPorts[i], static_cast<uint8_t>(kPorts - i), 0));
  }
  program.push_back(give(kWhole));
  program.push_back(give(kTrimmed));
}

}  // namespace

std::vector<sock_filter> packet_filter(CountRule rule, uint32_t ip) {
  constexpr uint16_t kByte = BPF_LD | BPF_B | BPF_ABS;
  constexpr uint16_t kHalf = BPF_LD | BPF_H | BPF_ABS;
  std::vector<sock_filter> program;
  if (rule != CountRule::kAll) {
    const bool own = rule == CountRule::kOwnOutgoing;
    program.push_back(load(kHalf, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)));
    program.push_back(jump(PACKET_OUTGOING, own ? 1 : 0, own ? 0 : 1));
    program.push_back(give(0));
  }
  // A load beyond the frame drops it (returns 0), so lengths come first.
  program.push_back(load(BPF_LD | BPF_W | BPF_LEN, 0));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kTrimmed, 1, 0));
  program.push_back(give(kWhole));

  std::vector<sock_filter> v4;
  // version and header length; fragment; protocol; source port
  v4.push_back(load(kHalf, ip + 6));
  v4.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 3, 0));
  v4.push_back(load(kByte, ip + 9));
  v4.push_back(jump(6, 2, 0));
  v4.push_back(jump(17, 1, 0));
  v4.push_back(give(kWhole));
  v4.push_back(load(kHalf, ip + 20));
  by_port(v4);

  std::vector<sock_filter> v6;
  v6.push_back(load(kByte, ip + 6));
  v6.push_back(jump(6, 2, 0));
  v6.push_back(jump(17, 1, 0));
  v6.push_back(give(kWhole));
  v6.push_back(load(kHalf, ip + 40));
  by_port(v6);

  if (ip >= 14) {
    program.push_back(load(kHalf, 12));
    program.push_back(jump(0x0800, 2, 0));
    program.push_back(jump(0x86dd, static_cast<uint8_t>(4 + v4.size()), 0));
    program.push_back(give(kWhole));
    program.push_back(load(kByte, ip));
    program.push_back(jump(0x45, 1, 0));
    program.push_back(give(kWhole));
    program.insert(program.end(), v4.begin(), v4.end());
    program.insert(program.end(), v6.begin(), v6.end());
    return program;
  }
  program.push_back(load(kByte, ip));
  program.push_back(jump(0x45, 3, 0));
  program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0));
  program.push_back(jump(0x60, static_cast<uint8_t>(1 + v4.size()), 0));
  program.push_back(give(kWhole));
  program.insert(program.end(), v4.begin(), v4.end());
  program.insert(program.end(), v6.begin(), v6.end());
  return program;
}

}  // namespace homespin
