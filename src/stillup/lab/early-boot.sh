#!/bin/sh
# Process 1 of a machine that runs as User-Mode Linux, until it becomes the machine's own systemd.
# It begins on this host's files (hostfs, read-only) and builds the machine's root: the image and
# the machine's own folder, both only read, below a disk of its own, which takes what it writes.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

# share FOLDER PLACE: show a folder of this host at a place in here. The kernel of Debian 12 takes
# the path alone; the one of Debian 13 wants its name before it.
share() {
    mount -t hostfs none "$2" -o "$1" 2>/dev/null || mount -t hostfs none "$2" -o "hostfs=$1"
}

mount -t proc proc /proc
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/image /run/own /run/disk /run/root /run/kernel/lib/modules
for word in $(cat /proc/cmdline); do
    case $word in lab_*=*) export "$word" ;; esac
done
share "$lab_image" /run/image
share "$lab_own" /run/own
share "$lab_modules" /run/kernel/lib/modules

# This host may have no modprobe, and none that fits; the image has its own.
mount --rbind /run /run/image/run
chroot /run/image modprobe -d /run/kernel overlay
umount -l /run/image/run

mount -t ext4 /dev/ubda /run/disk
mkdir -p /run/disk/upper /run/disk/work /run/disk/stillup
root=/run/root
mount -t overlay overlay "$root" \
    -o "lowerdir=/run/own:/run/image,upperdir=/run/disk/upper,workdir=/run/disk/work"
mkdir -p "$root/usr/lib/modules" "$root/srv/stillup" "$root/.host"
share "$lab_modules" "$root/usr/lib/modules"
# An overlay on the files of a host cannot be exported over NFS: what is served has a disk.
mount --bind /run/disk/stillup "$root/srv/stillup"

for number in 0 1; do
    ! ip link show "vec$number" >/dev/null 2>&1 || ip link set "vec$number" name "eth$number"
done
mount --move /dev "$root/dev"
mount --move /proc "$root/proc"
# So that nobody waits for a packet filter that this kernel does not have: it is tried, and said.
if ! chroot "$root" sh -c 'modprobe -q nf_tables; nft add table inet trial' 2>/dev/null; then
    echo "this kernel filters no packets" >/run/no-packet-filter
fi
cd "$root"
pivot_root . .host
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /run
[ ! -e /.host/run/no-packet-filter ] || cp /.host/run/no-packet-filter /run/
umount -l /.host
rmdir /.host
exec /sbin/init </dev/console >/dev/console 2>&1
