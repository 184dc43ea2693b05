# Makes the layer of an image in which QEMU starts a tiny guest: FOLDER of the layer, KERNEL (a
# folder with what Debian's package of a kernel holds) and BUSYBOX without libraries.
#
# The guest's init is below. What it finds out it writes to its console, which is the pod's log.
set -eu
root=$1 kernel=$2 busybox=$3

# A program with the libraries that it needs, under the paths it looks for them.
take() {
  where=$1
  shift
  for file; do
    { echo "$file"; ldd "$file" 2>/dev/null | grep -o '/[^ ]*' || true; } | while read -r each; do
      mkdir -p "$where${each%/*}"
      cp -Ln "$each" "$where$each"
    done
  done
}

programs() {
  mkdir -p "$1/bin"
  cp "$busybox" "$1/bin/busybox"
  "$busybox" --list | while read -r name; do
    [ "$name" = busybox ] || ln -s busybox "$1/bin/$name"
  done
}

guest=$root.guest
mkdir -p "$guest/etc" "$guest/modules" "$guest/proc" "$guest/sys" "$guest/dev" "$guest/tmp"
programs "$guest"
take "$guest" "$(command -v tcpdump)"
echo root:x:0:0:root:/:/bin/sh >"$guest/etc/passwd"
for name in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover \
  net_failover virtio_net macvlan af_packet; do
  # Built in where there is no such file.
  find "$kernel" -path "*/modules/*/$name.ko*" -exec cp {} "$guest/modules/" \;
done
find "$guest/modules" -name '*.xz' -exec xz -d {} +
cat >"$guest/init" <<'INIT'
#!/bin/sh
export PATH=/bin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
echo 1 >/proc/sys/kernel/printk
# Each needs others, which differ between kernels: a round inserts at least one.
for round in /modules/*.ko; do
  for file in /modules/*.ko; do
    [ ! -e "$file" ] || ! insmod "$file" 2>/dev/null || rm "$file"
  done
done
for word in $(cat /proc/cmdline); do
  case $word in guest_*=*) export "${word%%=*}=${word#*=}" ;; esac
done
# Each address is answered for by the link that has it.
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
ip link set lo up
ip link set eth0 up
ip addr add "$guest_ip/24" dev eth0
ip -6 addr add "$guest_ip6/64" dev eth0
ip link add link eth0 name second address "$guest_second_mac" type macvlan
ip link set second up
ip addr add "$guest_second_ip/24" dev second
echo "GUEST address $(cat /sys/class/net/eth0/address)"
echo "GUEST mtu $(cat /sys/class/net/eth0/mtu)"
echo "GUEST queues $(ls -d /sys/class/net/eth0/queues/rx-* | wc -l)"
tcpdump -Z root -lnei eth0 'ether[0:4] = 0x0180c200 and not stp' 2>&1 |
  while read -r line; do echo "GUEST got $line"; done &
until ping -c 1 -w 2 "$guest_peer" >/dev/null 2>&1; do sleep 1; done
echo "GUEST reached $guest_peer"
while :; do sleep 3600; done
INIT
chmod +x "$guest/init"
mkdir -p "$root/vm" "$root/etc" "$root/tmp" "$root/proc" "$root/sys" "$root/dev"
chmod 1777 "$root/tmp"
(cd "$guest" && find . | "$busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$root/vm/initrd"
rm -rf "$guest"
cp "$kernel"/boot/vmlinuz-* "$root/vm/kernel"

programs "$root"
qemu=$(command -v qemu-system-x86_64)
take "$root" "$qemu"
# Parts of QEMU that it loads when it needs them, and firmware.
for part in /usr/lib/*/qemu/accel-tcg-*.so /usr/lib/*/qemu/accel-qtest-x86_64.so; do
  [ ! -e "$part" ] || take "$root" "$part"
done
for name in bios-256k.bin kvmvapic.bin linuxboot_dma.bin pvh.bin; do
  cp -L "$(find /usr/share/seabios /usr/share/qemu -name "$name" | head -n 1)" "$root/vm/"
done
ln -s "$qemu" "$root/bin/qemu"
echo root:x:0:0:root:/:/bin/sh >"$root/etc/passwd"
echo qemu:x:107:107:qemu:/:/bin/sh >>"$root/etc/passwd"
