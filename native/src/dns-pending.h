// Queries that wait for their answers: whose they are, and whether they have been answered here already. Bounded; the one that
// ends first gives way.
#pragma once

#include <vector>

#include "device-index.h"

namespace homespin {

struct PendingQuery {
  Ip client;
  uint64_t mac;
  size_t name_hash;
  int64_t until_ns;
  uint16_t port;
  uint16_t id;
  bool answered;
};

class PendingQueries {
 public:
  explicit PendingQueries(const HashSecret& secret) : secret_(secret), entries_(kBuckets * kWays) {}

  void add(const PendingQuery& query) {
    PendingQuery* const bucket = bucket_of(query.client, query.port, query.id);
    PendingQuery* place = bucket;
    for (size_t i = 0; i < kWays; i++) {
      if (same(bucket[i], query.client, query.port, query.id)) {
        place = &bucket[i];
        break;
      }
      if (bucket[i].until_ns < place->until_ns) place = &bucket[i];
    }
    *place = query;
  }

  const PendingQuery* find(const Ip& client, uint16_t port, uint16_t id, int64_t now_ns) {
    const PendingQuery* const bucket = bucket_of(client, port, id);
    for (size_t i = 0; i < kWays; i++) {
      if (bucket[i].until_ns > now_ns && same(bucket[i], client, port, id)) return &bucket[i];
    }
    return nullptr;
  }

 private:
  static constexpr size_t kBuckets = 512;
  static constexpr size_t kWays = 8;

  PendingQuery* bucket_of(const Ip& client, uint16_t port, uint16_t id) {
    const uint64_t hash = multiply_fold(IpHash{secret_}(client) ^ (uint64_t{port} << 16 | id), secret_.word[3] | 1);
    return &entries_[hash % kBuckets * kWays];
  }
  static bool same(const PendingQuery& a, const Ip& client, uint16_t port, uint16_t id) {
    return a.port == port && a.id == id && a.client == client;
  }

  const HashSecret secret_;
  std::vector<PendingQuery> entries_;
};

}  // namespace homespin
