// nfnetlink messages for nf_tables, written one behind the other (linux/netfilter/nfnetlink.h, nf_tables.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace homespin {

/** Newer than the headers that this is built with; Linux 6.3. As deleting, but what is not there is no error. */
constexpr uint16_t kDestroyTable = 26;
constexpr uint16_t kDestroySetElement = 30;

class NftMessages {
 public:
  /** Begins a transaction; with a generation it fails (ERESTART) where the ruleset is at another one. 0: at any. */
  void begin(uint32_t generation = 0);
  /** `type` of nf_tables.h. `index` is what an error about this message is reported with. */
  void message(uint16_t type, uint8_t family, uint16_t flags, int32_t index = -1);
  /** Asks for an answer to the last message, so that there is one where nothing fails. */
  void acknowledge();
  /** Ends a transaction. One without an end is checked by the kernel and then thrown away. */
  void commit();

  void put(uint16_t type, const void* data, size_t size);
  /** With its zero. */
  void put_text(uint16_t type, std::string_view text);
  void put_be16(uint16_t type, uint16_t value);
  void put_be32(uint16_t type, uint32_t value);
  void put_be64(uint16_t type, uint64_t value);
  size_t nest(uint16_t type);
  void end_nest(size_t nest);

  const std::vector<uint8_t>& bytes() const { return bytes_; }
  /** Of the message with this sequence number; below zero: of none. */
  int32_t index_of(uint32_t sequence) const;

 private:
  void header(uint16_t type, uint16_t flags, uint8_t family, uint16_t resource);
  /** Lengthens the message that is written. */
  void grown();

  std::vector<uint8_t> bytes_;
  /** Where the last message begins. */
  size_t last_ = 0;
  std::vector<int32_t> indexes_;
};

}  // namespace homespin
