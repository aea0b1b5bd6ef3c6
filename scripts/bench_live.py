"""What a live capture costs: bare libpcap, tcpdump, softflowd and flowmap in turn watch one end of a cable between two network
namespaces, into whose other end tcpreplay sends as fast as it can. Prints a table, and what flowmap costs without traffic.

    bench_live.py FLOWMAP [PACKETS]

Needs root, and Debian's packages tcpreplay, tcpdump, softflowd, gcc and libpcap-dev. The sender runs on the first core, the
receiver on the second. What the kernel spends to hand packets over counts for the sender.
"""
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

CONNECTIONS = 100_000
IDLE_S = 30

# who sends, flags and bytes of data: opened once, then requests and answers
CLIENT, SERVER = 0, 1
SYN, ACK, FIN = 0x02, 0x10, 0x01
OPENING = [(CLIENT, SYN, 0), (SERVER, SYN | ACK, 0), (CLIENT, ACK, 0)]
EXCHANGE = [(CLIENT, ACK, 300), (SERVER, ACK, 0), (SERVER, ACK, 1200), (SERVER, ACK, 1200), (CLIENT, ACK, 0),
            (SERVER, ACK, 100), (CLIENT, ACK, 40)]
CLOSING = [(CLIENT, FIN | ACK, 0), (SERVER, FIN | ACK, 0)]
EXCHANGES = 4

BARE = r"""
#include <pcap.h>
#include <signal.h>
#include <stdio.h>
static pcap_t *p; static unsigned long n;
static void take(u_char *u, const struct pcap_pkthdr *h, const u_char *d) { n += d[0] || h->len; }
static void stop(int s) { pcap_breakloop(p); }
int main(int c, char **v) {
    char e[PCAP_ERRBUF_SIZE]; struct pcap_stat s;
    p = pcap_create(v[1], e); pcap_set_snaplen(p, 704); pcap_set_timeout(p, 200); pcap_set_buffer_size(p, 16 << 20);
    if (pcap_activate(p) < 0) return 1;
    signal(SIGTERM, stop); pcap_loop(p, -1, take, 0); pcap_stats(p, &s);
    fprintf(stderr, "%lu packets, %u dropped by the kernel\n", n, s.ps_drop);
}
"""


def packet(src, dst, sport, dport, seq, ack, flags, size):
    total = 40 + size
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 0, 0x4000, 64, 6, 0, src, dst)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 65535, 0, 0)
    return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + head + tcp + bytes(size)


