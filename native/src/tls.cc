#include "tls.h"

#include <algorithm>
#include <cstring>

#include "bytes.h"

namespace homespin {

namespace {

constexpr uint8_t kHandshake = 0x16;
constexpr uint8_t kClientHello = 1;
constexpr uint16_t kServerName = 0;
constexpr size_t kRecordHead = 5;
constexpr size_t kMaxName = 255;

constexpr Hello kWaiting{HelloState::kMore, nullptr, 0};
constexpr Hello kNothing{HelloState::kNone, nullptr, 0};

/** Goes over bytes of which the end may not have come yet. */
class Cursor {
 public:
  Cursor(const uint8_t* at, size_t size) : at_(at), left_(size) {}
  bool has(size_t n) const { return left_ >= n; }
  void skip(size_t n) {
    at_ += n;
    left_ -= n;
  }
  const uint8_t* at() const { return at_; }

 private:
  const uint8_t* at_;
  size_t left_;
};

Hello server_name(const uint8_t* data, size_t size) {
  if (size < 5) return kNothing;
  const size_t length = be16(data + 3);
  if (data[2] != 0 || length == 0 || length > kMaxName || length > size - 5) return kNothing;
  return {HelloState::kName, data + 5, length};
}

/** `data` are handshake bytes, `size` of which are there. The name is taken as soon as it is. */
Hello read_handshake(const uint8_t* data, size_t size) {
  if (size < 4) return kWaiting;
  const size_t length = static_cast<size_t>(data[1]) << 16 | be16(data + 2);
  if (data[0] != kClientHello || length > kMaxHello || length < 38) return kNothing;
  const bool whole = size >= length + 4;
  const Hello at_end = whole ? kNothing : kWaiting;
  Cursor cursor(data + 4, whole ? length : size - 4);
  if (!cursor.has(35)) return at_end;
  cursor.skip(34);  // version, random
  const size_t session = *cursor.at();
  cursor.skip(1);
  if (!cursor.has(session + 2)) return at_end;
  cursor.skip(session);
  const size_t suites = be16(cursor.at());
  cursor.skip(2);
  if (!cursor.has(suites + 1)) return at_end;
  cursor.skip(suites);
  const size_t compressions = *cursor.at();
  cursor.skip(1);
  if (!cursor.has(compressions + 2)) return at_end;
  cursor.skip(compressions + 2);
  while (cursor.has(4)) {
    const uint16_t type = be16(cursor.at());
    const size_t extension = be16(cursor.at() + 2);
    cursor.skip(4);
    if (!cursor.has(extension)) return at_end;
    if (type == kServerName) return server_name(cursor.at(), extension);
    cursor.skip(extension);
  }
  return at_end;
}

}  // namespace

Hello read_client_hello(const uint8_t* data, size_t size, uint8_t* scratch) {
  if (size > 0 && data[0] != kHandshake) return kNothing;
  if (size > 1 && data[1] != 3) return kNothing;
  if (size < kRecordHead) return kWaiting;
  const size_t first = be16(data + 3);
  if (first == 0 || first > kMaxHello) return kNothing;
  const uint8_t* handshake = data + kRecordHead;
  size_t available = std::min(size - kRecordHead, first);
  size_t at = kRecordHead + first;
  if (at + kRecordHead <= size && data[at] == kHandshake) {
    // The message may be spread over several records: put together without their heads.
    std::memcpy(scratch, handshake, first);
    available = first;
    while (at + kRecordHead <= size && data[at] == kHandshake && data[at + 1] == 3) {
      const size_t length = be16(data + at + 3);
      const size_t part = std::min(length, size - at - kRecordHead);
      if (length == 0 || available + part > kMaxHello) break;
      std::memcpy(scratch + available, data + at + kRecordHead, part);
      available += part;
      at += kRecordHead + length;
    }
    handshake = scratch;
  }
  const Hello hello = read_handshake(handshake, available);
  return hello.state == HelloState::kMore && size >= kMaxHello ? kNothing : hello;
}

}  // namespace homespin
