#include "ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "link-types.h"

namespace homespin {

namespace {

constexpr uint32_t kMaxBlock = 512 * 1024;
constexpr uint32_t kMinBlocks = 4;
constexpr uint32_t kFrameRoom = 2048;
/** A block that is not full is handed over after this. */
constexpr uint32_t kRetireMs = 20;
constexpr uint32_t kFrames = 32;

std::string why(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

template <typename T>
bool set(int fd, int option, const T& value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

bool attach_filter(int fd, std::vector<sock_filter> code) {
  const sock_fprog program{static_cast<uint16_t>(code.size()), code.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

}  // namespace

std::string capture_refusal() {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    close(fd);
    return {};
  }
  if (errno == EPERM || errno == EACCES) {
    return "capturing packets needs the capability CAP_NET_RAW: run as root, or give it to the "
           "program (setcap cap_net_raw+ep, AmbientCapabilities=CAP_NET_RAW in a systemd unit, "
           "NET_RAW for a container)";
  }
  if (errno == EAFNOSUPPORT) return "this kernel has no packet sockets (CONFIG_PACKET)";
  return why("a packet socket can't be opened");
}

Ring::Ring(const RingOptions& options) : options_(options) {
  control_fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

Ring::~Ring() {
  detach();
  if (control_fd_ >= 0) close(control_fd_);
}

void Ring::configure(const RingOptions& options) {
  const bool was_promiscuous = options_.promiscuous;
  options_ = options;
  if (fd_ < 0) return;
  std::string error = filter();
  if (error.empty() && was_promiscuous != options.promiscuous && !promiscuous(options.promiscuous)) {
    error = why(("can't make " + options_.name + " promiscuous, or stop it").c_str());
  }
  if (error.empty()) return;
  detach();
  reason_ = error;
}

void Ring::check(Meter* meter, uint16_t number) {
  ifreq request{};
  std::strncpy(request.ifr_name, options_.name.c_str(), IFNAMSIZ - 1);
  if (ioctl(control_fd_, SIOCGIFINDEX, &request) != 0) {
    leave(meter, number);
    reason_ = "there is no interface " + options_.name;
    return;
  }
  const int index = request.ifr_ifindex;
  const bool has_hardware = ioctl(control_fd_, SIOCGIFHWADDR, &request) == 0;
  const uint16_t hardware = has_hardware ? request.ifr_hwaddr.sa_family : ARPHRD_VOID;
  if (has_hardware) std::memcpy(own_.data(), request.ifr_hwaddr.sa_data, own_.size());
  if (fd_ >= 0 && index != index_) leave(meter, number);
  if (fd_ < 0) {
    const std::string error = attach(index, hardware);
    if (!error.empty()) {
      detach();
      reason_ = error;
      return;
    }
  }
  const bool running = ioctl(control_fd_, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP;
  reason_ = running ? "" : options_.name + " is down";
}

std::string Ring::attach(int index, uint16_t hardware) {
  loopback_ = hardware == ARPHRD_LOOPBACK;
  if (hardware == ARPHRD_ETHER || loopback_) {
    link_type_ = kLinkEthernet;
  } else if (hardware == ARPHRD_NONE || hardware == ARPHRD_RAWIP || hardware == ARPHRD_PPP) {
    link_type_ = kLinkRaw;
  } else {
    return options_.name + " is neither Ethernet nor plain IP (hardware type " +
           std::to_string(hardware) + ")";
  }
  // Protocol 0: nothing is received before the ring and the filter are there.
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return capture_refusal();
  const std::string refusal = filter();
  if (!refusal.empty()) return refusal;
  if (!set(fd_, PACKET_VERSION, static_cast<int>(TPACKET_V3))) {
    return why("the kernel has no TPACKET_V3");
  }
  const uint32_t page = static_cast<uint32_t>(sysconf(_SC_PAGESIZE));
  block_bytes_ = page;
  while (block_bytes_ < kMaxBlock && block_bytes_ * 2 * kMinBlocks <= options_.bytes) {
    block_bytes_ *= 2;
  }
  blocks_ = std::max(options_.bytes / block_bytes_, 1u);
  tpacket_req3 ring{};
  ring.tp_block_size = block_bytes_;
  ring.tp_block_nr = blocks_;
  ring.tp_frame_size = kFrameRoom;
  ring.tp_frame_nr = block_bytes_ / kFrameRoom * blocks_;
  ring.tp_retire_blk_tov = kRetireMs;
  if (!set(fd_, PACKET_RX_RING, ring)) return why("the ring can't be made");
  void* const map = mmap(nullptr, static_cast<size_t>(block_bytes_) * blocks_,
                         PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (map == MAP_FAILED) return why("the ring can't be mapped");
  map_ = static_cast<uint8_t*>(map);
  block_ = 0;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = index;
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return why(("can't capture on " + options_.name).c_str());
  }
  index_ = index;
  if (options_.promiscuous && !promiscuous(true)) {
    return why(("can't make " + options_.name + " promiscuous").c_str());
  }
  return {};
}

/** Takes the place of the filter before without a gap. Empty, or why not. */
std::string Ring::filter() {
  // What is sent on the loopback device comes in again.
  const CountRule rule = loopback_ ? CountRule::kIncoming : options_.count;
  const uint32_t ip = link_type_ == kLinkEthernet ? 14 : 0;
  if (!attach_filter(fd_, packet_filter(rule, ip, options_.without_vlans))) {
    return why("the kernel refuses the packet filter");
  }
#ifdef PACKET_IGNORE_OUTGOING
  // Cheaper than the filter; older kernels than 4.20 don't know it, and the filter does the same.
  set(fd_, PACKET_IGNORE_OUTGOING, rule == CountRule::kIncoming ? 1 : 0);
#endif
  return {};
}

bool Ring::promiscuous(bool wanted) {
  if (link_type_ != kLinkEthernet || loopback_) return true;
  packet_mreq membership{};
  membership.mr_ifindex = index_;
  membership.mr_type = PACKET_MR_PROMISC;
  return set(fd_, wanted ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, membership);
}

void Ring::close_gate() {
  if (fd_ >= 0) attach_filter(fd_, closed_filter());
}

void Ring::leave(Meter* meter, uint16_t index) {
  for (uint32_t i = 0; meter != nullptr && i < blocks_ && read(*meter, index); i++) {
  }
  detach();
}

void Ring::detach() {
  if (fd_ < 0) return;
  count_drops();
  if (put_ > read_) totals_.dropped += put_ - read_;
  put_ = read_ = 0;
  if (map_ != nullptr) munmap(map_, static_cast<size_t>(block_bytes_) * blocks_);
  map_ = nullptr;
  close(fd_);
  fd_ = -1;
}

void Ring::count_drops() {
  // Reading resets the kernel's counts. The packets are those with the drops.
  tpacket_stats_v3 statistics{};
  socklen_t size = sizeof statistics;
  if (fd_ >= 0 && getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0) {
    totals_.dropped += statistics.tp_drops;
    put_ += statistics.tp_packets - statistics.tp_drops;
  }
}

RingTotals Ring::totals() {
  count_drops();
  return totals_;
}

void Ring::carry(const RingTotals& before) {
  totals_.packets += before.packets;
  totals_.dropped += before.dropped;
}

void Ring::clear_error() {
  int error = 0;
  socklen_t size = sizeof error;
  if (fd_ >= 0) getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
}

/** One-armed: what this box and the upstream router say to each other was counted on the devices' side. */
inline bool Ring::skipped(const Frame& frame, bool outgoing) const {
  if (options_.upstream.empty() || frame.captured < 12) return false;
  const uint8_t* const mine = frame.data + (outgoing ? 6 : 0);
  const uint8_t* const other = frame.data + (outgoing ? 0 : 6);
  if (std::memcmp(mine, own_.data(), own_.size()) != 0) return false;
  return std::any_of(options_.upstream.begin(), options_.upstream.end(), [other](const Mac& mac) {
    return std::memcmp(other, mac.data(), mac.size()) == 0;
  });
}

bool Ring::read(Meter& meter, uint16_t interface) {
  if (map_ == nullptr) return false;
  auto* const block =
      reinterpret_cast<tpacket_block_desc*>(map_ + static_cast<size_t>(block_) * block_bytes_);
  tpacket_hdr_v1& head = block->hdr.bh1;
  if (!(__atomic_load_n(&head.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) return false;
  Frame frames[kFrames];
  uint32_t count = 0;
  const uint8_t* at = reinterpret_cast<uint8_t*>(block) + head.offset_to_first_pkt;
  read_ += head.num_pkts;
  for (uint32_t i = 0; i < head.num_pkts; i++) {
    const auto* const packet = reinterpret_cast<const tpacket3_hdr*>(at);
    const auto* const link =
        reinterpret_cast<const sockaddr_ll*>(at + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
    Frame& frame = frames[count];
    frame.data = at + packet->tp_mac;
    frame.captured = packet->tp_snaplen;
    frame.length = packet->tp_len;
    frame.time_us = packet->tp_sec * int64_t{1'000'000} + packet->tp_nsec / 1000;
    frame.link_type = link_type_;
    frame.interface = interface;
    const bool tagged = packet->tp_status & TP_STATUS_VLAN_VALID;
    frame.vlan = tagged ? packet->hv1.tp_vlan_tci & 0xfff : 0;
    frame.tag_bytes = tagged ? 4 : 0;
    const bool outgoing = link->sll_pkttype == PACKET_OUTGOING;
    frame.sent = outgoing && (link_type_ == kLinkRaw || (frame.captured >= 12 &&
                 std::memcmp(frame.data + 6, own_.data(), own_.size()) == 0));
    if (!skipped(frame, outgoing)) count++;
    at += packet->tp_next_offset;
    if (count == kFrames) {
      totals_.packets += meter.add(frames, count);
      count = 0;
    }
  }
  totals_.packets += meter.add(frames, count);
  __atomic_store_n(&head.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  block_ = (block_ + 1) % blocks_;
  return true;
}

}  // namespace homespin
