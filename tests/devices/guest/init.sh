#!/usr/bin/busybox sh
# The guest's first process: mounts, modules, the emulated chips, the network, then a root shell on
# the second serial line for the tests.
export PATH=/usr/bin:/usr/sbin:/opt/busybox HOME=/root LANG=C.UTF-8
/usr/bin/busybox --install -s /opt/busybox
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
exec </dev/null >/dev/ttyS0 2>&1
echo "guest: kernel $(uname -r) up at $(cut -d' ' -f1 /proc/uptime) s"

# One that was left running ends by itself.
(sleep 3600; poweroff -f) &

# Chips at these addresses answer what was last written to them.
while read -r module; do
    case $module in
        i2c_stub) insmod /usr/lib/guest-modules/$module.ko chip_addr=0x0b,0x40,0x48 ;;
        *) insmod /usr/lib/guest-modules/$module.ko ;;
    esac
done </etc/guest-modules

ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
echo trimtab-guest >/proc/sys/kernel/hostname

echo "guest: ready at $(cut -d' ' -f1 /proc/uptime) s"
stty -F /dev/ttyS1 raw -echo
while true; do
    sh /dev/ttyS1 </dev/null >/dev/ttyS1 2>&1 # as a script: with it as input it would prompt
done
