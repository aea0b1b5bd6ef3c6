#!/usr/bin/env bash
# Makes this folder's sample anew: builds a small cluster out of network namespaces, runs real
# servers in it, lets them talk for a minute, captures the packets on both nodes and in one pod,
# and writes the inventory that kubectl would have printed. README.md tells what comes out.
#
# Everything happens in namespaces named fm-*. The machine's own network is not touched, and the
# namespaces, processes and scratch files are gone when the script ends, also when it fails.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seconds=50 # how long the callers call
PATH=$PATH:/usr/sbin:/sbin # not in root's PATH after a plain su
umask 022 # the servers do not run as root, and read below the scratch folder

# --- before anything is made: may we, can we? -------------------------------------------------

fail() { echo "make.sh: $*" >&2; exit 1; }

[[ $EUID -eq 0 ]] || fail "network namespaces need root"
postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
while read -r tool package; do
    command -v "$tool" >/dev/null || fail "$tool is missing: install the Debian package $package"
done <<TOOLS
ip iproute2
ss iproute2
nft nftables
tcpdump tcpdump
nginx nginx
redis-server redis-server
dnsmasq dnsmasq-base
$postgres_bin/postgres postgresql-15
$postgres_bin/psql postgresql-client-15
python3 python3
setpriv util-linux
sysctl procps
TOOLS
if ip netns list | grep -q '^fm-'; then
    fail "there are namespaces named fm-* already: another run? (ip netns list)"
fi

scratch=$(mktemp -d)
chmod 755 "$scratch"
mkdir "$scratch/log" "$scratch/out"
had_etc_netns=$([[ -d /etc/netns ]] && echo yes || echo no)
namespaces=() servers=() captures=() callers=()

stop() { # stop SIGNAL PID...: and wait, so that nothing is left half written
    local signal=$1 pid
    shift
    for pid in "$@"; do kill "-$signal" "$pid" 2>/dev/null || true; done
    for pid in "$@"; do wait "$pid" 2>/dev/null || true; done
}

