"""Measures report.html of 1,000 workloads with 20,000 dependencies: bench_report.py FLOWMAP FOLDER

Prints its size, what `suggest` took, and how long Chromium takes to open it; the best of several runs, for other work on a
machine only adds. It fails where the page is larger or opens later than the aims.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
WORKLOADS, DEPENDENCIES = 1_000, 20_000
RUNS = {"suggest": 3, "open": 7}
MOST_BYTES, MOST_MS = 5_000_000, 2_000


def suggest(program, folder):
    """Seconds elapsed and CPU seconds of one proposal for all namespaces."""
    flows, cluster = folder / "flows.csv", folder / "cluster.json"
    command = [program, "suggest", "-A", "--isolate-unseen", "--from", flows, "--inventory", cluster, "--out-dir", folder / "out"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    elapsed, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        sys.exit(f"bench_report: suggest: {done.stderr}")
    return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def opened(page):
    """What the browser says of opening a page, times in milliseconds since it was asked to."""
    script = HERE.parent / "tests/browser/open.mjs"
    done = subprocess.run(["node", script, f"file://{page}"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)["answer"]


def line(what, value, unit, aim=None):
    """Prints a figure; tells whether it is as it should be."""
    is_met = aim is None or value < aim
    said = "" if aim is None else f"  aim: below {aim:,} {unit}, {'reached' if is_met else 'MISSED'}"
    print(f"{what:<28} {value:>12,.2f} {unit}{said}" if isinstance(value, float) else f"{what:<28} {value:>12,} {unit}{said}")
    return is_met


def main():
    program, folder = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).absolute()
    made = [sys.executable, HERE / "made_up_cluster.py", str(WORKLOADS), str(DEPENDENCIES), folder]
    subprocess.run(made, check=True)
    print(f"{WORKLOADS:,} workloads, {DEPENDENCIES:,} dependencies; the best of {RUNS['suggest']} proposals and {RUNS['open']} openings")
    times = [suggest(program, folder) for _ in range(RUNS["suggest"])]
    page = folder / "out/report.html"
    seen = [opened(page) for _ in range(RUNS["open"])]
    line("suggest, elapsed", min(elapsed for elapsed, _ in times), "s")
    line("suggest, CPU", min(cpu for _, cpu in times), "s")
    met = [line("report.html", page.stat().st_size, "bytes", MOST_BYTES)]
    line("elements on it", seen[0]["elements"], "")
    line("first painted", round(min(it["painted_ms"] for it in seen)), "ms")
    met.append(line("opened", round(min(it["loaded_ms"] for it in seen)), "ms", MOST_MS))
    sys.exit(0 if all(met) else 1)


main()
