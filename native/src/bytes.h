// Unaligned reads from bytes of the network. Callers have checked that the bytes are there.
#pragma once

#include <cstdint>
#include <cstring>

namespace homespin {

template <typename T>
inline T load(const void* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
inline void store(void* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

inline uint16_t be16(const uint8_t* at) { return __builtin_bswap16(load<uint16_t>(at)); }
inline uint32_t be32(const uint8_t* at) { return __builtin_bswap32(load<uint32_t>(at)); }

/** A MAC as a number whose lowest byte is the first on the wire. */
inline uint64_t mac_number(const uint8_t* mac) {
  uint64_t number = 0;
  std::memcpy(&number, mac, 6);
  return number;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "batches are little endian as they are");

}  // namespace homespin
