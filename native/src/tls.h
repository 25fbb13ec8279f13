// The server's name out of a TLS ClientHello (RFC 8446, RFC 6066).
#pragma once

#include <cstddef>
#include <cstdint>

namespace homespin {

enum class HelloState : uint8_t {
  /** Goes on; give the same bytes again with more behind them. */
  kMore,
  kName,
  /** A ClientHello without a name, or none at all. */
  kNone,
};

struct Hello {
  HelloState state;
  const uint8_t* name;
  size_t name_bytes;
};

/** The longest ClientHello that is looked at, with its record heads. */
constexpr size_t kMaxHello = 16384;

/** `data` is the client's stream from its first byte. `scratch` holds `kMaxHello` bytes; the name may lie in it. */
Hello read_client_hello(const uint8_t* data, size_t size, uint8_t* scratch);

}  // namespace homespin
