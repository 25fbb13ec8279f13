// Names of well-known ports (IANA "Service Name and Transport Protocol Port Number Registry"), those met in homes.

const BOTH: Record<number, string> = {
  7: 'echo', 20: 'ftp-data', 21: 'ftp', 22: 'ssh', 23: 'telnet', 25: 'smtp', 53: 'domain', 80: 'http', 88: 'kerberos',
  110: 'pop3', 111: 'sunrpc', 123: 'ntp', 137: 'netbios-ns', 138: 'netbios-dgm', 139: 'netbios-ssn', 143: 'imap',
  161: 'snmp', 162: 'snmptrap', 389: 'ldap', 443: 'https', 445: 'microsoft-ds', 465: 'submissions', 500: 'isakmp',
  514: 'syslog', 515: 'printer', 546: 'dhcpv6-client', 547: 'dhcpv6-server', 548: 'afpovertcp', 554: 'rtsp',
  587: 'submission', 631: 'ipp', 636: 'ldaps', 853: 'domain-s', 873: 'rsync', 989: 'ftps-data', 990: 'ftps',
  993: 'imaps', 995: 'pop3s', 1080: 'socks', 1194: 'openvpn', 1433: 'ms-sql-s', 1701: 'l2tp', 1723: 'pptp',
  1812: 'radius', 1883: 'mqtt', 1900: 'ssdp', 1935: 'rtmp', 2049: 'nfs', 2869: 'icslap', 3074: 'xbox',
  3306: 'mysql', 3389: 'ms-wbt-server', 3478: 'stun', 3702: 'ws-discovery', 4070: 'spotify', 4500: 'ipsec-nat-t',
  5000: 'upnp', 5060: 'sip', 5061: 'sips', 5222: 'xmpp-client', 5223: 'hpvirtgrp', 5228: 'gcm', 5349: 'stuns',
  5353: 'mdns', 5355: 'llmnr', 5432: 'postgresql', 5555: 'adb', 5683: 'coap', 5684: 'coaps', 5900: 'rfb',
  6379: 'redis', 6667: 'ircu', 6668: 'tuya', 7547: 'cwmp', 8008: 'http-alt', 8009: 'cast', 8060: 'roku',
  8080: 'http-alt', 8123: 'home-assistant', 8443: 'https-alt', 8883: 'secure-mqtt', 8886: 'tuya-mqtt', 9100: 'pdl-datastream',
  9999: 'tplink-kasa', 10001: 'ubnt-discovery', 32400: 'plex', 41641: 'tailscale', 51820: 'wireguard', 54321: 'miio',
}

const UDP_ONLY: Record<number, string> = {
  67: 'bootps', 68: 'bootpc', 69: 'tftp', 443: 'quic', 80: 'quic', 784: 'domain-quic', 853: 'domain-quic',
}

/** The service of a responder's port, or undefined. `protocol` is the IP protocol's number. */
export function serviceName(protocol: number, port: number): string | undefined {
  if (protocol === 17) return UDP_ONLY[port] ?? BOTH[port]
  if (protocol === 6) return BOTH[port]
  return undefined
}

const PROTOCOLS: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' }

/** `tcp`, `udp`, `icmp`, `icmpv6`, or the number in decimal. */
export function protocolName(protocol: number): string {
  return PROTOCOLS[protocol] ?? String(protocol)
}
