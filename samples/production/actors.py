#!/usr/bin/env python3
"""Those who make the calls in the sample. Any call that ought to succeed and does not ends the run.

  actors.py visit SECONDS PERIOD URL...        an outside client: a page, the items, and now and then a new item
  actors.py scrape SECONDS PERIOD URL...       Prometheus: fetches every URL each time round
  actors.py probe SECONDS PERIOD HOST:PORT...  kubelet: TCP connect and GET /healthz
  actors.py scan DELAY NAME HOST...            after DELAY s looks NAME up once, then tries 20 ports of every HOST
"""
import itertools
import json
import socket
import sys
import time
import urllib.request

PORTS = [21, 22, 23, 25, 53, 80, 110, 111, 143, 443, 445, 1433, 2379, 3306, 5432, 5672, 6379, 8080, 9200, 27017]


def fetch(url, body=None):
    with urllib.request.urlopen(url, data=body, timeout=10) as answer:
        answer.read()


def visit(turn, urls):
    url = urls[turn % len(urls)]
    fetch(f"{url}/")
    fetch(f"{url}/api/items")
    if turn % 3 == 2:
        fetch(f"{url}/api/items", json.dumps({"name": f"item {turn}"}).encode())


def scrape(_, urls):
    for url in urls:
        fetch(url)


def probe(_, addresses):
    for address in addresses:
        host, port = address.split(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        fetch(f"http://{address}/healthz")


def scan(name, hosts):
    socket.gethostbyname(name)
    for host, port in itertools.product(hosts, PORTS):
        with socket.socket() as probe_socket:
            probe_socket.settimeout(1)
            probe_socket.connect_ex((host, port))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["scan", delay, name, *hosts]:
            time.sleep(float(delay))
            scan(name, hosts)
        case [("visit" | "scrape" | "probe") as what, seconds, period, *targets]:
            start = time.monotonic()
            for turn in range(int(float(seconds) / float(period))):
                time.sleep(max(0.0, start + turn * float(period) - time.monotonic()))
                globals()[what](turn, targets)
        case _:
            sys.exit(__doc__)
