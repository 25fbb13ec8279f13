// Flow records as lines of JSON, with what JavaScript has found out about them: the text of a replay of millions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "layout.h"

namespace homespin {

/** What is not in a record. `owner` to `service` are places in the table of texts, 0 for none; see ../layout.ts. */
struct FlowNote {
  uint32_t owner;
  uint32_t peer;
  uint32_t name;
  uint32_t sni;
  uint32_t service;
  uint32_t flags;
};
static_assert(sizeof(FlowNote) == 24);

/** Bits of `FlowNote::flags`; the direction is in the lowest two. */
enum FlowNoteFlags : uint32_t {
  kNoteDirection = 3,
  kNoteNameFromSni = 4,
  kNoteFromResponder = 8,
  kNoteOrigMac = 16,
  kNoteRespMac = 32,
};

/** A text is two bytes of length and the text, as it stands in JSON between quotes. */
struct TextTable {
  const uint8_t* bytes;
  size_t size;

  /** Empty where the place is outside of the table. */
  std::string_view at(uint32_t place) const;
};

/** Room for the lines of records, as a caller has it; `needed` is more than `size` where it was too small. */
struct LineRoom {
  char* bytes;
  size_t size;
  size_t used = 0;
  size_t needed = 0;
};

/** Writes a line for each record; stops where the room is too small and says how much would do. */
void put_flow_lines(const FlowRecord* records, const FlowNote* notes, size_t count, std::string_view run,
                    const TextTable& table, LineRoom& room);

}  // namespace homespin
