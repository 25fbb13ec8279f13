#!/bin/sh
# Makes the disk a router: its network by systemd-networkd, a firewall that begins with `flush ruleset`, and the lab's own.
set -e
lab=/usr/local/lib/lab
mkdir -p $lab
cp wires.sh shell.sh wire $lab/
chmod 755 $lab/*
cp lab-wires.service lab-shell.service /etc/systemd/system/
cp nftables.conf /etc/nftables.conf
echo router > /etc/hostname
: > /etc/machine-id
mkdir -p /share /tree /etc/systemd/network /etc/sysctl.d
for tag in share tree; do
  echo "$tag /$tag 9p trans=virtio,version=9p2000.L,ro,msize=262144,nofail 0 0"
done > /etc/fstab
printf 'net.ipv4.ip_forward=1\nnet.ipv6.conf.all.forwarding=1\n' > /etc/sysctl.d/router.conf
cd /etc/systemd/network
cat > br-lan.netdev << 'I'
[NetDev]
Name=br-lan
Kind=bridge
MACAddress=02:0d:e0:ff:00:01
[Bridge]
STP=no
ForwardDelaySec=0
I
cat > ports.network << 'I'
[Match]
Name=lan*
[Network]
Bridge=br-lan
I
cat > br-lan.network << 'I'
[Match]
Name=br-lan
[Network]
Address=192.0.2.1/24
Address=2001:db8:1::1/64
ConfigureWithoutCarrier=yes
IPv6AcceptRA=no
I
cat > wan0.network << 'I'
[Match]
Name=wan0
[Network]
Address=198.51.100.1/24
Address=2001:db8:2::1/64
Gateway=198.51.100.2
Gateway=2001:db8:2::2
IPv6AcceptRA=no
I
systemctl --quiet enable lab-wires.service lab-shell.service nftables.service systemd-networkd.service
# What a router in a test does not need, so that it boots sooner.
systemctl --quiet mask serial-getty@ttyS0.service getty@tty1.service systemd-networkd-wait-online.service \
  systemd-logind.service apt-daily.timer apt-daily-upgrade.timer apparmor.service ssh.service ssh.socket mosquitto.service
