#include "packet-filter.h"

#include <linux/if_packet.h>

namespace homespin {

namespace {

/** Their clients say all that names them; what comes back is bulk. */
constexpr uint16_t kBulkPorts[] = {443, 80, 8080, 8443, 22, 445, 554, 873, 993, 2049, 8009, 5201};

constexpr uint16_t kByte = BPF_LD | BPF_B | BPF_ABS;
constexpr uint16_t kHalf = BPF_LD | BPF_H | BPF_ABS;

/** Where what the kernel knows beside the frame can be loaded from. */
constexpr uint32_t extension(int what) { return static_cast<uint32_t>(SKF_AD_OFF + what); }

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

/** Takes the accumulator for the tag's EtherType, and what is at `offset` for its other half; both go into the accumulator. */
void join_tag(std::vector<sock_filter>& program, uint32_t offset) {
  program.push_back(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 16));
  program.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
  program.push_back(load(kHalf, offset));
  program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff));
  program.push_back(BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0));
}

/** Received tags are beside the frame; sent ones too where the card puts them in, else they are in the frame. */
void leave_out(std::vector<sock_filter>& program, const std::vector<VlanTag>& without) {
  std::vector<sock_filter> compare;
  for (const VlanTag tag : without) {
    compare.push_back(jump(tag, 0, 1));
    compare.push_back(give(0));
  }
  std::vector<sock_filter> inside;
  inside.push_back(load(BPF_LD | BPF_W | BPF_LEN, 0));
  inside.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 18, 0, 3));
  inside.push_back(load(kHalf, 12));
  inside.push_back(jump(0x8100, 2, 0));
  inside.push_back(jump(0x88a8, 1, 0));
  // A conditional jump reaches 255 at most.
  inside.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(5 + compare.size())));
  join_tag(inside, 14);
  program.push_back(load(kHalf, extension(SKF_AD_VLAN_TAG_PRESENT)));
  program.push_back(jump(0, 7, 0));
  program.push_back(load(kHalf, extension(SKF_AD_VLAN_TPID)));
  join_tag(program, extension(SKF_AD_VLAN_TAG));
  program.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(inside.size())));
  program.insert(program.end(), inside.begin(), inside.end());
  program.insert(program.end(), compare.begin(), compare.end());
}

}  // namespace

std::vector<sock_filter> closed_filter() { return {give(0)}; }

std::vector<sock_filter> packet_filter(CountRule rule, uint32_t ip, const std::vector<VlanTag>& without) {
  std::vector<sock_filter> program;
  if (rule != CountRule::kAll) {
    const bool own = rule == CountRule::kOwnOutgoing;
    program.push_back(load(kHalf, extension(SKF_AD_PKTTYPE)));
    program.push_back(jump(PACKET_OUTGOING, own ? 1 : 0, own ? 0 : 1));
    program.push_back(give(0));
  }
  if (ip >= 14 && !without.empty()) leave_out(program, without);
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
