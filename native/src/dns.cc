#include "dns.h"

#include <array>
#include <cstring>

#include "address-text.h"
#include "bytes.h"
#include "layout.h"

namespace homespin {

namespace {

constexpr size_t kHeader = 12;
constexpr size_t kMaxWireName = 255;
constexpr int kMaxHops = 16;
constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeCname = 5;
constexpr uint16_t kTypeAaaa = 28;
constexpr uint16_t kClassIn = 1;

/** What stands for a byte in text; 0: `\DDD`. */
constexpr std::array<char, 256> make_letters() {
  std::array<char, 256> letters{};
  for (int c = 0x21; c < 0x7f; c++) letters[c] = static_cast<char>(c);
  for (int c = 'A'; c <= 'Z'; c++) letters[c] = static_cast<char>(c + 32);
  letters['.'] = letters['\\'] = 0;
  return letters;
}
constexpr std::array<char, 256> kLetters = make_letters();

inline char* put_letter(char* to, uint8_t byte) {
  const char letter = kLetters[byte];
  if (letter != 0) {
    *to++ = letter;
    return to;
  }
  *to++ = '\\';
  *to++ = static_cast<char>('0' + byte / 100);
  *to++ = static_cast<char>('0' + byte / 10 % 10);
  *to++ = static_cast<char>('0' + byte % 10);
  return to;
}

}  // namespace

size_t read_name(const uint8_t* message, size_t size, size_t at, char* to, size_t& length) {
  size_t after = 0;
  size_t limit = at;
  size_t wire = 1;
  int hops = 0;
  char* const start = to;
  for (;;) {
    if (at >= size) return 0;
    const uint8_t octet = message[at];
    if (octet >= 0xc0) {
      if (at + 2 > size || ++hops > kMaxHops) return 0;
      const size_t target = be16(message + at) & 0x3fff;
      if (after == 0) after = at + 2;
      if (target >= limit || target < kHeader) return 0;
      at = limit = target;
      continue;
    }
    if (octet >= 64) return 0;
    at++;
    if (octet == 0) break;
    wire += octet + 1u;
    if (wire > kMaxWireName || at + octet > size) return 0;
    if (to != nullptr) {
      if (to != start) *to++ = '.';
      for (size_t end = at + octet; at < end; at++) to = put_letter(to, message[at]);
    } else {
      at += octet;
    }
  }
  if (to != nullptr) {
    if (to == start) *to++ = '.';
    length = static_cast<size_t>(to - start);
  }
  return after == 0 ? at : after;
}

size_t put_dotted_name(const uint8_t* from, size_t size, char* to) {
  char* const start = to;
  for (size_t i = 0; i < size; i++) {
    if (from[i] == '.') {
      *to++ = '.';
    } else {
      to = put_letter(to, from[i]);
    }
  }
  return static_cast<size_t>(to - start);
}

DnsKind dns_kind(const uint8_t* message, size_t size) {
  if (size < kHeader + 5 || (message[2] & 0x78) != 0 || be16(message + 4) != 1) {
    return DnsKind::kNone;
  }
  size_t length;
  const size_t after = read_name(message, size, kHeader, nullptr, length);
  if (after == 0 || after + 4 > size) return DnsKind::kNone;
  return message[2] & 0x80 ? DnsKind::kResponse : DnsKind::kQuery;
}

size_t read_dns(const uint8_t* message, size_t size, bool tcp, uint8_t* out) {
  DnsHead head{};
  char* const question = reinterpret_cast<char*>(out) + sizeof head;
  size_t question_length = 0;
  size_t at = read_name(message, size, kHeader, question, question_length);
  const bool response = message[2] & 0x80;
  head.id = be16(message);
  head.rcode = message[3] & 15;
  head.qtype = be16(message + at);
  head.name_bytes = static_cast<uint16_t>(question_length);
  head.flags = static_cast<uint8_t>((response ? kDnsResponse : 0) | (tcp ? kDnsTcp : 0) |
                                    (message[2] & 2 ? kDnsTruncated : 0));
  at += 4;
  uint8_t* to = out + sizeof head + question_length;
  const uint16_t given = response ? be16(message + 6) : 0;
  for (uint16_t i = 0; i < given; i++) {
    // Two names of the longest kind must still fit.
    const bool room = static_cast<size_t>(to - out) + sizeof(DnsAnswerHead) + 2 * kMaxNameText <=
                      kMaxDnsPayload;
    if (head.answers == kMaxAnswers || !room) {
      head.flags |= kDnsAnswersCut;
      break;
    }
    DnsAnswerHead answer{};
    char* text = reinterpret_cast<char*>(to) + sizeof answer;
    size_t owner_length = 0;
    if (at + 2 <= size && be16(message + at) == (0xc000 | kHeader)) {
      answer.name_bytes = kSameName;
      at += 2;
    } else {
      at = read_name(message, size, at, text, owner_length);
      if (at == 0) break;
      const bool same =
          owner_length == question_length && std::memcmp(text, question, owner_length) == 0;
      if (same) owner_length = 0;
      answer.name_bytes = same ? kSameName : static_cast<uint16_t>(owner_length);
    }
    if (at + 10 > size) break;
    answer.rtype = be16(message + at);
    const uint16_t rclass = be16(message + at + 2);
    answer.ttl_s = be32(message + at + 4);
    const size_t data_length = be16(message + at + 8);
    at += 10;
    if (at + data_length > size) break;
    text += owner_length;
    size_t text_length = 0;
    if (rclass == kClassIn) {
      if (answer.rtype == kTypeA && data_length == 4) {
        text_length = static_cast<size_t>(put_ipv4(text, message + at) - text);
      } else if (answer.rtype == kTypeAaaa && data_length == 16) {
        text_length = static_cast<size_t>(put_ipv6(text, message + at) - text);
      } else if (answer.rtype == kTypeCname) {
        const size_t after = read_name(message, size, at, text, text_length);
        if (after != at + data_length) break;
      }
    }
    answer.data_bytes = static_cast<uint16_t>(text_length);
    std::memcpy(to, &answer, sizeof answer);
    to = reinterpret_cast<uint8_t*>(text) + text_length;
    at += data_length;
    head.answers++;
  }
  std::memcpy(out, &head, sizeof head);
  return static_cast<size_t>(to - out);
}

}  // namespace homespin
