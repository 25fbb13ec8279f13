/* mirror INTERFACE IDLE_SECONDS: the limit for a reader of the wire, by a TPACKET_V3 ring of 64 MiB. Ends when there was
 * no packet for so long after the first one, or on SIGINT or SIGTERM. */
#define _GNU_SOURCE
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "meter.h"

enum { BLOCK = 1 << 20, BLOCKS = 64, WAIT_MS = 100 };

static volatile sig_atomic_t stopped;
static void on_signal(int number) { stopped = number; }

static int open_ring(const char *name, uint8_t **ring) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), version = TPACKET_V3;
  struct tpacket_req3 request = {.tp_block_size = BLOCK, .tp_block_nr = BLOCKS, .tp_frame_size = 2048,
                                 .tp_frame_nr = BLOCK / 2048 * BLOCKS, .tp_retire_blk_tov = 20};
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
                                .sll_ifindex = (int)if_nametoindex(name)};
  if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0 ||
      setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0)
    return -1;
  *ring = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (*ring == MAP_FAILED || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return -1;
  return fd;
}

int main(int argc, char **argv) {
  static struct meter meter;
  uint8_t *ring;
  if (argc != 3) return fprintf(stderr, "usage: mirror INTERFACE IDLE_SECONDS\n"), 2;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  int fd = open_ring(argv[1], &ring), idle_ms = 0, idle_limit_ms = atoi(argv[2]) * 1000;
  if (fd < 0) return perror(argv[1]), 1;
  meter_init(&meter, 1 << 14);
  for (unsigned at = 0; !stopped;) {
    struct tpacket_block_desc *block = (void *)(ring + (size_t)at * BLOCK);
    if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
      struct pollfd waiting = {.fd = fd, .events = POLLIN};
      if (poll(&waiting, 1, WAIT_MS) != 0 || meter.packets == 0) continue;
      if ((idle_ms += WAIT_MS) >= idle_limit_ms) break;
      continue;
    }
    idle_ms = 0;
    uint8_t *p = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; i++) {
      struct tpacket3_hdr *head = (void *)p;
      meter_frame(&meter, p + head->tp_mac, head->tp_snaplen, head->tp_len,
                  (int64_t)head->tp_sec * 1000000 + head->tp_nsec / 1000);
      p += head->tp_next_offset;
    }
    __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    at = (at + 1) % BLOCKS;
  }
  struct tpacket_stats_v3 stats = {0};
  socklen_t size = sizeof stats;
  getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
  meter_print(&meter, stats.tp_drops);
  return 0;
}
