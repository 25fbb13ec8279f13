// What the objects of the queues read out of JavaScript's values, which ../queue-arguments.ts has checked.
#pragma once

#include <arpa/inet.h>
#include <napi.h>
#include <sys/random.h>

#include <string>

#include "device-index.h"
#include "locality.h"
#include "queue-socket.h"

namespace homespin {

inline HashSecret draw_secret() {
  HashSecret secret;
  if (getrandom(&secret, sizeof secret, 0) != sizeof secret) secret = {{1, 2, 3, 4}};
  return secret;
}

inline uint32_t read_number(const Napi::Object& from, const char* name) {
  return from.Get(name).As<Napi::Number>().Uint32Value();
}

/** `02:0d:e0:00:00:01` */
inline uint64_t read_mac_number(const std::string& text) {
  uint8_t mac[6];
  for (size_t i = 0; i < sizeof mac; i++) {
    mac[i] = static_cast<uint8_t>(std::stoul(text.substr(i * 3, 2), nullptr, 16));
  }
  return mac_number(mac);
}

/** With or without a zone; all zero if it isn't an address. */
inline Ip read_ip(const std::string& text) {
  Ip ip{};
  const std::string bare = text.substr(0, text.find('%'));
  ip.ipv6 = bare.find(':') != std::string::npos;
  if (inet_pton(ip.ipv6 ? AF_INET6 : AF_INET, bare.c_str(), ip.word) != 1) ip.word[0] = ip.word[1] = 0;
  return ip;
}

/** An address with or without a length. */
inline Prefix read_prefix(const std::string& text) {
  const size_t slash = text.find('/');
  const Ip ip = read_ip(text.substr(0, slash));
  Prefix prefix{};
  std::memcpy(prefix.ip, ip.word, sizeof prefix.ip);
  prefix.ipv6 = ip.ipv6 != 0;
  prefix.bits = slash == std::string::npos ? (prefix.ipv6 ? 128 : 32)
                                           : static_cast<uint8_t>(std::stoul(text.substr(slash + 1)));
  return prefix;
}

inline std::string ip_text(const Ip& ip) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(ip.ipv6 ? AF_INET6 : AF_INET, ip.word, text, sizeof text);
}

inline std::string mac_text(uint64_t mac) {
  std::string text;
  for (int i = 0; i < 6; i++) {
    if (i > 0) text += ':';
    text += "0123456789abcdef"[mac >> (8 * i + 4) & 15];
    text += "0123456789abcdef"[mac >> (8 * i) & 15];
  }
  return text;
}

inline QueueOptions read_queue_options(const Napi::Object& from, uint32_t copy_bytes) {
  QueueOptions options;
  options.number = static_cast<uint16_t>(read_number(from, "queue"));
  options.copy_bytes = copy_bytes;
  options.max_length = read_number(from, "maxLength");
  return options;
}

template <typename Call>
void each_of(const Napi::Value& list, Call&& call) {
  const Napi::Array all = list.As<Napi::Array>();
  for (uint32_t i = 0; i < all.Length(); i++) {
    const Napi::HandleScope scope(all.Env());
    call(all.Get(i));
  }
}

}  // namespace homespin
