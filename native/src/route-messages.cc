#include "route-messages.h"

#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

#include "address-text.h"

namespace homespin {

namespace {

/** Attributes by their type; null where there is none. Nested ones are within their parent's bytes. */
template <uint16_t kMost>
struct Attributes {
  const uint8_t* data[kMost + 1] = {};
  uint16_t size[kMost + 1] = {};

  Attributes(const uint8_t* at, size_t left) {
    while (left >= sizeof(rtattr)) {
      const rtattr head = load<rtattr>(at);
      if (head.rta_len < sizeof head || head.rta_len > left) return;
      const uint16_t type = head.rta_type & NLA_TYPE_MASK;
      if (type <= kMost) {
        data[type] = at + sizeof head;
        size[type] = static_cast<uint16_t>(head.rta_len - sizeof head);
      }
      const size_t step = RTA_ALIGN(head.rta_len);
      if (step >= left) return;
      at += step;
      left -= step;
    }
  }

  std::string text(uint16_t type) const {
    if (data[type] == nullptr) return {};
    const char* from = reinterpret_cast<const char*>(data[type]);
    return std::string(from, strnlen(from, size[type]));
  }

  int number(uint16_t type) const {
    return data[type] != nullptr && size[type] >= 4 ? load<int>(data[type]) : 0;
  }

  std::string mac(uint16_t type) const {
    if (data[type] == nullptr || size[type] != 6) return {};
    std::string text;
    for (int i = 0; i < 6; i++) {
      if (i > 0) text += ':';
      text += "0123456789abcdef"[data[type][i] >> 4];
      text += "0123456789abcdef"[data[type][i] & 15];
    }
    return text;
  }

