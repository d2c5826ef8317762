#!/usr/bin/env bash
# Boots systemd on a copy of this machine that is thrown away, and runs a script there as a unit. It is started within
# namespaces of its own; nothing of this machine can be written from there.
#   boot.sh FOLDER OPT SCRIPT     FOLDER: an empty one to mount on; OPT: copied to /opt; SCRIPT: what to run
# What the script prints is in /opt/out of the copy, and on standard output when the script has ended.
set -euo pipefail
folder=$1 opt=$2 script=$3

mount -t tmpfs copy "$folder"
cd "$folder"
mkdir upper work root
mount -t overlay copy -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" root
cp -r "$opt" upper/opt-copy
cd root

mount -t proc proc proc
mount -t sysfs sys sys
mount -t tmpfs cgroup sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs run run
mount -t tmpfs tmp tmp
mount -t tmpfs dev dev
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
  read -r name major minor <<<"$node"
  mknod -m 666 "dev/$name" c "$major" "$minor"
done
mkdir dev/shm dev/pts dev/mqueue run/lock
mount -t devpts -o newinstance,ptmxmode=0666 pts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

# Of this machine's own units none is started, and nothing is cleaned.
rm -rf etc/systemd/system/*.wants etc/systemd/system/default.target
: >etc/fstab
for unit in tmpfiles-setup tmpfiles-setup-dev tmpfiles-clean udevd udev-trigger update-utmp sysctl modules-load \
  remount-fs binfmt; do
  ln -sf /dev/null "etc/systemd/system/systemd-$unit.service"
done
printf '[Unit]\nRequires=sysinit.target script.service\nAfter=sysinit.target\n' >etc/systemd/system/script.target
printf '[Unit]\nDefaultDependencies=no\nAfter=sysinit.target\n[Service]\nType=oneshot\nExecStart=/bin/sh /opt/script
StandardOutput=file:/opt/out\nStandardError=inherit\nExecStopPost=/bin/sh -c "echo THE END >>/opt/out"\n' \
  >etc/systemd/system/script.service
ln -s script.target etc/systemd/system/default.target
mkdir -p opt
cp -r "$folder/upper/opt-copy/." opt/
cp "$script" opt/script

mkdir -p old
mount --make-rprivate /
pivot_root . old
cd /
umount -l old
exec env -i container=docker PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=0 --log-target=journal
