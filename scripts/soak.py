"""An hour of steady load: tcpreplay sends the same packets of 20,000 connections, opened and closed, again and again; flowmap
watches. Each minute prints what it holds; at the end memory must be flat and nothing dropped, else the exit code is 1.

    soak.py FLOWMAP

SOAK_MINUTES (60) and SOAK_PPS (30000) say how long and how much. Needs root, and Debian's packages tcpreplay and iproute2.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import bench_live as bench

MINUTES = int(os.environ.get("SOAK_MINUTES", "60"))
PPS = int(os.environ.get("SOAK_PPS", "30000"))
# the table, the first merges of an hour and what the allocator keeps are there by then
SETTLED = 1 / 3
GROWTH = 1.1


def figures(namespace):
    script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics', timeout=5).read().decode())"
    text = subprocess.run(["ip", "netns", "exec", namespace, sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    value = lambda name: int(float(re.search(rf"^flowmap_{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)[1]))
    return {name: value(name) for name in ("packets_total", "kernel_drops_total", "connections", "flush_failures_total", "store_bytes")}


def main():
    flowmap = os.path.abspath(sys.argv[1])
    if not shutil.which("tcpreplay") or os.geteuid() != 0:
        sys.exit("skipped: needs root and tcpreplay")
    folder = tempfile.mkdtemp()
    names = [f"fms{os.getpid()}{end}" for end in "ab"]
    bench.CONNECTIONS = 20_000
    bench.write_capture(f"{folder}/traffic.pcap", closes=True)
    started = []
    try:
        bench.lay_cable(names)
        daemon = subprocess.Popen(["ip", "netns", "exec", names[0], flowmap, "--db", f"{folder}/soak.db", "capture", "fm0", "--metrics", "127.0.0.1:9464"],
                                  stderr=subprocess.PIPE, text=True)
        started.append(daemon)
        time.sleep(2)
        started.append(subprocess.Popen(["ip", "netns", "exec", names[1], "tcpreplay", "-q", "--preload-pcap", f"--pps={PPS}", "--loop=0",
                                         "-i", "fm0", f"{folder}/traffic.pcap"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        status = watch(daemon, names[0])
        daemon.send_signal(signal.SIGTERM)
        print(daemon.communicate(timeout=60)[1].strip().splitlines()[-1])
    finally:
        for process in started:
            process.kill()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)
        shutil.rmtree(folder)
    sys.exit(status)


def watch(daemon, namespace):
    print(f"{'minute':>6}{'packets':>13}{'dropped':>9}{'connections':>13}{'RSS MB':>8}{'store MB':>10}{'CPU s':>8}", flush=True)
    begun, memory = time.time(), []
    for minute in range(1, MINUTES + 1):
        time.sleep(max(0, begun + 60 * minute - time.time()))
        told = figures(namespace)
        memory.append(bench.resident(daemon.pid))
        print(f"{minute:>6}{told['packets_total']:>13}{told['kernel_drops_total']:>9}{told['connections']:>13}{memory[-1]:>8.1f}"
              f"{told['store_bytes'] / 1e6:>10.1f}{bench.spent(daemon.pid):>8.1f}", flush=True)
    settled = memory[int(len(memory) * SETTLED):]
    is_flat = max(settled) <= settled[0] * GROWTH
    dropped, failed = told["kernel_drops_total"], told["flush_failures_total"]
    print(f"memory {'is flat' if is_flat else 'grows'}: {settled[0]:.1f} MB after a third, at most {max(settled):.1f} MB; {dropped} dropped, {failed} flushes failed")
    return 0 if is_flat and not dropped and not failed else 1


if __name__ == "__main__":
    main()
