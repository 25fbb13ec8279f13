#include "dns-message.h"

#include <algorithm>

#include "bytes.h"

namespace homespin {

namespace {

constexpr size_t kHeader = 12;
constexpr size_t kRecordHead = 10;
/** Records that are looked at; a message of 64 KiB can hold ten times as many, and none that is meant well does. */
constexpr size_t kMostRecords = 1024;
constexpr size_t kMostNames = 16;
constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeCname = 5;
constexpr uint16_t kTypeNull = 10;
constexpr uint16_t kTypeAaaa = 28;
constexpr uint16_t kTypeOpt = 41;
constexpr uint16_t kTypeSvcb = 64;
constexpr uint16_t kTypeHttps = 65;
constexpr uint16_t kTypeAny = 255;
constexpr uint16_t kClassIn = 1;
constexpr uint16_t kHintIpv4 = 4;
constexpr uint16_t kHintIpv6 = 6;
constexpr uint16_t kOptionPadding = 12;
constexpr uint16_t kUdpBytes = 1232;

struct Record {
  std::string owner;
  uint16_t type;
  uint32_t ttl_s;
  size_t data;
  size_t data_bytes;
  bool additional;
};

void put16(uint8_t* to, size_t value) {
  store(to, __builtin_bswap16(static_cast<uint16_t>(value)));
}

/** A record as it lies there: its owner's name has been read to `owner`. */
struct Head {
  std::string_view owner;
  uint16_t type;
  uint16_t rclass;
  size_t ttl;
  size_t data;
  size_t bytes;
  bool authority;
  bool additional;
};

/** Calls `use(const Head&)` for each record; returns where the last one ends, 0 where one can't be read. */
template <typename Use>
size_t each_record(const uint8_t* message, size_t size, size_t at, Use&& use) {
  const size_t answers = be16(message + 6);
  const size_t before_additional = answers + be16(message + 8);
  const size_t all = before_additional + be16(message + 10);
  if (all > kMostRecords) return 0;
  char owner[kMaxNameText];
  for (size_t i = 0; i < all; i++) {
    size_t owner_bytes = 0;
    at = read_name(message, size, at, owner, owner_bytes);
    if (at == 0 || at + kRecordHead > size) return 0;
    const size_t bytes = be16(message + at + 8);
    const size_t data = at + kRecordHead;
    if (bytes > size - data) return 0;
    use(Head{{owner, owner_bytes}, be16(message + at), be16(message + at + 2), at + 4, data, bytes,
             i >= answers && i < before_additional, i >= before_additional});
    at = data + bytes;
  }
  return at;
}

/** Reads the records; false where one can't be read. */
bool read_records(const uint8_t* message, size_t size, size_t at, std::vector<Record>& records, DnsAnswer& answer) {
  return each_record(message, size, at, [&](const Head& head) {
    const uint32_t ttl_s = be32(message + head.ttl);
    if (head.type == kTypeOpt) {
      answer.edns = true;
    } else {
      answer.longest_ttl_s = std::max(answer.longest_ttl_s, ttl_s);
    }
    if (head.rclass != kClassIn || head.authority) return;
    records.push_back({std::string(head.owner), head.type, ttl_s, head.data, head.bytes, head.additional});
  }) != 0;
}

void add_address(const uint8_t* from, bool ipv6, uint32_t ttl_s, DnsAnswer& answer) {
  if (answer.addresses.size() == kMostAddresses) {
    answer.cut = true;
    return;
  }
  DnsAddress address{};
  address.ip.ipv6 = ipv6;
  std::memcpy(address.ip.word, from, ipv6 ? 16 : 4);
  address.ttl_s = ttl_s;
  answer.addresses.push_back(address);
}

/** The target's name, and hints (RFC 9460, 7.3) where `hints`. */
bool read_service(const uint8_t* message, size_t size, const Record& record, bool hints,
                  std::string& target, DnsAnswer& answer) {
  const size_t end = record.data + record.data_bytes;
  if (record.data_bytes < 3) return false;
  char text[kMaxNameText];
  size_t text_bytes = 0;
  size_t at = read_name(message, size, record.data + 2, text, text_bytes);
  if (at == 0 || at > end) return false;
  target.assign(text, text_bytes);
  while (at < end) {
    if (end - at < 4) return false;
    const uint16_t key = be16(message + at);
    const size_t bytes = be16(message + at + 2);
    at += 4;
    if (bytes > end - at) return false;
    const size_t each = key == kHintIpv4 ? 4 : 16;
    if (key == kHintIpv4 || key == kHintIpv6) {
      if (bytes == 0 || bytes % each != 0) return false;
      for (size_t i = 0; hints && i < bytes; i += each) {
        add_address(message + at + i, each == 16, record.ttl_s, answer);
      }
    }
    at += bytes;
  }
  return true;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void add_name(std::vector<std::string>& names, std::string name) {
  if (names.size() < kMostNames && !has(names, name)) names.push_back(std::move(name));
}

}  // namespace

bool leads_to_addresses(uint16_t type) {
  return type == kTypeA || type == kTypeAaaa || type == kTypeCname || type == kTypeSvcb ||
         type == kTypeHttps || type == kTypeAny;
}

bool read_question(const uint8_t* message, size_t size, DnsQuestion& question) {
  if (size < kHeader + 5 || (message[2] & 0x78) != 0 || be16(message + 4) != 1) return false;
  question.name_bytes = 0;
  const size_t at = read_name(message, size, kHeader, question.name, question.name_bytes);
  if (at == 0 || at + 4 > size) return false;
  question.id = be16(message);
  question.type = be16(message + at);
  question.response = message[2] & 0x80;
  question.truncated = message[2] & 2;
  question.end = at + 4;
  return true;
}

bool read_answer(const uint8_t* message, size_t size, const DnsQuestion& question,
                 DnsAnswer& answer) {
  answer.names.clear();
  answer.addresses.clear();
  answer.cut = answer.edns = false;
  answer.longest_ttl_s = 0;
  answer.names.emplace_back(question.text());
  std::vector<Record> records;
  if (!read_records(message, size, question.end, records, answer)) return false;
  // Aliases come in any order.
  char text[kMaxNameText];
  for (size_t known = 0; known != answer.names.size();) {
    known = answer.names.size();
    for (const Record& record : records) {
      if (record.type != kTypeCname || record.additional || !has(answer.names, record.owner)) continue;
      size_t text_bytes = 0;
      if (read_name(message, size, record.data, text, text_bytes) != record.data + record.data_bytes) {
        return false;
      }
      add_name(answer.names, std::string(text, text_bytes));
    }
  }
  for (const Record& record : records) {
    if (record.type != kTypeSvcb && record.type != kTypeHttps) continue;
    std::string target;
    const bool ours = !record.additional && has(answer.names, record.owner);
    if (!read_service(message, size, record, ours, target, answer)) return false;
    if (ours && target != ".") add_name(answer.names, std::move(target));
  }
  for (const Record& record : records) {
    const bool ipv6 = record.type == kTypeAaaa;
    if (record.type != kTypeA && !ipv6) continue;
    if (record.data_bytes != (ipv6 ? 16u : 4u)) return false;
    if (has(answer.names, record.owner)) {
      add_address(message + record.data, ipv6, record.ttl_s, answer);
    }
  }
  return true;
}

bool has_edns(const uint8_t* message, size_t size, const DnsQuestion& question) {
  bool edns = false;
  const auto look = [&](const Head& head) { edns = edns || head.type == kTypeOpt; };
  return each_record(message, size, question.end, look) != 0 && edns;
}

bool is_plain_query(const uint8_t* message, size_t size, const DnsQuestion& question) {
  // EDNS and a signature (RFC 8945) are all that comes behind a question.
  constexpr size_t kMostAdditional = 2;
  if (question.response || size > kMostQuery || be16(message + 6) != 0 || be16(message + 8) != 0) return false;
  if (be16(message + 10) > kMostAdditional) return false;
  return each_record(message, size, question.end, [](const Head&) {}) == size;
}

bool lower_ttls(uint8_t* message, size_t size, const DnsQuestion& question, uint32_t most) {
  bool lowered = false;
  each_record(message, size, question.end, [&](const Head& head) {
    if (head.type == kTypeOpt || be32(message + head.ttl) <= most) return;
    store(message + head.ttl, __builtin_bswap32(most));
    lowered = true;
  });
  return lowered;
}

size_t put_nxdomain(const uint8_t* message, const DnsQuestion& question, bool edns, uint8_t* to) {
  std::memmove(to, message, question.end);
  to[2] = static_cast<uint8_t>(0x80 | (message[2] & 1));
  to[3] = static_cast<uint8_t>(0x80 | (message[3] & 0x10) | 3);
  put16(to + 4, 1);
  put16(to + 6, 0);
  put16(to + 8, 0);
  put16(to + 10, edns ? 1 : 0);
  if (!edns) return question.end;
  uint8_t* const at = to + question.end;
  std::memset(at, 0, 11);
  put16(at + 1, kTypeOpt);
  put16(at + 3, kUdpBytes);
  return question.end + 11;
}

void blank_answer(uint8_t* message, size_t size, const DnsQuestion& question, bool edns) {
  put_nxdomain(message, question, false, message);
  uint8_t* const at = message + question.end;
  const size_t left = size - question.end;
  std::memset(at, 0, left);
  // Less than a record's head can only be bytes that belonged to none.
  if (left < 11) return;
  put16(message + 10, 1);
  // Padding is an option of EDNS (RFC 7830); who did not ask with EDNS gets a NULL record (RFC 1035, 3.3.10).
  const bool option = edns && left >= 15;
  put16(at + 1, option ? kTypeOpt : kTypeNull);
  put16(at + 3, option ? kUdpBytes : kClassIn);
  put16(at + 9, left - 11);
  if (!option) return;
  put16(at + 11, kOptionPadding);
  put16(at + 13, left - 15);
}

}  // namespace homespin
