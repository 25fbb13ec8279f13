/* The core of Homespin's work with nothing around it: frame -> two-way flow in a hash table, bytes per device, DNS query
 * names, TLS server names. Trusts its input more than a product may: it is a measure of speed, never to be run on
 * captures from strangers. */
#ifndef METER_H
#define METER_H
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64, DEVICES = 1 << 14 };

struct key {
  uint8_t low[16], high[16]; /* the smaller address first */
  uint16_t low_port, high_port;
  uint8_t protocol, ipv6, zero[2];
};

struct flow {
  struct key key;
  uint64_t packets[2], bytes[2]; /* by the low end, by the high end */
  int64_t first_us, last_us;
  uint8_t used, changed, originator, payload_seen;
  char name[NAME_BYTES];
};

struct device {
  uint64_t mac, sent_bytes, received_bytes, sent_packets, received_packets;
};

struct meter {
  struct flow *flows;
  uint32_t *changed; /* indices, to be handed on once a second */
  uint32_t capacity, flow_count, changed_count;
  uint64_t packets, frame_bytes, ip_packets, dns_queries, server_names, not_metered;
  struct device devices[DEVICES];
};

static void meter_init(struct meter *m, uint32_t capacity) {
  memset(m, 0, sizeof *m);
  m->capacity = capacity;
  m->flows = calloc(capacity, sizeof *m->flows);
  m->changed = malloc(capacity * sizeof *m->changed);
}

