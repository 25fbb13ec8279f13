// What is in a set: a dump of it, plain values.
#pragma once

#include <cstdint>
#include <vector>

#include "nft-rules.h"
#include "nft-socket.h"

namespace homespin {

/** Longest key that the kernel has (NFT_DATA_VALUE_MAXLEN). */
constexpr size_t kMostKeyBytes = 64;

/** How a set keeps what is more than a single value. */
enum class SetKind : uint8_t {
  kPlain = 0,
  /** Intervals of one value: the kernel keeps where each begins and where the next thing after it does. */
  kRanges = 1,
  /** Ranges of concatenated values: each element has a key and a last key. */
  kConcatenatedRanges = 2,
};

/** As ../nft-records.ts reads it. The last key equals the first where the element is a single value. */
struct SetElement {
  uint8_t first[kMostKeyBytes];
  uint8_t last[kMostKeyBytes];
  /** Milliseconds; all ones: without an end. */
  uint64_t remaining_ms;
  uint64_t packets;
  uint64_t bytes;
};
static_assert(sizeof(SetElement) == 152);

constexpr uint64_t kForEver = ~0ull;

/**
 * Everything that is in a set whose keys have `key_bytes`, at one moment: begun anew when the ruleset changes meanwhile.
 * 0, or the errno; EINTR: it did not hold still.
 */
int read_elements(NftSocket& socket, const NftPlace& set, SetKind kind, size_t key_bytes,
                  std::vector<SetElement>& elements);

/**
 * The element that holds one key, of a set of single values or concatenated ranges. 0, ENOENT where there is none (or no
 * such set), or another errno.
 */
int read_element(NftSocket& socket, const NftPlace& set, const uint8_t* key, size_t key_bytes,
                 SetElement& element);

/** The key behind this one, big endian. False: there is none behind the last. */
bool next_key(uint8_t* key, size_t bytes);

}  // namespace homespin
