#!/bin/sh
# What is around the router: devices and the internet, each in a network namespace, at the other end of a wire. They are up
# and sending before the router's own network is. Nothing of the router itself is touched: systemd-networkd brings it up.
set -e
wire=/usr/local/lib/lab/wire
router=02:0d:e0:ff:00:01
mkdir -p /run/lab
for name in dev1 dev2 wan; do
  ip netns add $name
  for key in accept_dad router_solicitations accept_ra; do
    ip netns exec $name sh -c "echo 0 > /proc/sys/net/ipv6/conf/default/$key"
  done
  ip -n $name link set lo up
done
ip link add wan0 type veth peer name eth0 address 02:0d:e0:ff:00:03 netns wan
ip -n wan -batch - << 'I'
addr add 198.51.100.2/24 dev eth0
addr add 2001:db8:2::2/64 dev eth0 nodad
link set eth0 up
addr add 203.0.113.9/32 dev lo
addr add 2001:db8:113::9/128 dev lo nodad
route add 192.0.2.0/24 via 198.51.100.1
route add 2001:db8:1::/64 via 2001:db8:2::1
I
ip netns exec wan $wire sink /run/lab/wan 203.0.113.9 2001:db8:113::9 &
for i in 1 2; do
  ip link add lan$i type veth peer name eth0 address 02:0d:e0:00:00:0$i netns dev$i
  ip -n dev$i -batch - << I
addr add 192.0.2.1$i/24 dev eth0
addr add 2001:db8:1::1$i/64 dev eth0 nodad
addr add 2001:db8:1::d:1$i/64 dev eth0 nodad
link set eth0 up
neigh add 192.0.2.1 lladdr $router dev eth0
neigh add 2001:db8:1::1 lladdr $router dev eth0
route add default via 192.0.2.1 dev eth0
route add default via 2001:db8:1::1 dev eth0
I
  ip netns exec dev$i $wire sink /run/lab/dev$i 192.0.2.1$i 2001:db8:1::1$i &
done
# To the internet, and to the router itself. What passes costs an emulated processor most, so there is less of it.
ip netns exec dev1 $wire send 1000 203.0.113.9 2001:db8:113::9 203.0.113.9 2001:db8:113::9 192.0.2.1 2001:db8:1::1 &
ip netns exec dev2 $wire send 20 203.0.113.9 2001:db8:113::9 &
# And back.
ip netns exec wan $wire send 40 192.0.2.11 2001:db8:1::11 192.0.2.12 2001:db8:1::12 &
cut -d' ' -f1 /proc/uptime > /run/lab/sending
