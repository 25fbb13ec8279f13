/* verdicts QUEUE MARK LENGTH: accepts whatever is in a queue of the kernel with a mark, and does nothing else: the limit of
 * anything that decides in user space. Its own verdict for each packet, many to one message. Ends with SIGTERM. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { AT_ONCE = 64, ROOM = 512, COPY = 128, BUFFER = 16 << 20 };

static uint16_t queue;

static char *attribute(char *to, int type, const void *data, int size) {
  struct nlattr head = {(uint16_t)(NLA_HDRLEN + size), (uint16_t)type};
  memcpy(to, &head, sizeof head);
  memcpy(to + NLA_HDRLEN, data, (size_t)size);
  return to + NLA_ALIGN(NLA_HDRLEN + size);
}

static char *begin(char *to, int type) {
  struct nlmsghdr head = {.nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type), .nlmsg_flags = NLM_F_REQUEST};
  struct nfgenmsg about = {.version = NFNETLINK_V0, .res_id = htons(queue)};
  memcpy(to, &head, sizeof head);
  memcpy(to + sizeof head, &about, sizeof about);
  return to + sizeof head + sizeof about;
}

static void end(char *message, const char *to) { *(uint32_t *)message = (uint32_t)(to - message); }

int main(int argc, char **argv) {
  static char in[AT_ONCE][ROOM], out[AT_ONCE * 48];
  static struct mmsghdr messages[AT_ONCE];
  static struct iovec places[AT_ONCE];
  if (argc < 4) return 2;
  queue = (uint16_t)atoi(argv[1]);
  const uint32_t mark = htonl((uint32_t)strtoul(argv[2], NULL, 0)), length = htonl((uint32_t)atoi(argv[3]));
  const uint32_t flags = htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO);
  const int size = BUFFER, fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof kernel)) return perror("netlink"), 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  struct nfqnl_msg_config_cmd bind_it = {.command = NFQNL_CFG_CMD_BIND};
  struct nfqnl_msg_config_params params = {htonl(COPY), NFQNL_COPY_PACKET};
  char *at = attribute(begin(out, NFQNL_MSG_CONFIG), NFQA_CFG_CMD, &bind_it, sizeof bind_it);
  end(out, at);
  if (send(fd, out, (size_t)(at - out), 0) < 0) return perror("bind"), 1;
  at = attribute(begin(out, NFQNL_MSG_CONFIG), NFQA_CFG_PARAMS, &params, sizeof params);
  at = attribute(at, NFQA_CFG_QUEUE_MAXLEN, &length, 4);
  at = attribute(attribute(at, NFQA_CFG_FLAGS, &flags, 4), NFQA_CFG_MASK, &flags, 4);
  end(out, at);
  if (send(fd, out, (size_t)(at - out), 0) < 0) return perror("set up"), 1;
  for (int i = 0; i < AT_ONCE; i++) {
    places[i] = (struct iovec){in[i], ROOM};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &places[i], .msg_iovlen = 1};
  }
  puts("ready");
  fflush(stdout);
  for (;;) {
    const int got = recvmmsg(fd, messages, AT_ONCE, MSG_WAITFORONE, NULL);
    char *to = out;
    for (int i = 0; i < got; i++) {
      const struct nlmsghdr *head = (void *)in[i];
      if (head->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)) continue;
      const char *stop = in[i] + head->nlmsg_len, *one = in[i] + NLMSG_HDRLEN + sizeof(struct nfgenmsg);
      for (; one + NLA_HDRLEN <= stop; one += NLA_ALIGN(((struct nlattr *)one)->nla_len)) {
        if (((struct nlattr *)one)->nla_type != NFQA_PACKET_HDR) continue;
        const struct nfqnl_msg_packet_hdr *packet = (void *)(one + NLA_HDRLEN);
        struct nfqnl_msg_verdict_hdr verdict = {htonl(NF_ACCEPT), packet->packet_id};
        char *message = to;
        to = attribute(begin(to, NFQNL_MSG_VERDICT), NFQA_VERDICT_HDR, &verdict, sizeof verdict);
        to = attribute(to, NFQA_MARK, &mark, 4);
        end(message, to);
        break;
      }
    }
    if (to > out) send(fd, out, (size_t)(to - out), 0);
  }
}
