/* udpgen INTERFACE SOURCE_MAC DESTINATION_MAC SOURCE_IP DESTINATION_IP COUNT FLOWS [PER_SECOND [SIZE [FIRST_FLOW]]]
 * Sends COUNT UDP frames of SIZE bytes (at least 60) that belong to FLOWS different flows in turn: source port 1024 and up,
 * then the next destination address, then the next destination port. As fast as it goes, or PER_SECOND. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 64, ROOM = 2048, PORTS = 60000, ADDRESSES = 200 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void put16(uint8_t *p, unsigned value) { p[0] = (uint8_t)(value >> 8), p[1] = (uint8_t)value; }

static void make_flow(uint8_t *frame, uint32_t source, uint32_t destination, long flow) {
  uint32_t to = htonl(destination + (uint32_t)(flow / PORTS % ADDRESSES)), from = htonl(source), sum = 0;
  memcpy(frame + 26, &from, 4);
  memcpy(frame + 30, &to, 4);
  put16(frame + 34, 1024 + (unsigned)(flow % PORTS));
  put16(frame + 36, 9 + (unsigned)(flow / PORTS / ADDRESSES));
  put16(frame + 24, 0);
  for (int i = 14; i < 34; i += 2) sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
  sum = (sum >> 16) + (sum & 0xffff);
  put16(frame + 24, ~(sum + (sum >> 16)) & 0xffff);
}

int main(int argc, char **argv) {
  static uint8_t frames[AT_ONCE][ROOM];
  static struct iovec parts[AT_ONCE];
  static struct mmsghdr messages[AT_ONCE];
  if (argc < 8) return fprintf(stderr, "usage: see the head of udpgen.c\n"), 2;
  long count = atol(argv[6]), flows = atol(argv[7]), first = argc > 10 ? atol(argv[10]) : 0, sent = 0, waits = 0;
  double rate = argc > 8 ? atof(argv[8]) : 0;
  int size = argc > 9 ? atoi(argv[9]) : 60, one = 1, room = 8 << 20;
  if (size < 60 || size > ROOM || flows < 1) return fprintf(stderr, "size 60 to 2048, flows from 1\n"), 2;
  struct ether_addr source_mac, destination_mac;
  if (!ether_aton_r(argv[2], &source_mac) || !ether_aton_r(argv[3], &destination_mac)) return 2;
  uint32_t source = ntohl(inet_addr(argv[4])), destination = ntohl(inet_addr(argv[5]));
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1])};
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return perror(argv[1]), 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  for (int i = 0; i < AT_ONCE; i++) {
    uint8_t *frame = frames[i];
    memcpy(frame, &destination_mac, 6);
    memcpy(frame + 6, &source_mac, 6);
    put16(frame + 12, 0x0800);
    frame[14] = 0x45;
    put16(frame + 16, (unsigned)size - 14);
    put16(frame + 20, 0x4000);
    frame[22] = 64;
    frame[23] = 17;
    put16(frame + 38, (unsigned)size - 34);
    parts[i] = (struct iovec){frame, (size_t)size};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  double begin = seconds();
  while (sent < count) {
    int batch = rate > 0 && rate < 20000 ? 8 : AT_ONCE;
    if (count - sent < batch) batch = (int)(count - sent);
    for (int i = 0; i < batch; i++) make_flow(frames[i], source, destination, first + (sent + i) % flows);
    int done = sendmmsg(fd, messages, (unsigned)batch, 0);
    if (done <= 0) {
      if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) return perror("send"), 1;
      waits++;
      usleep(50);
      continue;
    }
    sent += done;
    double ahead = rate > 0 ? begin + (double)sent / rate - seconds() : 0;
    if (ahead > 0) usleep((useconds_t)(ahead * 1e6));
  }
  printf("{\"sent\":%ld,\"seconds\":%.4f,\"full\":%ld}\n", sent, seconds() - begin, waits);
  return 0;
}
