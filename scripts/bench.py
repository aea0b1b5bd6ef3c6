#!/usr/bin/env python3
"""Times flowmap and its peers on made-up captures, and prints one table of one run, as Markdown.

    scripts/bench.py FLOWMAP PACKETS [FOLDER]

FLOWMAP is the release binary, PACKETS the benchmark `packets`; captures are made in FOLDER and kept there. Every command
is a process of its own; what counts is its user and system time. The captures are read once before, so that no disk is
measured. FLOWMAP_BENCH_RUNS (3) says how often each is run: the median is printed; peers that take over 20 s run once.
"""

import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = int(os.environ.get("FLOWMAP_BENCH_RUNS", "3"))
GENERATOR = Path(os.environ.get("FLOWMAP_BENCH_GENERATOR", "../shared/tools/bench_pcap.c"))
# What takes longer is given up and said to be.
LIMIT_S = 60
PACKETS = {"mix": 4_912_112, "small": 10_000_000, "scan": 2_000_000}
# What each peer is asked for: all packets into flows, exported or written to files.
PEERS = {
    "softflowd": "softflowd -d -r {capture} -m 8000000 -6 -T full -n 127.0.0.1:9995 -v 9",
    "nfpcapd": "nfpcapd -B 4194304 -t 3600 -r {capture} -w {folder}",
    "argus": "argus -S 3600 -r {capture} -w {folder}/argus.out",
}


def measured(command, threads=None):
    """User and system time in seconds, wall time in seconds and peak memory in megabytes; None where it was given up."""
    environment = dict(os.environ, **({"RAYON_NUM_THREADS": str(threads)} if threads else {}))
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    deadline = begin + LIMIT_S
    while time.monotonic() < deadline:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            if status:
                sys.exit(f"bench: {' '.join(command)}: failed")
            wall = time.monotonic() - begin
            return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024
        time.sleep(0.002)
    process.kill()
    os.wait4(process.pid, 0)
    return None


def median(command, threads=None):
    results = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            result = measured([part.replace("{folder}", folder) for part in command], threads)
        if result is None:
            return None
        results.append(result)
        if result[0] > 20:
            break
    return tuple(statistics.median(column) for column in zip(*results))


def captures(folder):
    program = folder / "bench_pcap"
    if not GENERATOR.exists():
        sys.exit(f"bench: {GENERATOR}: no such file\nhint: FLOWMAP_BENCH_GENERATOR names the generator's source")
    subprocess.run(["cc", "-O2", "-o", program, GENERATOR, "-lm"], check=True)
    made = {}
    for name in PACKETS:
        path = folder / f"{name}.pcap"
        if not path.exists():
            subprocess.run([program, name, path], check=True, stderr=subprocess.DEVNULL)
        # read once, piece by piece: what this process holds would count as the memory of its children
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
        made[name] = str(path)
    return made


def cell(name, result, best=None):
    if result is None:
        return f"over {LIMIT_S} s"
    cpu, _, memory = result
    text = f"{PACKETS[name] / cpu / 1e6:.2f} ({memory:.0f} MB)"
    return text + (f", {best / cpu:.1f} x" if best else "")


def versions():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    lines = [f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[0]:.1f} at the start"]
    for package in ["softflowd", "nfdump", "argus-server", "libpcap0.8"]:
        shown = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True)
        lines.append(f"{package} {shown.stdout or 'not installed'}")
    return "; ".join(lines)


def main():
    flowmap, packets = sys.argv[1:3]
    keep = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix="flowmap-bench-")
    folder = Path(keep)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{time.strftime('%Y-%m-%d')}, {versions()}\n", flush=True)
    made = captures(folder)
    rows = {}
    for name, capture in made.items():
        peers = {}
        for peer, command in PEERS.items():
            if shutil.which(peer):
                peers[peer] = median(command.replace("{capture}", capture).split())
        best = min((result[0] for result in peers.values() if result), default=None)
        importing = [flowmap, "import", capture, "--db", "{folder}/flowmap.db"]
        one, all_of_them = median(importing, 1), median(importing)
        rows[name] = {
            **{peer: cell(name, result) for peer, result in peers.items()},
            "reading alone, libpcap": cell(name, median([packets, "--libpcap", capture])),
            "decode and connection table": cell(name, median([packets, "--alone", capture]), best),
            "flowmap import": cell(name, all_of_them, best),
            "wall time of one thread over all": f"{one[1] / all_of_them[1]:.2f}",
        }
    print("| million packets a CPU second (peak memory), over the fastest peer | " + " | ".join(rows) + " |")
    print("|---|" + "---|" * len(rows))
    for label in next(iter(rows.values())):
        print(f"| {label} | " + " | ".join(row[label] for row in rows.values()) + " |")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
