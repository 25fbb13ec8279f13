/* flowparse FILE: the limit for a reader of pcap files (little endian, microseconds, Ethernet). */
#include <fcntl.h>
#include <unistd.h>
#include "meter.h"

enum { BUFFER = 4 << 20, FILE_HEAD = 24, RECORD_HEAD = 16 };

int main(int argc, char **argv) {
  static uint8_t buffer[BUFFER];
  static struct meter meter;
  if (argc != 2) return fprintf(stderr, "usage: flowparse FILE\n"), 2;
  int fd = open(argv[1], O_RDONLY);
  if (fd < 0) return perror(argv[1]), 1;
  if (read(fd, buffer, FILE_HEAD) != FILE_HEAD) return fprintf(stderr, "%s: no pcap file\n", argv[1]), 1;
  meter_init(&meter, 1 << 14);
  size_t have = 0;
  for (ssize_t got; (got = read(fd, buffer + have, BUFFER - have)) > 0;) {
    size_t at = 0;
    for (have += (size_t)got; have - at >= RECORD_HEAD;) {
      uint32_t head[4];
      memcpy(head, buffer + at, RECORD_HEAD);
      if (have - at < RECORD_HEAD + (size_t)head[2]) break;
      meter_frame(&meter, buffer + at + RECORD_HEAD, head[2], head[3], (int64_t)head[0] * 1000000 + head[1]);
      at += RECORD_HEAD + head[2];
    }
    have -= at;
    memmove(buffer, buffer + at, have);
  }
  meter_print(&meter, 0);
  return 0;
}
