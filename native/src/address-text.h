// Addresses as text. Much faster than inet_ntop, which goes through printf.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes.h"

namespace homespin {

constexpr size_t kAddressText = 46;

inline char* put_decimal(char* to, uint32_t byte) {
  if (byte >= 100) *to++ = static_cast<char>('0' + byte / 100);
  if (byte >= 10) *to++ = static_cast<char>('0' + byte / 10 % 10);
  *to++ = static_cast<char>('0' + byte % 10);
  return to;
}

/** `192.0.2.1`; returns the end. */
inline char* put_ipv4(char* to, const uint8_t* ip) {
  for (int i = 0; i < 4; i++) {
    if (i > 0) *to++ = '.';
    to = put_decimal(to, ip[i]);
  }
  return to;
}

/** As RFC 5952 wants it; returns the end. */
inline char* put_ipv6(char* to, const uint8_t* ip) {
  uint16_t group[8];
  int best = -1;
  int best_length = 1;
  for (int i = 0, run = 0; i < 8; i++) {
    group[i] = be16(ip + 2 * i);
    run = group[i] == 0 ? run + 1 : 0;
    if (run > best_length) {
      best_length = run;
      best = i - run + 1;
    }
  }
  if (best == 0 && best_length == 5 && group[5] == 0xffff) {
    for (const char c : {':', ':', 'f', 'f', 'f', 'f', ':'}) *to++ = c;
    return put_ipv4(to, ip + 12);
  }
  for (int i = 0; i < 8; i++) {
    if (i == best) {
      *to++ = ':';
      if (i + best_length == 8) *to++ = ':';
      i += best_length - 1;
      continue;
    }
    if (i > 0) *to++ = ':';
    bool started = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
      const uint32_t digit = group[i] >> shift & 15;
      if (digit == 0 && !started && shift > 0) continue;
      started = true;
      *to++ = "0123456789abcdef"[digit];
    }
  }
  return to;
}

}  // namespace homespin
