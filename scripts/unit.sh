#!/usr/bin/env bash
# Starts the unit that `flowmap gen systemd` writes under a systemd of its own, in namespaces and on an overlay of this machine's
# files, and looks at what it promises: scripts/unit.sh FLOWMAP. Needs root, systemd, iproute2 and curl; takes two minutes.
# What is started ends with the script, and nothing of it stays.
set -euo pipefail

program=$(realpath "$1")
folder=$(mktemp -d)
group=/sys/fs/cgroup/unified
[[ -d $group ]] || group=/sys/fs/cgroup
group=$group/flowmap-unit-$$
trap 'rm -rf "$folder"; find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true' EXIT
[[ $(id -u) == 0 && -x /lib/systemd/systemd ]] || { echo "skipped: needs root and systemd" >&2; exit; }

# the second part: what runs as the first process of the namespaces
cat > "$folder/boot" <<'BOOT'
set -euo pipefail
mount --make-rprivate /
mkdir -p "$folder/t"
mount -t tmpfs tmpfs "$folder/t"
mkdir "$folder"/t/{up,work,root}
root=$folder/t/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/t/up,workdir=$folder/t/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for place in run tmp var/lib; do mount -t tmpfs tmpfs "$root/$place"; done
mount --rbind /dev "$root/dev"
install -m 755 "$program" "$root/usr/local/bin/flowmap"
# a store of root's from before the unit was there: systemd hands it over
chroot "$root" flowmap --db /var/lib/flowmap/flowmap.db inventory list >/dev/null 2>&1 || true
"$program" gen systemd > "$root/etc/systemd/system/flowmap.service"
for unit in udevd udev-trigger logind networkd resolved timesyncd modules-load random-seed; do
    ln -sf /dev/null "$root/etc/systemd/system/systemd-$unit.service"
done
install -m 755 "$folder/look" "$root/look"
printf '[Unit]\nAfter=flowmap.service\n[Service]\nType=oneshot\nExecStart=/look\nStandardOutput=file:/told\nStandardError=inherit\n' \
    > "$root/etc/systemd/system/look.service"
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=flowmap.service look.service\n' > "$root/etc/systemd/system/look.target"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
ip link set lo up
cd "$root"
mkdir -p old
pivot_root . old
export container=lxc
exec /lib/systemd/systemd --system --unit=look.target --show-status=no
BOOT

# the third: looks from within, and hands out what it saw
cat > "$folder/look" <<LOOK
#!/usr/bin/env bash
out=/old$folder/told
of() { systemctl show flowmap -p "\$1" --value; }
field() { grep "^\$1:" "/proc/\$(of MainPID)/status" | cut -f 2; }
{
    sleep 3
    echo "state \$(of ActiveState) \$(of Result)"
    echo "capabilities \$(field CapPrm) \$(field CapBnd) no_new_privs \$(field NoNewPrivs) seccomp \$(field Seccomp)"
    [[ \$(field Uid) != 0 ]] && echo "user not root"
    echo "store of \$(stat -Lc %U /var/lib/flowmap/flowmap.db) mode \$(stat -Lc %a /var/lib/flowmap)"
    echo "health \$(curl -s http://127.0.0.1:9464/healthz)"
    systemctl reload flowmap && echo "reload \$(of ActiveState)"
    sleep 6
    flowmap --db /var/lib/flowmap/flowmap.db flows --by address -o json | grep -q '"port": *9464' && echo "it saw who asked it"
    kill -9 "\$(of MainPID)"
    sleep 8
    echo "after kill -9: \$(of ActiveState), restarts \$(of NRestarts)"
    kill -STOP "\$(of MainPID)"
    sleep 75
    echo "after it hung: \$(of ActiveState), restarts \$(of NRestarts)"
    systemctl stop flowmap
    echo "stopped: \$(of ActiveState) \$(of Result)"
} > "\$out" 2>&1
touch "\$out.done"
systemctl exit 0
LOOK

mkdir "$group"
export folder program
# the first process of a namespace takes the others with it
unshare --mount --pid --fork --kill-child --net --uts --ipc --cgroup bash -c \
    "echo \$\$ > $group/cgroup.procs; exec unshare --cgroup bash $folder/boot" >"$folder/console" 2>&1 &
started=$!
for _ in $(seq 150); do
    [[ -e $folder/told.done ]] && break
    sleep 1
done
{ kill -9 "$started" && wait "$started"; } 2>/dev/null || true
cat "$folder/told" 2>/dev/null || cat "$folder/console"
diff "$folder/told" - <<'EXPECTED' && echo "the unit does what it promises"
state active success
capabilities 0000000000002000 0000000000002000 no_new_privs 1 seccomp 2
user not root
store of flowmap mode 700
health ok
reload active
it saw who asked it
after kill -9: active, restarts 1
after it hung: active, restarts 2
stopped: inactive success
EXPECTED
