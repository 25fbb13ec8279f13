/* roundtrip serve PORT: echoes UDP.   roundtrip ADDRESS PORT COUNT GAP_US: a datagram and its echo at a time, each of a new
 * flow; prints how many came back, and the median of microseconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  char bytes[512];
  if (argc < 3) return 2;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
  if (strcmp(argv[1], "serve") == 0) {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at)) return perror("bind"), 1;
    for (;;) {
      struct sockaddr_in from;
      socklen_t size = sizeof from;
      const ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);
      if (got >= 0) sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, size);
    }
  }
  if (argc < 5 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) return 2;
  const int count = atoi(argv[3]), gap = atoi(argv[4]);
  double *took = calloc((size_t)count, sizeof *took);
  int came = 0;
  for (int i = 0; i < count; i++) {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    const struct timeval wait = {0, 300000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (connect(fd, (struct sockaddr *)&at, sizeof at)) return perror("connect"), 1;
    const double began = now_us();
    send(fd, "0123456789", 10, 0);
    if (recv(fd, bytes, sizeof bytes, 0) > 0) took[came++] = now_us() - began;
    close(fd);
    if (gap > 0) usleep((useconds_t)gap);
  }
  qsort(took, (size_t)came, sizeof *took, by_size);
  printf("{\"count\":%d,\"came\":%d,\"p50\":%.1f}\n", count, came, came > 0 ? took[came / 2] : 0.0);
}
