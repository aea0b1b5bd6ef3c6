#!/usr/bin/env python3
"""Times flowmap and its peers on made-up captures, and prints one table of one run, as Markdown.

    scripts/bench.py FLOWMAP PACKETS [FOLDER]

FLOWMAP is the release binary, PACKETS the benchmark `packets`; captures are made in FOLDER and kept there. Every command
is a process of its own; what counts is its user and system time. The captures are read once before, so that no disk is
measured. FLOWMAP_BENCH_RUNS (3) says how often each is run, in turns with the others: the median is printed; peers that take
over 20 s run once. What a second core gives is the wall time on one core over that on all of them.
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
# What takes more CPU time than this is run once.
LONG_S = 20
PACKETS = {"mix": 4_912_112, "small": 10_000_000, "scan": 2_000_000}
# What each peer is asked for: all packets into flows, exported or written to files.
PEERS = {
    "softflowd": "softflowd -d -r {capture} -m 8000000 -6 -T full -n 127.0.0.1:9995 -v 9",
    "nfpcapd": "nfpcapd -B 4194304 -t 3600 -r {capture} -w {folder}",
    "argus": "argus -S 3600 -r {capture} -w {folder}/argus.out",
}

# What is timed beside them.
READING = "reading alone, libpcap"
DECODING = "decode and connection table"
IMPORTING = "flowmap import"
ON_ONE_CORE = "flowmap import on one core"


def measured(command, cores=None):
    """User and system time in seconds, wall time in seconds and peak memory in megabytes; None where it was given up."""
    pinned = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pinned)
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


def medians(commands):
    """Of each command, by its label: what was measured in the median. They run in turns, so that an hour of a busy neighbour is
    not one command's alone."""
    results = {label: [] for label in commands}
    for turn in range(RUNS):
        for label, (command, cores) in commands.items():
            known = results[label]
            if turn and (known[0] is None or known[0][0] > LONG_S):
                continue
            with tempfile.TemporaryDirectory() as folder:
                known.append(measured([part.replace("{folder}", folder) for part in command], cores))
    return {
        label: None if None in known else tuple(statistics.median(column) for column in zip(*known))
        for label, known in results.items()
    }


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
    one_core = {min(os.sched_getaffinity(0))}
    for name, capture in made.items():
        peers = {peer: command for peer, command in PEERS.items() if shutil.which(peer)}
        importing = [flowmap, "import", capture, "--db", "{folder}/flowmap.db"]
        results = medians(
            {
                **{peer: (command.replace("{capture}", capture).split(), None) for peer, command in peers.items()},
                READING: ([packets, "--libpcap", capture], None),
                DECODING: ([packets, "--alone", capture], None),
                IMPORTING: (importing, None),
                ON_ONE_CORE: (importing, one_core),
            }
        )
        best = min((results[peer][0] for peer in peers if results[peer]), default=None)
        one, all_of_them = results.pop(ON_ONE_CORE), results[IMPORTING]
        rows[name] = {
            label: cell(name, result, best if label in (DECODING, IMPORTING) else None) for label, result in results.items()
        }
        rows[name]["wall time on one core over all"] = f"{one[1] / all_of_them[1]:.2f}"
    print("| million packets a CPU second (peak memory), over the fastest peer | " + " | ".join(rows) + " |")
    print("|---|" + "---|" * len(rows))
    for label in next(iter(rows.values())):
        print(f"| {label} | " + " | ".join(row[label] for row in rows.values()) + " |")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
