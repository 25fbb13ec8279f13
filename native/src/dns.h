// DNS messages (RFC 1035, RFC 9267) to the payload of a `dns` record.
#pragma once

#include <cstddef>
#include <cstdint>

namespace homespin {

/** The most that `read_dns` writes. */
constexpr size_t kMaxDnsPayload = 16384;

enum class DnsKind : uint8_t { kNone, kQuery, kResponse };

/** What a message is, without its answers. A query: QR 0, opcode 0, one question that can be read. */
DnsKind dns_kind(const uint8_t* message, size_t size);

/**
 * Writes the payload of a message that `dns_kind` accepted to `out`, and returns its bytes. Answers that can't be read end
 * the list; those before stand.
 */
size_t read_dns(const uint8_t* message, size_t size, bool tcp, uint8_t* out);

/** The most text that 255 bytes of a name can make. */
constexpr size_t kMaxNameText = 1024;

/**
 * Reads the name at `at` as canonical text, to `to` (which holds `kMaxNameText`) unless that is null. Pointers lead strictly
 * backwards, 16 at most. Returns where the message goes on, 0 if the name is wrong.
 */
size_t read_name(const uint8_t* message, size_t size, size_t at, char* to, size_t& length);

/** Canonical text of a byte string that is a name with dots, as of SNI. Returns its length; `to` holds `kMaxNameText`. */
size_t put_dotted_name(const uint8_t* from, size_t size, char* to);

}  // namespace homespin
