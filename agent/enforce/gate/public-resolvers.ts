// Resolvers for everybody that devices have built in: their answers open addresses for devices that may reach only what they
// resolved. From their operators' documentation: Cloudflare, Google, Quad9, OpenDNS, AdGuard, dns0.eu/DNS4EU.
export const PUBLIC_RESOLVERS: readonly string[] = [
  ...['1.1.1.1', '1.0.0.1', '2606:4700:4700::1111', '2606:4700:4700::1001'],
  ...['8.8.8.8', '8.8.4.4', '2001:4860:4860::8888', '2001:4860:4860::8844'],
  ...['9.9.9.9', '149.112.112.112', '2620:fe::fe', '2620:fe::9'],
  ...['208.67.222.222', '208.67.220.220', '2620:119:35::35', '2620:119:53::53'],
  ...['94.140.14.14', '94.140.15.15', '2a10:50c0::ad1:ff', '2a10:50c0::ad2:ff'],
]
