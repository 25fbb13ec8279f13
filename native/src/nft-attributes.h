// Netlink attributes of nf_tables' answers, each read within its parent's bytes. Numbers are big endian there.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "bytes.h"

namespace homespin {

/** Some bytes of a message; none at all where `data` is null. */
struct Span {
  const uint8_t* data = nullptr;
  size_t size = 0;

  explicit operator bool() const { return data != nullptr; }
  uint32_t number() const { return size >= 4 ? be32(data) : 0; }
  uint64_t long_number() const { return size >= 8 ? __builtin_bswap64(load<uint64_t>(data)) : 0; }
  std::string text() const {
    const char* const from = reinterpret_cast<const char*>(data);
    return data == nullptr ? std::string() : std::string(from, strnlen(from, size));
  }
};

/** Calls `each(type, Span)` for every whole attribute; ends at the first one that is cut off. */
template <typename Each>
void each_attribute(Span from, Each each) {
  const uint8_t* at = from.data;
  size_t left = from.size;
  while (left >= sizeof(nlattr)) {
    const nlattr head = load<nlattr>(at);
    if (head.nla_len < sizeof head || head.nla_len > left) return;
    each(static_cast<uint16_t>(head.nla_type & NLA_TYPE_MASK),
         Span{at + sizeof head, head.nla_len - sizeof head});
    const size_t step = NLA_ALIGN(head.nla_len);
    if (step >= left) return;
    at += step;
    left -= step;
  }
}

/** Attributes by their type. */
template <uint16_t kMost>
struct NftAttributes {
  Span of[kMost + 1];

  explicit NftAttributes(Span from) {
    each_attribute(from, [&](uint16_t type, Span value) {
      if (type <= kMost) of[type] = value;
    });
  }

  Span operator[](uint16_t type) const { return of[type]; }
};

}  // namespace homespin
