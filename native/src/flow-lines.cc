#include "flow-lines.h"

#include <charconv>
#include <cstring>

#include "address-text.h"

namespace homespin {

namespace {

/** More than a line takes without the texts of the table. */
constexpr size_t kLineRoom = 768;

class Line {
 public:
  explicit Line(char* at) : at_(at) {}

  char* end() const { return at_; }

  template <size_t N>
  void literal(const char (&text)[N]) {
    std::memcpy(at_, text, N - 1);
    at_ += N - 1;
  }

  void text(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  /** A count: whole, and below 2^53. */
  void number(double value) {
    at_ = std::to_chars(at_, at_ + 24, static_cast<uint64_t>(value)).ptr;
  }

  void base36(double value) {
    at_ = std::to_chars(at_, at_ + 24, static_cast<uint64_t>(value), 36).ptr;
  }

  void ip(const uint8_t* ip, bool ipv6) { at_ = ipv6 ? put_ipv6(at_, ip) : put_ipv4(at_, ip); }

  void mac(const uint8_t* mac) {
    for (int i = 0; i < 6; i++) {
      if (i > 0) *at_++ = ':';
      *at_++ = "0123456789abcdef"[mac[i] >> 4];
      *at_++ = "0123456789abcdef"[mac[i] & 15];
    }
  }

 private:
  char* at_;
};

bool has_ports(uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

void put_protocol(Line& line, uint8_t protocol) {
  switch (protocol) {
    case 1:
      return line.literal("icmp");
    case 6:
      return line.literal("tcp");
    case 17:
      return line.literal("udp");
    case 58:
      return line.literal("icmpv6");
    default:
      return line.number(protocol);
  }
}

void put_end(Line& line, const FlowRecord& record, const uint8_t* ip, uint16_t port, const uint8_t* mac) {
  line.literal("{\"ip\":\"");
  line.ip(ip, (record.flags & kFlowIpv6) != 0);
  line.literal("\"");
  if (has_ports(record.protocol)) {
    line.literal(",\"port\":");
    line.number(port);
  }
  if (mac != nullptr) {
    line.literal(",\"mac\":\"");
    line.mac(mac);
    line.literal("\"");
  }
  line.literal("}");
}

void put_state(Line& line, const FlowRecord& record) {
  static constexpr std::string_view kStates[] = {"new", "active", "closed"};
  static constexpr std::string_view kReasons[] = {"fin", "rst", "idle", "evicted", "eof"};
  line.literal(",\"state\":\"");
  line.text(kStates[record.state <= kStateClosed ? record.state : uint8_t{kStateActive}]);
  if (record.state == kStateClosed && record.closed_by <= kClosedByEof) {
    line.literal("\",\"closed_by\":\"");
    line.text(kReasons[record.closed_by]);
  }
  line.literal("\"}\n");
}

char* put_line(char* at, const FlowRecord& record, const FlowNote& note, std::string_view run,
               const TextTable& table) {
  static constexpr std::string_view kDirections[] = {"outbound", "inbound", "local", "local"};
  Line line(at);
  line.literal("{\"type\":\"flow\",\"id\":\"");
  line.text(run);
  line.literal("-");
  line.base36(record.number);
  line.literal("\",\"device_id\":\"");
  line.text(table.at(note.owner));
  if (note.peer != 0) {
    line.literal("\",\"peer_device_id\":\"");
    line.text(table.at(note.peer));
  }
  line.literal("\",\"direction\":\"");
  line.text(kDirections[note.flags & kNoteDirection]);
  line.literal("\",\"protocol\":\"");
  put_protocol(line, record.protocol);
  line.literal("\",\"originator\":");
  put_end(line, record, record.orig_ip, record.orig_port,
          (note.flags & kNoteOrigMac) != 0 ? record.orig_mac : nullptr);
  line.literal(",\"responder\":");
  put_end(line, record, record.resp_ip, record.resp_port,
          (note.flags & kNoteRespMac) != 0 ? record.resp_mac : nullptr);
  if (note.name != 0) {
    line.literal(",\"remote_name\":\"");
    line.text(table.at(note.name));
    if ((note.flags & kNoteNameFromSni) != 0) line.literal("\",\"remote_name_source\":\"sni\"");
    else line.literal("\",\"remote_name_source\":\"dns\"");
  }
  if (note.service != 0) {
    line.literal(",\"service\":\"");
    line.text(table.at(note.service));
    line.literal("\"");
  }
  if (note.sni != 0) {
    line.literal(",\"sni\":\"");
    line.text(table.at(note.sni));
    line.literal("\"");
  }
  const bool turned = (note.flags & kNoteFromResponder) != 0;
  line.literal(",\"sent_bytes\":");
  line.number(turned ? record.resp_bytes : record.orig_bytes);
  line.literal(",\"received_bytes\":");
  line.number(turned ? record.orig_bytes : record.resp_bytes);
  line.literal(",\"sent_packets\":");
  line.number(turned ? record.resp_packets : record.orig_packets);
  line.literal(",\"received_packets\":");
  line.number(turned ? record.orig_packets : record.resp_packets);
  line.literal(",\"first_ms\":");
  line.number(record.first_ms);
  line.literal(",\"last_ms\":");
  line.number(record.last_ms);
  put_state(line, record);
  return line.end();
}

}  // namespace

std::string_view TextTable::at(uint32_t place) const {
  if (place + size_t{2} > size) return {};
  const size_t length = bytes[place] | bytes[place + 1] << 8;
  if (place + 2 + length > size) return {};
  return {reinterpret_cast<const char*>(bytes + place + 2), length};
}

void put_flow_lines(const FlowRecord* records, const FlowNote* notes, size_t count, std::string_view run,
                    const TextTable& table, LineRoom& room) {
  for (size_t i = 0; i < count; i++) {
    const FlowNote& note = notes[i];
    size_t line = kLineRoom + run.size();
    for (const uint32_t place : {note.owner, note.peer, note.name, note.sni, note.service}) {
      line += table.at(place).size();
    }
    if (room.size - room.used < line) {
      room.needed = (room.used + line) / (i + 1) * count * 2 + line;
      return;
    }
    char* const end = put_line(room.bytes + room.used, records[i], note, run, table);
    room.used = static_cast<size_t>(end - room.bytes);
  }
}

}  // namespace homespin