clean_up() {
    local status=$? name
    trap - EXIT
    trap '' INT TERM HUP
    stop TERM "${callers[@]}"
    stop INT "${captures[@]}"
    stop TERM "${servers[@]}"
    for name in "${namespaces[@]}"; do
        ip netns del "$name" || true
        rm -rf "/etc/netns/$name"
    done
    [[ $had_etc_netns == yes ]] || rmdir /etc/netns 2>/dev/null || true
    if [[ $status -ne 0 && $status -ne 130 ]]; then tail -n 5 "$scratch"/log/* >&2 || true; fi
    rm -rf "$scratch"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# --- namespaces and wires ---------------------------------------------------------------------

# Not for what goes to the background: there $! would be a shell around the program, not the program.
in_ns() { local name=$1; shift; ip netns exec "fm-$name" "$@"; }

add_ns() {
    ip netns add "fm-$1"
    namespaces+=("fm-$1")
    # IPv4 only, like the sample cluster: without the chatter of IPv6 autoconfiguration.
    in_ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "fm-$1" link set lo up
}

# attach ROUTER NAME ADDRESS: a pod (or an outside client) on a wire of its own to its node (or
# router), with a /32 and a route, as Calico does. Since no two pods share a segment, the answers
# of a pod always pass its node, where they must go to be translated back to the Service's address.
attach() {
    local router=$1 name=$2 address=$3
    add_ns "$name"
    ip link add eth0 netns "fm-$name" type veth peer name "veth-$name" netns "fm-$router"
    # The pod's gateway is an address nobody has: the node answers ARP for it by proxy, at once,
    # as for anything that it has a route to on another wire.
    in_ns "$router" sysctl -qw "net.ipv4.conf.veth-$name.proxy_arp=1" "net.ipv4.neigh.veth-$name.proxy_delay=0"
    ip -n "fm-$router" link set "veth-$name" up
    ip -n "fm-$router" route add "$address/32" dev "veth-$name"
    ip -n "fm-$name" address add "$address/32" dev eth0
    ip -n "fm-$name" link set eth0 up
    ip -n "fm-$name" route add 169.254.1.1 dev eth0 scope link
    ip -n "fm-$name" route add default via 169.254.1.1 dev eth0
}

# The underlay: a switch for the nodes, and the router behind which the outside clients are.
add_ns underlay
in_ns underlay sysctl -qw net.ipv4.ip_forward=1
ip -n fm-underlay link add br0 type bridge
ip -n fm-underlay address add 172.18.0.1/16 dev br0
ip -n fm-underlay link set br0 up
ip -n fm-underlay route add 169.254.1.1 dev br0 # a node has its default route; see attach
attach underlay client-1 198.51.100.23
attach underlay client-2 198.51.100.77

add_node() { # NAME ADDRESS, PODS and ADDRESS of the other node
    add_ns "$1"
    in_ns "$1" sysctl -qw net.ipv4.ip_forward=1
    ip link add eth0 netns "fm-$1" type veth peer name "$1" netns fm-underlay
    ip -n fm-underlay link set "$1" master br0 up
    ip -n "fm-$1" address add "$2/16" dev eth0
    ip -n "fm-$1" link set eth0 up
    ip -n "fm-$1" route add default via 172.18.0.1
    ip -n "fm-$1" route add "$3" via "$4"
    python3 "$here/cluster.py" nft | in_ns "$1" nft -f -
}
add_node node-1 172.18.0.2 10.244.2.0/24 172.18.0.3
add_node node-2 172.18.0.3 10.244.1.0/24 172.18.0.2

declare -A address
while read -r pod namespace node pod_address; do
    attach "$node" "$pod" "$pod_address"
    address[$pod]=$pod_address
    # `ip netns exec` lays this over /etc/resolv.conf: the file that kubelet gives to a pod.
    mkdir -p "/etc/netns/fm-$pod"
    cat >"/etc/netns/fm-$pod/resolv.conf" <<RESOLV
search $namespace.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5
RESOLV
done < <(python3 "$here/cluster.py" pods)

# --- captures: from before the first packet of the servers -------------------------------------

capture() { # FILE NAMESPACE INTERFACE LINKTYPE
    ip netns exec "fm-$2" tcpdump -i "$3" -y "$4" -s 256 -B 8192 -U -Z root -w "$scratch/out/$1" 2>"$scratch/log/$1" &
    captures+=($!)
    until grep -q 'listening on' "$scratch/log/$1"; do
        kill -0 "${captures[-1]}" 2>/dev/null || fail "tcpdump for $1 did not start"
        sleep 0.1
    done
}
python3 "$here/cluster.py" json "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$scratch/out/cluster.json"
sleep 1 # kubectl's times have whole seconds: the inventory is to be older than the first packet
capture node-1.pcap node-1 any LINUX_SLL2
capture node-2.pcap node-2 any LINUX_SLL2
capture pod-api.pcap api-1 eth0 EN10MB

# --- servers ----------------------------------------------------------------------------------

as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

serve() { # POD COMMAND...
    local pod=$1
    shift
    ip netns exec "fm-$pod" "$@" >"$scratch/log/$pod" 2>&1 &
    servers+=($!)
}

wait_for() { # POD PORT: asks the kernel who listens, since a trial connection would be captured
    local tries
    for tries in {1..100}; do
        if [[ -n $(in_ns "$1" ss -Hlntu "sport = :$2") ]]; then return; fi
        sleep 0.1
    done
    fail "$1 does not listen on port $2 (after $tries tries)"
}

python3 "$here/cluster.py" dns >"$scratch/dnsmasq.conf"
serve coredns dnsmasq --keep-in-foreground --conf-file="$scratch/dnsmasq.conf" --user=nobody --group=nogroup \
    --pid-file= --no-hosts --no-resolv --log-facility=-

mkdir "$scratch/db" "$scratch/cache"
chown postgres "$scratch/db"
chown nobody "$scratch/cache"
(
    cd "$scratch/db"
    run() { "${as_postgres[@]}" "$postgres_bin/$1" "${@:2}" >>"$scratch/log/initdb" 2>&1; }
    run initdb --pgdata=data --username=shop --auth=trust --no-sync --locale=C --encoding=UTF8
    # Nobody outside the lab can reach it, so that no password is needed.
    echo "host all all 10.244.0.0/16 trust" >>data/pg_hba.conf
    run postgres --single -D data postgres <<<"CREATE DATABASE shop"
    run postgres --single -D data shop <<<"CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL)"
)
serve db-0 "${as_postgres[@]}" "$postgres_bin/postgres" -D "$scratch/db/data" -c listen_addresses='*' \
    -c unix_socket_directories= -c fsync=off
serve cache "${as_nobody[@]}" redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir "$scratch/cache"
wait_for coredns 53
wait_for db-0 5432
wait_for cache 6379

for pod in api-1 api-2; do serve "$pod" env PSQL="$postgres_bin/psql" python3 "$here/api.py"; done
for pod in web-1 web-2; do
    mkdir "$scratch/$pod"
    serve "$pod" nginx -p "$scratch/$pod" -c "$here/nginx.conf" -e stderr
done
for pod in api-1 api-2 web-1 web-2; do wait_for "$pod" 8080; done

# --- callers ----------------------------------------------------------------------------------

act() { # NAMESPACE WHAT...
    ip netns exec "fm-$1" python3 "$here/actors.py" "${@:2}" >"$scratch/log/caller-$1" 2>&1 &
    callers+=($!)
}

echo "make.sh: capturing $seconds s of traffic"
for node in 1 2; do
    act "node-$node" probe $seconds 10 "${address[web-$node]}:8080" "${address[api-$node]}:8080"
done
act prometheus scrape $seconds 5 "http://${address[web-1]}:9113/metrics" "http://${address[web-2]}:9113/metrics" \
    "http://${address[api-1]}:8080/metrics" "http://${address[api-2]}:8080/metrics"
act client-1 visit $seconds 2.5 http://172.18.0.2:30080 http://172.18.0.3:30080
act client-2 visit $seconds 7 http://172.18.0.3:30080 http://172.18.0.2:30080
act debug scan $((seconds / 2)) api "${address[web-1]}" "${address[web-2]}" "${address[api-1]}" "${address[api-2]}" \
    "${address[db-0]}" "${address[cache]}"
for pid in "${callers[@]}"; do wait "$pid" || fail "a caller failed"; done
callers=()

# --- results: put in place only when all is well -----------------------------------------------

sleep 1 # the last FINs
stop INT "${captures[@]}"
captures=()
for log in "$scratch"/log/*.pcap; do
    grep -q '^0 packets dropped by kernel' "$log" || fail "packets were lost: $(tail -n 3 "$log")"
done
chmod 644 "$scratch"/out/*
mv "$scratch"/out/* "$here/"
ls -l "$here"/*.pcap "$here"/cluster.json
