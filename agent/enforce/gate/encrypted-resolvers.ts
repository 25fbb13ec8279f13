// Resolvers that answer over HTTPS (RFC 8484) for everybody, as their operators publish them: for devices of
// `no_encrypted_dns` the names do not exist, and the addresses are closed on port 443. The list can't be complete.

/** Names, with all below them. Those of icloud.com are how Apple lets a network decline its Private Relay. */
export const ENCRYPTED_RESOLVER_NAMES: readonly string[] = [
  ...['mask.icloud.com', 'mask-h2.icloud.com', 'doh.dns.apple.com'],
  ...['cloudflare-dns.com', 'one.one.one.one', 'cloudflare-gateway.com'],
  ...['dns.google', 'dns64.dns.google', 'dns.google.com'],
  ...['dns.quad9.net', 'dns9.quad9.net', 'dns10.quad9.net', 'dns11.quad9.net', 'dns12.quad9.net'],
  ...['doh.opendns.com', 'doh.familyshield.opendns.com', 'doh.umbrella.com', 'dns.umbrella.com'],
  ...['dns.adguard.com', 'dns.adguard-dns.com', 'family.adguard-dns.com', 'd.adguard-dns.com'],
  ...['unfiltered.adguard-dns.com', 'dns-family.adguard.com', 'dns-unfiltered.adguard.com'],
  ...['dns.nextdns.io', 'doh.cleanbrowsing.org', 'dns.mullvad.net', 'base.dns.mullvad.net'],
  ...['dns.controld.com', 'freedns.controld.com', 'dns0.eu', 'joindns4.eu', 'doh.dns.sb', 'doh.sb'],
  ...['doh.xfinity.com', 'dns.switch.ch', 'dns.digitale-gesellschaft.ch', 'doh.libredns.gr'],
  ...['doh.applied-privacy.net', 'doh.ffmuc.net', 'dns.njal.la', 'doh.tiar.app', 'dns.twnic.tw'],
  ...['dns.alidns.com', 'doh.pub', 'dns.pub', 'doh.360.cn', 'public.dns.iij.jp'],
]

/** Addresses that a device may have built in, without asking for a name first. */
export const ENCRYPTED_RESOLVER_ADDRESSES: readonly string[] = [
  ...['1.1.1.1', '1.0.0.1', '1.1.1.2', '1.0.0.2', '1.1.1.3', '1.0.0.3'],
  ...['104.16.248.249', '104.16.249.249', '162.159.36.1', '162.159.46.1'],
  ...['2606:4700:4700::1111', '2606:4700:4700::1001', '2606:4700:4700::1112'],
  ...['2606:4700:4700::1002', '2606:4700:4700::1113', '2606:4700:4700::1003'],
  ...['8.8.8.8', '8.8.4.4', '2001:4860:4860::8888', '2001:4860:4860::8844'],
  ...['2001:4860:4860::64', '2001:4860:4860::6464'],
  ...['9.9.9.9', '9.9.9.10', '9.9.9.11', '9.9.9.12', '149.112.112.112', '149.112.112.9'],
  ...['149.112.112.10', '149.112.112.11', '149.112.112.12', '2620:fe::fe', '2620:fe::9'],
  ...['2620:fe::10', '2620:fe::11', '2620:fe::12', '2620:fe::fe:9', '2620:fe::fe:10'],
  ...['208.67.222.222', '208.67.220.220', '208.67.222.123', '208.67.220.123'],
  ...['146.112.41.2', '146.112.41.3', '2620:119:35::35', '2620:119:53::53'],
  ...['94.140.14.14', '94.140.15.15', '94.140.14.15', '94.140.15.16', '94.140.14.140'],
  ...['94.140.14.141', '2a10:50c0::ad1:ff', '2a10:50c0::ad2:ff', '2a10:50c0::bad1:ff'],
  ...['45.90.28.0', '45.90.30.0', '2a07:a8c0::', '2a07:a8c1::'],
  ...['185.228.168.9', '185.228.168.10', '185.228.168.168', '194.242.2.2', '194.242.2.3'],
  ...['76.76.2.0', '76.76.10.0', '185.222.222.222', '45.11.45.11', '130.59.31.248'],
  ...['185.95.218.42', '185.95.218.43', '116.202.176.26', '95.215.19.53', '101.101.101.101'],
  ...['223.5.5.5', '223.6.6.6', '1.12.12.12', '120.53.53.53'],
]
