/* The ends of the home's wires, small and early enough to be there before the network of the router is.
 *
 *   wire send RATE ADDRESS...   UDP to port 9 of each address in turn, RATE packets a second in all, for ever
 *   wire sink FILE ADDRESS...   takes UDP at port 9 of these addresses; FILE has, anew every 50 ms, a line for each sender:
 *                               ADDRESS COUNT FIRST LAST, the times as milliseconds of CLOCK_BOOTTIME
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* At most so many times a second, what is due is sent: an emulated processor does little else if it is woken for each packet. */
enum { PORT = 9, MAX = 16, BURSTS = 100 };

typedef union {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} address;

static long long boot_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static socklen_t parse(const char *text, address *to) {
  memset(to, 0, sizeof *to);
  if (inet_pton(AF_INET, text, &to->v4.sin_addr) == 1) {
    to->v4.sin_family = AF_INET;
    to->v4.sin_port = htons(PORT);
    return sizeof to->v4;
  }
  if (inet_pton(AF_INET6, text, &to->v6.sin6_addr) != 1) exit(2);
  to->v6.sin6_family = AF_INET6;
  to->v6.sin6_port = htons(PORT);
  return sizeof to->v6;
}

_Noreturn static void send_all(int rate, int count, char **texts) {
  address to[MAX];
  socklen_t size[MAX];
  for (int i = 0; i < count; i++) size[i] = parse(texts[i], &to[i]);
  int v4 = socket(AF_INET, SOCK_DGRAM, 0), v6 = socket(AF_INET6, SOCK_DGRAM, 0);
  char payload[64] = {0};
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  int bursts = rate < BURSTS ? rate : BURSTS, burst = rate / bursts;
  for (unsigned i = 0;;) {
    for (int sent = 0; sent < burst; sent++, i++) {
      unsigned at = i % (unsigned)count;
      int by = to[at].any.sa_family == AF_INET ? v4 : v6;
      /* Fails while there is no carrier, no route, no neighbour: tried for ever. */
      sendto(by, payload, sizeof payload, MSG_DONTWAIT, &to[at].any, size[at]);
    }
    next.tv_nsec += 1000000000L / bursts;
    if (next.tv_nsec >= 1000000000L) {
      next.tv_nsec -= 1000000000L;
      next.tv_sec++;
    }
    /* What this machine was too slow for is not made up for: it would never do anything else. */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > next.tv_sec) next = now;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
}

static struct sender {
  char text[INET6_ADDRSTRLEN];
  long long count, first, last;
} senders[MAX];
static int known;

static void note(const address *from) {
  char text[INET6_ADDRSTRLEN] = "?";
  const void *part = from->any.sa_family == AF_INET ? (const void *)&from->v4.sin_addr : &from->v6.sin6_addr;
  inet_ntop(from->any.sa_family, part, text, sizeof text);
  int i = 0;
  while (i < known && strcmp(senders[i].text, text) != 0) i++;
  if (i == MAX) return;
  if (i == known) {
    known++;
    strcpy(senders[i].text, text);
    senders[i].first = boot_ms();
  }
  senders[i].count++;
  senders[i].last = boot_ms();
}

static void tell(const char *path) {
  char temporary[256];
  snprintf(temporary, sizeof temporary, "%s.new", path);
  FILE *file = fopen(temporary, "w");
  if (!file) return;
  for (int i = 0; i < known; i++)
    fprintf(file, "%s %lld %lld %lld\n", senders[i].text, senders[i].count, senders[i].first, senders[i].last);
  fclose(file);
  rename(temporary, path);
}

static int sink(const char *path, int count, char **texts) {
  struct pollfd polls[MAX];
  for (int i = 0; i < count; i++) {
    address at;
    socklen_t size = parse(texts[i], &at);
    polls[i].fd = socket(at.any.sa_family, SOCK_DGRAM, 0);
    polls[i].events = POLLIN;
    if (bind(polls[i].fd, &at.any, size) != 0) {
      perror(texts[i]);
      return 1;
    }
  }
  long long told = 0, taken = 0, written = 0;
  tell(path);
  for (;;) {
    poll(polls, (nfds_t)count, 50);
    for (int i = 0; i < count; i++) {
      char payload[64];
      address from;
      socklen_t size = sizeof from;
      while (recvfrom(polls[i].fd, payload, sizeof payload, MSG_DONTWAIT, &from.any, &size) >= 0) {
        note(&from);
        taken++;
        size = sizeof from;
      }
    }
    if (taken != written && boot_ms() - told >= 50) {
      told = boot_ms();
      written = taken;
      tell(path);
    }
  }
}

int main(int argc, char **argv) {
  if (argc >= 4 && argc < 4 + MAX && strcmp(argv[1], "send") == 0)
    send_all(atoi(argv[2]), argc - 3, argv + 3);
  if (argc >= 4 && argc < 4 + MAX && strcmp(argv[1], "sink") == 0) return sink(argv[2], argc - 3, argv + 3);
  return 2;
}
