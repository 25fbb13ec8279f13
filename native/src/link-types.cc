#include "link-types.h"

namespace homespin {

namespace {

struct Name {
  uint16_t type;
  const char* name;
};

constexpr Name kNames[] = {
    {0, "NULL"}, {1, "ETHERNET"}, {3, "AX25"}, {6, "IEEE802_5"}, {7, "ARCNET_BSD"}, {8, "SLIP"},
    {9, "PPP"}, {10, "FDDI"}, {12, "RAW"}, {14, "RAW"}, {50, "PPP_HDLC"}, {51, "PPP_ETHER"},
    {100, "ATM_RFC1483"}, {101, "RAW"}, {104, "C_HDLC"}, {105, "IEEE802_11"}, {107, "FRELAY"},
    {108, "LOOP"}, {113, "LINUX_SLL"}, {114, "LTALK"}, {117, "PFLOG"}, {119, "IEEE802_11_PRISM"},
    {122, "IP_OVER_FC"}, {127, "IEEE802_11_RADIOTAP"}, {129, "ARCNET_LINUX"},
    {138, "APPLE_IP_OVER_IEEE1394"}, {140, "MTP2"}, {141, "MTP3"}, {142, "SCCP"}, {143, "DOCSIS"},
    {144, "LINUX_IRDA"}, {147, "USER0"}, {148, "USER1"}, {149, "USER2"}, {150, "USER3"},
    {151, "USER4"}, {152, "USER5"}, {153, "USER6"}, {154, "USER7"}, {155, "USER8"},
    {156, "USER9"}, {157, "USER10"}, {158, "USER11"}, {159, "USER12"}, {160, "USER13"},
    {161, "USER14"}, {162, "USER15"}, {163, "IEEE802_11_AVS"}, {165, "BACNET_MS_TP"},
    {166, "PPP_PPPD"}, {169, "GPRS_LLC"}, {177, "LINUX_LAPD"}, {182, "MFR"},
    {187, "BLUETOOTH_HCI_H4"}, {189, "USB_LINUX"}, {192, "PPI"}, {195, "IEEE802_15_4_WITHFCS"},
    {201, "BLUETOOTH_HCI_H4_WITH_PHDR"}, {202, "AX25_KISS"}, {203, "LAPD"},
    {204, "PPP_WITH_DIR"}, {205, "C_HDLC_WITH_DIR"}, {206, "FRELAY_WITH_DIR"},
    {209, "I2C_LINUX"}, {210, "FLEXRAY"}, {212, "LIN"}, {215, "IEEE802_15_4_NONASK_PHY"},
    {220, "USB_LINUX_MMAPPED"}, {224, "FC_2"}, {225, "FC_2_WITH_FRAME_DELIMS"}, {226, "IPNET"},
    {227, "CAN_SOCKETCAN"}, {228, "IPV4"}, {229, "IPV6"}, {230, "IEEE802_15_4_NOFCS"},
    {231, "DBUS"}, {235, "DVB_CI"}, {236, "MUX27010"}, {239, "NFLOG"}, {240, "NETANALYZER"},
    {242, "IPOIB"}, {243, "MPEG_2_TS"}, {245, "NFC_LLCP"}, {247, "INFINIBAND"}, {248, "SCTP"},
    {249, "USBPCAP"}, {251, "BLUETOOTH_LE_LL"}, {253, "NETLINK"},
    {254, "BLUETOOTH_LINUX_MONITOR"}, {256, "BLUETOOTH_LE_LL_WITH_PHDR"},
    {258, "PKTAP"}, {259, "EPON"}, {265, "SDLC"}, {271, "VSOCK"}, {272, "NORDIC_BLE"},
    {273, "DOCSIS31_XRA31"}, {274, "ETHERNET_MPACKET"}, {276, "LINUX_SLL2"}, {279, "OPENVIZSLA"},
    {280, "EBHSCR"}, {283, "IEEE802_15_4_TAP"}, {288, "USB_2_0"}, {289, "ATSC_ALP"},
    {290, "ETW"}, {292, "ZBOSS_NCP"},
};

}  // namespace

bool link_supported(uint16_t type) {
  switch (type) {
    case kLinkEthernet:
    case kLinkRaw:
    case kLinkRawBsd:
    case kLinkRawOpenBsd:
    case kLinkLinuxCooked:
    case kLinkIpv4:
    case kLinkIpv6:
    case kLinkLinuxCooked2:
      return true;
    default:
      return false;
  }
}

std::string link_name(uint16_t type) {
  for (const Name& each : kNames) {
    if (each.type == type) return std::string(each.name) + " (" + std::to_string(type) + ")";
  }
  return std::to_string(type);
}

}  // namespace homespin
