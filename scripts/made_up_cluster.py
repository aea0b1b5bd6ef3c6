"""Writes cluster.json and flows.csv of a made-up cluster; --help tells the arguments.

Namespaces are shops, each with an edge, applications and stores; monitoring and names serve them all. The same numbers give
the same files.
"""

import argparse
import json
import pathlib
import random

SUBJECTS = ["orders", "basket", "search", "ledger", "invoices", "stock", "prices", "users", "mail", "reviews", "routes", "media"]
TEAMS = ["shop", "bank", "travel", "maps", "games", "health", "school", "music", "video", "games", "farm", "lab"]
NODES = 20
START = 1_767_225_600  # 2026-01-01T00:00:00Z


class Workload:
    def __init__(self, number, namespace, name, kind, port):
        self.namespace, self.name, self.kind, self.port = namespace, name, kind, port
        self.addresses = [f"10.{64 + number // 100}.{number % 100}.{replica + 1}" for replica in range(1 + number % 2)]


def workloads(count, in_namespace):
    made = [Workload(0, "kube-system", "coredns", "Deployment", 53), Workload(1, "monitoring", "prometheus", "StatefulSet", 9090)]
    number = len(made)
    while number < count:
        place = (number - 2) // in_namespace
        namespace = TEAMS[place % len(TEAMS)] + (f"-{place // len(TEAMS) + 1}" if place >= len(TEAMS) else "")
        within = (number - 2) % in_namespace
        subject = SUBJECTS[within % len(SUBJECTS)]
        if within == 0:
            made.append(Workload(number, namespace, "gateway", "Deployment", 8443))
        elif within % 4 == 3:
            kind, port = [("StatefulSet", 5432), ("StatefulSet", 6379)][within // 4 % 2]
            made.append(Workload(number, namespace, f"{subject}-{'db' if port == 5432 else 'cache'}", kind, port))
        else:
            made.append(Workload(number, namespace, f"{subject}-{['api', 'worker', 'web'][within % 3]}", "Deployment", 8080))
        number += 1
    uses = {}
    for workload in made:
        key = (workload.namespace, workload.name)
        uses[key] = uses.get(key, 0) + 1
        if uses[key] > 1:
            workload.name += f"-{uses[key]}"
    return made


def objects(made, nodes):
    def metadata(name, namespace=None, labels=None, owner=None):
        data = {"name": name, "labels": labels or {}}
        if namespace:
            data["namespace"] = namespace
        if owner:
            data["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1], "uid": owner[1], "controller": True}]
        return data

    for name in sorted({workload.namespace for workload in made}):
        yield {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata(name, labels={"kubernetes.io/metadata.name": name})}
    for node in range(NODES):
        status = {"addresses": [{"type": "InternalIP", "address": f"192.168.0.{node + 10}"}]}
        spec = {"podCIDRs": [f"10.{64 + node}.0.0/16"]}
        yield {"kind": "Node", "apiVersion": "v1", "metadata": metadata(f"node-{node}"), "spec": spec, "status": status}
    services = [("default", "kubernetes", "10.250.0.1", 443, "TCP", None), ("kube-system", "kube-dns", "10.250.0.10", 53, "UDP", "coredns")]
    for namespace, name, address, port, protocol, app in services:
        ports = [{"name": "main", "port": port, "protocol": protocol, "targetPort": port}]
        spec = {"clusterIP": address, "clusterIPs": [address], "ports": ports} | ({"selector": {"app": app}} if app else {})
        yield {"kind": "Service", "apiVersion": "v1", "metadata": metadata(name, namespace), "spec": spec}
    for workload in made:
        labels = {"app": workload.name}
        owner = (workload.kind, workload.name)
        containers = [{"name": "main", "ports": [{"containerPort": workload.port}]}]
        if workload.kind == "Deployment":
            owner = ("ReplicaSet", workload.name + "-5d8c7b")
            yield {
                "kind": "ReplicaSet",
                "apiVersion": "apps/v1",
                "metadata": metadata(owner[1], workload.namespace, labels, ("Deployment", workload.name)),
                "spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
            }
        for replica, address in enumerate(workload.addresses):
            yield {
                "kind": "Pod",
                "apiVersion": "v1",
                "metadata": metadata(f"{workload.name}-{replica}", workload.namespace, labels, owner)
                | {"creationTimestamp": "2025-12-01T00:00:00Z"},
                "spec": {
                    "nodeName": f"node-{replica % nodes}",
                    "containers": containers,
                },
                "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
            }


def flows(made, count, hours, rng):
    """Pairs of workloads with a port: everybody asks for names, is watched, and calls what a tier below its own holds."""
    pairs = {}
    names, monitoring, others = made[0], made[1], made[2:]
    for workload in others:
        pairs[(workload, names, 53)] = "udp"
        pairs[(monitoring, workload, 9100)] = "tcp"
        if workload.name == "gateway":
            pairs[(None, workload, 8443)] = "tcp"
    by_namespace = {}
    for workload in others:
        by_namespace.setdefault(workload.namespace, []).append(workload)
    spaces = sorted(by_namespace)
    partners = {name: [by_namespace[rng.choice(spaces)] for _ in range(2)] for name in spaces}
    attempts = 0
    while len(pairs) < count and attempts < 50 * count:
        attempts += 1
        client = rng.choice(others)
        if client.port in (5432, 6379):
            continue
        is_near = rng.random() < 0.9
        server = rng.choice(by_namespace[client.namespace] if is_near else rng.choice(partners[client.namespace]))
        if not is_near and server.port != 8080:
            continue
        is_onwards = (client.port, client.name) < (server.port, server.name) or server.port in (5432, 6379)
        if client is server or server.name == "gateway" or not (is_onwards or client.name == "gateway"):
            continue
        port = server.port if (client, server, server.port) not in pairs else server.port + 1000 + rng.randrange(8)
        pairs[(client, server, port)] = "tcp"
    for (client, server, port), protocol in pairs.items():
        first = min(int(rng.expovariate(4 / hours)), hours - 1) if rng.random() < 0.5 else 0
        seen = {first} | {rng.randrange(first, hours) for _ in range(rng.randrange(4))}
        for hour in sorted(seen):
            source = f"203.0.113.{rng.randrange(1, 250)}" if client is None else rng.choice(client.addresses)
            yield source, rng.choice(server.addresses), protocol, port, START + 3600 * hour + rng.randrange(3000)


def main():
    parser = argparse.ArgumentParser(description="Writes cluster.json and flows.csv of a made-up cluster.")
    parser.add_argument("workloads", type=int)
    parser.add_argument("dependencies", type=int)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--hours", type=int, default=48, help="how long it was watched")
    parser.add_argument("--in-namespace", type=int, default=25, help="workloads in each")
    parser.add_argument("--nodes", type=int, default=2, help="on how many nodes replicas run")
    args = parser.parse_args()
    folder, rng = args.folder, random.Random(1)
    made = workloads(args.workloads, args.in_namespace)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cluster.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": list(objects(made, args.nodes))}))
    with open(folder / "flows.csv", "w", encoding="ascii") as out:
        print("src_ip,dst_ip,proto,dst_port,packets,connections,first_seen,last_seen", file=out)
        for source, target, protocol, port, seen in flows(made, args.dependencies, args.hours, rng):
            connections = int(10 ** rng.uniform(0, 4))
            moment = f"2026-01-{1 + (seen - START) // 86400:02}T{(seen - START) // 3600 % 24:02}:{seen // 60 % 60:02}:00Z"
            print(f"{source},{target},{protocol},{port},{connections * 8},{connections},{moment},{moment}", file=out)


main()
