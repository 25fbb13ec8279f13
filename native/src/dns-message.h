// DNS messages as the gate needs them: the question, the chain of names that an answer leads through, its addresses, and the
// answer "there is no such name".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "device-index.h"
#include "dns.h"

namespace homespin {

struct DnsQuestion {
  uint16_t id;
  uint16_t type;
  bool response;
  bool truncated;
  /** Where the records begin. */
  size_t end;
  size_t name_bytes;
  char name[kMaxNameText];
  std::string_view text() const { return {name, name_bytes}; }
};

/** False: not a standard query or response with one question that can be read. */
bool read_question(const uint8_t* message, size_t size, DnsQuestion& question);

/** Longer questions are not asked by what is meant well; more than this is not sent over UDP either (DNS flag day 2020). */
constexpr size_t kMostQuery = 1232;

/** Whether a message is a question and nothing else: no answers, no bytes that belong to no record. `question`: as it was read. */
bool is_plain_query(const uint8_t* message, size_t size, const DnsQuestion& question);

struct DnsAddress {
  Ip ip;
  uint32_t ttl_s;
};

constexpr size_t kMostAddresses = 64;

struct DnsAnswer {
  /** From the name that was asked for, along its aliases; then targets of SVCB and HTTPS. */
  std::vector<std::string> names;
  /** At most `kMostAddresses`, of A, AAAA, and hints of SVCB and HTTPS, in answer and additional records. */
  std::vector<DnsAddress> addresses;
  /** There were more. */
  bool cut;
  bool edns;
  /** The longest TTL of its records, but those of EDNS. */
  uint32_t longest_ttl_s;
};

/** False: a record can't be read. */
bool read_answer(const uint8_t* message, size_t size, const DnsQuestion& question, DnsAnswer& answer);

/** Writes `most` in the place of every longer TTL of an answer that `read_answer` has read; false: there was none. */
bool lower_ttls(uint8_t* message, size_t size, const DnsQuestion& question, uint32_t most);

/** Whether answers to this type can hold addresses, or lead to names that have some. */
bool leads_to_addresses(uint16_t type);

/** Whether a query (or an answer) has an OPT record; false also where that can't be read. */
bool has_edns(const uint8_t* message, size_t size, const DnsQuestion& question);

/** Bytes that `put_nxdomain` writes at most, of a question that ends at `end`. */
constexpr size_t nxdomain_bytes(size_t end) { return end + 11; }

/** Answers the question of `message` with "no such name"; returns the bytes. `to` may be `message`. */
size_t put_nxdomain(const uint8_t* message, const DnsQuestion& question, bool edns, uint8_t* to);

/** Makes an answer "no such name" without changing its size: padded by a record that says nothing. */
void blank_answer(uint8_t* message, size_t size, const DnsQuestion& question, bool edns);

}  // namespace homespin
