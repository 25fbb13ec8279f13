// rtnetlink messages (linux/rtnetlink.h) to events: bytes in, plain values out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace homespin {

struct Gateway {
  int index;
  std::string ip;
};

/** See `NetlinkEvent` in ../index.ts; only the fields of its kind are set. */
struct RouteEvent {
  enum class Kind : uint8_t { kLink, kAddress, kNeighbour, kGateway, kGateways, kOverrun, kSynchronised };

  Kind kind;
  int index = 0;
  bool removed = false;
  std::string name;
  std::string mac;
  std::string link_kind;
  std::string ip;
  int prefix_length = 0;
  int master = 0;
  bool up = false;
  bool loopback = false;
  bool reachable = false;
  bool router = false;
  /** Of a VLAN: the link below it, the EtherType of its tags, and its id. */
  int parent = 0;
  uint16_t vlan_type = 0;
  uint16_t vlan_id = 0;
  /** `kGateway`, which is a hop of one default route: the answer to a question, not a change. */
  bool dumped = false;
  std::vector<Gateway> gateways;
};

/** How the messages of one datagram ended. */
struct RouteEnd {
  /** A dump ended (NLMSG_DONE); its sequence number. */
  uint32_t done_sequence = 0;
  bool done = false;
  /** The kernel was interrupted by changes while it dumped (NLM_F_DUMP_INTR). */
  bool interrupted = false;
  /** Of NLMSG_ERROR, positive; 0 without. */
  int error = 0;
};

/** Appends the events of a datagram. What is cut off or unknown is left out. */
RouteEnd read_route_messages(const uint8_t* data, size_t size, std::vector<RouteEvent>& events);

}  // namespace homespin