  std::string ip(uint16_t type) const {
    char text[kAddressText];
    if (data[type] == nullptr) return {};
    if (size[type] == 4) return std::string(text, put_ipv4(text, data[type]));
    if (size[type] == 16) return std::string(text, put_ipv6(text, data[type]));
    return {};
  }
};

/** IFLA_LINK is also the other end of a cable, elsewhere: only of a VLAN it is what its frames go through. */
void vlan(const Attributes<IFLA_LINKINFO>& of_link, const Attributes<IFLA_INFO_DATA>& info, RouteEvent& event) {
  if (event.link_kind != "vlan" || info.data[IFLA_INFO_DATA] == nullptr) return;
  const Attributes<IFLA_VLAN_PROTOCOL> data(info.data[IFLA_INFO_DATA], info.size[IFLA_INFO_DATA]);
  if (data.data[IFLA_VLAN_ID] == nullptr || data.size[IFLA_VLAN_ID] < 2) return;
  event.parent = of_link.number(IFLA_LINK);
  event.vlan_id = load<uint16_t>(data.data[IFLA_VLAN_ID]);
  const bool typed = data.data[IFLA_VLAN_PROTOCOL] != nullptr && data.size[IFLA_VLAN_PROTOCOL] >= 2;
  event.vlan_type = typed ? be16(data.data[IFLA_VLAN_PROTOCOL]) : uint16_t{ETH_P_8021Q};
}

void link(const nlmsghdr& head, const uint8_t* body, size_t size, std::vector<RouteEvent>& events) {
  if (size < sizeof(ifinfomsg)) return;
  const ifinfomsg info = load<ifinfomsg>(body);
  // A bridge tells of its ports in this family too, with other attributes.
  if (info.ifi_family != AF_UNSPEC) return;
  const Attributes<IFLA_LINKINFO> attributes(body + NLMSG_ALIGN(sizeof info),
                                             size - NLMSG_ALIGN(sizeof info));
  RouteEvent event{RouteEvent::Kind::kLink};
  event.index = info.ifi_index;
  event.removed = head.nlmsg_type == RTM_DELLINK;
  event.name = attributes.text(IFLA_IFNAME);
  if (event.name.empty()) return;
  event.mac = attributes.mac(IFLA_ADDRESS);
  event.up = info.ifi_flags & IFF_UP;
  event.loopback = info.ifi_flags & IFF_LOOPBACK;
  event.master = attributes.number(IFLA_MASTER);
  if (attributes.data[IFLA_LINKINFO] != nullptr) {
    const Attributes<IFLA_INFO_DATA> info(attributes.data[IFLA_LINKINFO], attributes.size[IFLA_LINKINFO]);
    event.link_kind = info.text(IFLA_INFO_KIND);
    vlan(attributes, info, event);
  }
  events.push_back(std::move(event));
}

void address(const nlmsghdr& head, const uint8_t* body, size_t size,
             std::vector<RouteEvent>& events) {
  if (size < sizeof(ifaddrmsg)) return;
  const ifaddrmsg info = load<ifaddrmsg>(body);
  const Attributes<IFA_LOCAL> attributes(body + NLMSG_ALIGN(sizeof info),
                                         size - NLMSG_ALIGN(sizeof info));
  RouteEvent event{RouteEvent::Kind::kAddress};
  event.index = static_cast<int>(info.ifa_index);
  event.removed = head.nlmsg_type == RTM_DELADDR;
  // On a point-to-point link the other one is the peer's.
  event.ip = attributes.ip(attributes.data[IFA_LOCAL] != nullptr ? IFA_LOCAL : IFA_ADDRESS);
  event.prefix_length = info.ifa_prefixlen;
  if (!event.ip.empty()) events.push_back(std::move(event));
}

void neighbour(const nlmsghdr& head, const uint8_t* body, size_t size,
               std::vector<RouteEvent>& events) {
  if (size < sizeof(ndmsg)) return;
  const ndmsg info = load<ndmsg>(body);
  if (info.ndm_family != AF_INET && info.ndm_family != AF_INET6) return;
  // Multicast and loopback entries are no neighbours.
  if (info.ndm_state & NUD_NOARP) return;
  const Attributes<NDA_LLADDR> attributes(body + NLMSG_ALIGN(sizeof info),
                                          size - NLMSG_ALIGN(sizeof info));
  RouteEvent event{RouteEvent::Kind::kNeighbour};
  event.index = info.ndm_ifindex;
  event.removed = head.nlmsg_type == RTM_DELNEIGH;
  event.ip = attributes.ip(NDA_DST);
  event.mac = attributes.mac(NDA_LLADDR);
  // In any other state it was there some time ago, or somebody says so.
  event.reachable = !event.removed && info.ndm_state & NUD_REACHABLE;
  event.router = info.ndm_flags & NTF_ROUTER;
  if (!event.ip.empty()) events.push_back(std::move(event));
}

void route(const nlmsghdr& head, const uint8_t* body, size_t size,
           std::vector<RouteEvent>& events) {
  if (size < sizeof(rtmsg)) return;
  const rtmsg info = load<rtmsg>(body);
  if (info.rtm_dst_len != 0 || info.rtm_type != RTN_UNICAST || info.rtm_flags & RTM_F_CLONED) return;
  const Attributes<RTA_TABLE> attributes(body + NLMSG_ALIGN(sizeof info),
                                         size - NLMSG_ALIGN(sizeof info));
  const auto add = [&](int index, std::string ip) {
    if (ip.empty()) return;
    RouteEvent event{RouteEvent::Kind::kGateway};
    event.index = index;
    event.ip = std::move(ip);
    event.removed = head.nlmsg_type == RTM_DELROUTE;
    event.dumped = head.nlmsg_flags & NLM_F_MULTI;
    events.push_back(std::move(event));
  };
  if (attributes.data[RTA_MULTIPATH] == nullptr) {
    return add(attributes.number(RTA_OIF), attributes.ip(RTA_GATEWAY));
  }
  const uint8_t* at = attributes.data[RTA_MULTIPATH];
  size_t left = attributes.size[RTA_MULTIPATH];
  while (left >= sizeof(rtnexthop)) {
    const rtnexthop hop = load<rtnexthop>(at);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > left) return;
    const Attributes<RTA_GATEWAY> of_hop(at + sizeof hop, hop.rtnh_len - sizeof hop);
    add(hop.rtnh_ifindex, of_hop.ip(RTA_GATEWAY));
    const size_t step = RTNH_ALIGN(hop.rtnh_len);
    if (step >= left) return;
    at += step;
    left -= step;
  }
}

}  // namespace

RouteEnd read_route_messages(const uint8_t* data, size_t size, std::vector<RouteEvent>& events) {
  RouteEnd end;
  while (size >= sizeof(nlmsghdr)) {
    const nlmsghdr head = load<nlmsghdr>(data);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > size) break;
    const uint8_t* const body = data + sizeof head;
    const size_t room = head.nlmsg_len - sizeof head;
    if (head.nlmsg_flags & NLM_F_DUMP_INTR) end.interrupted = true;
    switch (head.nlmsg_type) {
      case NLMSG_DONE:
        end.done = true;
        end.done_sequence = head.nlmsg_seq;
        break;
      case NLMSG_ERROR:
        if (room >= sizeof(int)) end.error = static_cast<int>(0u - load<uint32_t>(body));
        end.done_sequence = head.nlmsg_seq;
        break;
      case RTM_NEWLINK:
      case RTM_DELLINK:
        link(head, body, room, events);
        break;
      case RTM_NEWADDR:
      case RTM_DELADDR:
        address(head, body, room, events);
        break;
      case RTM_NEWNEIGH:
      case RTM_DELNEIGH:
        neighbour(head, body, room, events);
        break;
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        route(head, body, room, events);
        break;
    }
    const size_t step = NLMSG_ALIGN(head.nlmsg_len);
    if (step >= size) break;
    data += step;
    size -= step;
  }
  return end;
}

}  // namespace homespin