static inline uint16_t be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static inline uint32_t key_hash(const struct key *key) {
  uint64_t words[5], hash = 0x9e3779b97f4a7c15u;
  memcpy(words, key, sizeof words);
  for (int i = 0; i < 5; i++) {
    hash = (hash ^ words[i]) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  return (uint32_t)hash;
}

static struct flow *flow_place(struct meter *m, const struct key *key) {
  uint32_t mask = m->capacity - 1, at = key_hash(key) & mask;
  while (m->flows[at].used && memcmp(&m->flows[at].key, key, sizeof *key) != 0) at = (at + 1) & mask;
  return &m->flows[at];
}

static void meter_grow(struct meter *m) {
  struct flow *old = m->flows;
  uint32_t old_capacity = m->capacity;
  m->capacity *= 2;
  m->flows = calloc(m->capacity, sizeof *m->flows);
  m->changed = realloc(m->changed, m->capacity * sizeof *m->changed);
  m->changed_count = 0;
  for (uint32_t i = 0; i < old_capacity; i++) {
    if (!old[i].used) continue;
    struct flow *place = flow_place(m, &old[i].key);
    *place = old[i];
    if (place->changed) m->changed[m->changed_count++] = (uint32_t)(place - m->flows);
  }
  free(old);
}

static inline struct device *device_of(struct meter *m, const uint8_t *mac) {
  uint64_t key = 0;
  if (mac[0] & 1) return NULL;
  memcpy(&key, mac, 6);
  uint32_t at = (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 50);
  while (m->devices[at].mac != 0 && m->devices[at].mac != key) at = (at + 1) & (DEVICES - 1);
  m->devices[at].mac = key;
  return &m->devices[at];
}

/* RFC 1035, 4.1: the name of the first question of a query. */
static void read_dns(struct meter *m, struct flow *flow, const uint8_t *p, const uint8_t *end) {
  size_t size = 0;
  if (end - p < 17 || (p[2] & 0x80) != 0 || flow->name[0] != 0) return;
  for (p += 12; p < end && *p != 0 && *p < 64;) {
    size_t label = *p++;
    if (p + label > end || size + label + 1 >= NAME_BYTES) return;
    if (size > 0) flow->name[size++] = '.';
    memcpy(flow->name + size, p, label);
    size += label;
    p += label;
  }
  m->dns_queries++;
}

/* RFC 8446, 4.1.2 and RFC 6066, 3: the server name of a ClientHello in the first segment. */
static void read_server_name(struct meter *m, struct flow *flow, const uint8_t *p, const uint8_t *end) {
  if (end - p < 48 || p[0] != 22 || p[5] != 1) return;
  p += 43;
  p += 1 + p[0];
  if (p + 2 > end) return;
  p += 2 + be16(p);
  if (p + 1 > end) return;
  p += 1 + p[0];
  if (p + 2 > end) return;
  p += 2;
  while (p + 4 <= end) {
    unsigned type = be16(p), size = be16(p + 2);
    p += 4;
    if (p + size > end) return;
    if (type == 0 && size > 5) {
      unsigned name = be16(p + 3);
      if (name > size - 5) return;
      memcpy(flow->name, p + 5, name < NAME_BYTES - 1 ? name : NAME_BYTES - 1);
      m->server_names++;
      return;
    }
    p += size;
  }
}

static void meter_frame(struct meter *m, const uint8_t *p, uint32_t captured, uint32_t wire, int64_t time_us) {
  const uint8_t *end = p + captured, *l3 = p + 14, *l4, *source, *destination;
  struct key key;
  size_t address;
  m->packets++;
  m->frame_bytes += wire;
  if (captured < 34) {
    m->not_metered++;
    return;
  }
  struct device *from = device_of(m, p + 6), *to = device_of(m, p);
  if (from) from->sent_bytes += wire - 14, from->sent_packets++;
  if (to) to->received_bytes += wire - 14, to->received_packets++;
  memset(&key, 0, sizeof key);
  unsigned type = be16(p + 12);
  if (type == 0x0800 && (be16(l3 + 6) & 0x1fff) == 0) {
    key.protocol = l3[9];
    l4 = l3 + (l3[0] & 15) * 4;
    source = l3 + 12;
    destination = l3 + 16;
    address = 4;
  } else if (type == 0x86dd && captured >= 54) {
    key.ipv6 = 1;
    key.protocol = l3[6];
    l4 = l3 + 40;
    source = l3 + 8;
    destination = l3 + 24;
    address = 16;
  } else {
    m->not_metered++;
    return;
  }
  m->ip_packets++;
  int tcp = key.protocol == 6, udp = key.protocol == 17;
  uint16_t from_port = 0, to_port = 0;
  if ((tcp || udp) && l4 + 4 <= end) from_port = be16(l4), to_port = be16(l4 + 2);
  int order = memcmp(source, destination, address);
  int high = order > 0 || (order == 0 && from_port > to_port);
  memcpy(high ? key.high : key.low, source, address);
  memcpy(high ? key.low : key.high, destination, address);
  key.low_port = high ? to_port : from_port;
  key.high_port = high ? from_port : to_port;
  struct flow *flow = flow_place(m, &key);
  if (!flow->used) {
    if (m->flow_count * 2 > m->capacity) {
      meter_grow(m);
      flow = flow_place(m, &key);
    }
    flow->used = 1;
    flow->key = key;
    flow->first_us = time_us;
    flow->originator = (uint8_t)high;
    m->flow_count++;
  }
  if (!flow->changed) {
    flow->changed = 1;
    m->changed[m->changed_count++] = (uint32_t)(flow - m->flows);
  }
  flow->packets[high]++;
  flow->bytes[high] += wire - 14;
  flow->last_us = time_us;
  if (udp && (from_port == 53 || to_port == 53) && l4 + 8 < end) read_dns(m, flow, l4 + 8, end);
  if (tcp && !flow->payload_seen && l4 + 20 <= end) {
    const uint8_t *payload = l4 + (l4[12] >> 4) * 4;
    if (payload >= end) return;
    flow->payload_seen = 1;
    read_server_name(m, flow, payload, end);
  }
}

static void meter_print(const struct meter *m, long long dropped) {
  printf("{\"packets\":%llu,\"frame_bytes\":%llu,\"ip_packets\":%llu,\"flows\":%u,\"dns\":%llu,\"sni\":%llu,\"drops\":%lld}\n",
         (unsigned long long)m->packets, (unsigned long long)m->frame_bytes, (unsigned long long)m->ip_packets,
         m->flow_count, (unsigned long long)m->dns_queries, (unsigned long long)m->server_names, dropped);
}
#endif
