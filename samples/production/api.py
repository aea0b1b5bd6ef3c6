#!/usr/bin/env python3
"""The `api` of the sample: a small HTTP server on :8080 in front of PostgreSQL and Redis.

It finds both through the cluster's DNS by their short names, like any program in a pod:
`db` is headless (the answer is the pod), `cache` has a ClusterIP. PSQL names the psql program.
"""
import http.server
import json
import os
import socket
import socketserver
import subprocess
import threading
import time

REPLICA = ("db", 5433)  # a read replica that is gone: its setting was left behind, so every try is refused
requests = 0


def sql(statement, **variables):
    """One psql, hence one connection, per statement; psql itself quotes the :'variables'."""
    options = [f"--set={name}={value}" for name, value in variables.items()]
    done = subprocess.run([os.environ["PSQL"], "-XAtq", "--host=db", "--username=shop", "--dbname=shop", *options],
                          input=statement, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


class Cache:
    """Just enough of RESP, over one connection that stays open."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stream = None

    def __call__(self, *words):
        with self.lock:
            if self.stream is None:
                self.stream = socket.create_connection(("cache", 6379), timeout=10).makefile("rwb")
            self.stream.write(b"*%d\r\n" % len(words))
            for word in map(str.encode, words):
                self.stream.write(b"$%d\r\n%s\r\n" % (len(word), word))
            self.stream.flush()
            reply = self.stream.readline().rstrip().decode()
            if not reply.startswith("$"):
                return reply[1:]
            length = int(reply[1:])
            return None if length < 0 else self.stream.read(length + 2)[:-2].decode()


cache = Cache()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global requests
        requests += 1
        if self.path == "/healthz":
            self.answer("ok\n")
        elif self.path == "/metrics":
            self.answer(f"# TYPE api_requests_total counter\napi_requests_total {requests}\n")
        elif self.path == "/api/items":
            items = cache("GET", "items")
            if items is None:
                items = sql("SELECT coalesce(json_agg(name), '[]') FROM (SELECT name FROM items ORDER BY id DESC LIMIT 5) AS latest")
                cache("SET", "items", items, "EX", "5")
            self.answer(items + "\n", "application/json")
        else:
            self.answer("not found\n", status=404)

    def do_POST(self):
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["name"]
        sql("INSERT INTO items (name) VALUES (:'name')", name=name)
        cache("DEL", "items")
        self.answer("created\n", status=201)

    def answer(self, text, kind="text/plain", status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


class Server(socketserver.ThreadingTCPServer):
    # Not http.server.HTTPServer: that asks DNS for the machine's own name, which would end up in the captures.
    allow_reuse_address = True
    daemon_threads = True


def try_replica():
    while True:
        try:
            socket.create_connection(REPLICA, timeout=5).close()
        except OSError as error:
            print("replica:", error, flush=True)
        time.sleep(15)


threading.Thread(target=try_replica, daemon=True).start()
Server(("0.0.0.0", 8080), Handler).serve_forever()