def write_capture(path, exchanges=1, closes=False):
    """Connections opened one after the other, each packet of all before the next of any; closed where that is asked for."""
    sent = [0, 0]
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for who, flags, size in OPENING + EXCHANGE * exchanges + CLOSING * closes:
            for n in range(CONNECTIONS):
                client, server = struct.pack("!I", 0x0A000000 + n % 5000), struct.pack("!I", 0x0A100000 + n % 200)
                ends = (client, server), (20_000 + n // 5000, 443)
                isn = (n * 2_654_435_761) & 0xFFFFFFFF
                seq = [(first + bytes) & 0xFFFFFFFF for first, bytes in zip((isn, isn ^ 0x5555), sent)]
                other = 1 - who
                data = packet(*(pair[end] for pair in ends for end in (who, other)), seq[who], seq[other] if flags & ACK else 0, flags, size)
                out.write(struct.pack("<IIII", 1, 0, len(data), len(data)) + data)
            sent[who] += size + bool(flags & (SYN | FIN))


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def lay_cable(names):
    """Two network namespaces with a cable between them, on which nobody speaks by himself."""
    for name in names:
        ip("netns", "add", name)
    ip("-n", names[0], "link", "add", "fm0", "type", "veth", "peer", "name", "fm0", "netns", names[1])
    for name in names:
        ip("netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        ip("-n", name, "link", "set", "fm0", "up")
        ip("-n", name, "link", "set", "lo", "up")


def spent(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ran(pid):
    """The same as the scheduler has it, of the threads that there are: ticks are too coarse for what hardly runs."""
    threads = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def main():
    flowmap = os.path.abspath(sys.argv[1])
    for tool in ("tcpreplay", "tcpdump", "softflowd", "cc"):
        if not shutil.which(tool):
            sys.exit(f"skipped: {tool} is not there")
    if os.geteuid() != 0:
        sys.exit("skipped: network namespaces need root")
    folder = tempfile.mkdtemp()
    source, bare, capture = (os.path.join(folder, name) for name in ("bare.c", "bare", "traffic.pcap"))
    pathlib.Path(source).write_text(BARE)
    subprocess.run(["cc", "-O2", source, "-o", bare, "-lpcap"], check=True)
    write_capture(capture, EXCHANGES)
    names = [f"fmb{os.getpid()}{end}" for end in "ab"]
    try:
        lay_cable(names)
        watch(names, flowmap, bare, capture, folder)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)
        shutil.rmtree(folder)


def watch(names, flowmap, bare, capture, folder):
    receivers = {
        "bare libpcap loop": [bare, "fm0"],
        "tcpdump -w /dev/null": ["tcpdump", "-ni", "fm0", "-s", "704", "-B", "16384", "-w", "/dev/null"],
        "softflowd": ["softflowd", "-d", "-i", "fm0", "-m", "200000", "-n", "127.0.0.1:9", "-p", f"{folder}/p", "-c", f"{folder}/c"],
        "flowmap": [flowmap, "--db", f"{folder}/all.db", "capture", "fm0"],
        "flowmap --mode connections": [flowmap, "--db", f"{folder}/light.db", "capture", "fm0", "--mode", "connections"],
    }
    print(f"{'receiver':<28}{'sent/s':>9}{'sent':>10}{'received':>10}{'dropped':>9}{'CPU s':>8}{'RSS MB':>8}")
    for name, command in receivers.items():
        receiver = subprocess.Popen(["ip", "netns", "exec", names[0], "taskset", "-c", "1", *command],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        before = spent(receiver.pid)
        sender = subprocess.run(["ip", "netns", "exec", names[1], "taskset", "-c", "0", "tcpreplay", "-q", "--preload-pcap",
                                 "-t", "-i", "fm0", capture], capture_output=True, text=True, check=True)
        time.sleep(7)
        if receiver.poll() is not None:
            print(f"{name:<28}ended early: {receiver.communicate()[1].strip().splitlines()[-1:]}")
            continue
        cpu, memory = spent(receiver.pid) - before, resident(receiver.pid)
        receiver.send_signal(signal.SIGTERM)
        said = receiver.communicate(timeout=60)[1]
        sent = int(re.search(r"Actual: (\d+) packets", sender.stdout)[1])
        rate = float(re.search(r"([\d.]+) pps", sender.stdout)[1])
        received, dropped = told(said)
        print(f"{name:<28}{rate:>9.0f}{sent:>10}{received:>10}{dropped:>9}{cpu:>8.2f}{memory:>8.1f}")
    idle(names, flowmap, folder)


def told(said):
    """Packets and drops as the receiver tells them."""
    received = re.search(r"(\d+) packets(?: captured|,)", said)
    dropped = re.search(r"(\d+) (?:packets )?dropped by (?:the )?kernel", said)
    return (received[1] if received else "-"), (dropped[1] if dropped else "-")


def idle(names, flowmap, folder):
    receiver = subprocess.Popen(["ip", "netns", "exec", names[0], flowmap, "--db", f"{folder}/idle.db", "capture", "fm0"],
                                stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    before = ran(receiver.pid)
    time.sleep(IDLE_S)
    print(f"without traffic flowmap takes {(ran(receiver.pid) - before) / IDLE_S:.3%} of a core")
    receiver.send_signal(signal.SIGTERM)
    receiver.communicate(timeout=60)


if __name__ == "__main__":
    main()
