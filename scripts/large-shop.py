"""A shop of 300 workloads in five namespaces, made up: writes cluster.json and flows.csv into the current folder."""
import json
import random

NAMESPACES = ["analytics", "payments", "platform", "search", "shop"]
# role, how many in a namespace, port
ROLES = [("web", 6, 8080), ("api", 22, 8080), ("worker", 12, 9000), ("db", 12, 5432), ("cache", 8, 6379)]
MADE = "2026-11-24T00:00:00Z"

random.seed(4)


def pod(namespace, name, address, port):
    owner = {"kind": "ReplicaSet", "name": f"{name}-5d78c9869d", "controller": True}
    metadata = {"name": f"{name}-5d78c9869d-x", "namespace": namespace, "uid": f"{namespace}-{name}", "creationTimestamp": MADE}
    metadata |= {"labels": {"app.kubernetes.io/name": name}, "ownerReferences": [owner]}
    spec = {"nodeName": "node-1", "containers": [{"name": "c", "ports": [{"containerPort": port}]}]}
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": "192.0.2.1", "startTime": MADE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def cluster():
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {"podCIDR": "10.244.0.0/16"}}
    node["status"] = {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}
    items, by_role, number = [node], {}, 0
    for namespace in NAMESPACES:
        labels = {"kubernetes.io/metadata.name": namespace}
        items.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        for role, count, port in ROLES:
            for n in range(count):
                address = f"10.244.{1 + number // 200}.{10 + number % 200}"
                number += 1
                items.append(pod(namespace, f"{role}-{n + 1}", address, port))
                by_role.setdefault((namespace, role), []).append((address, port))
    return items, by_role


def flows(by_role):
    rows = ["client,server,protocol,port,connections,outcome,first_seen,last_seen"]

    def flow(client, server, most, port=None):
        when = f"2026-11-25T0{random.randint(0, 2)}:00:00Z,2026-11-25T0{random.randint(4, 8)}:10:09Z"
        address, own = server
        rows.append(f"{client},{address},TCP,{port or own},{random.randint(1, most)},established,{when}")

    for namespace in NAMESPACES:
        of = {role: by_role[(namespace, role)] for role, _, _ in ROLES}
        for web in of["web"]:
            for _ in range(3):
                flow(f"198.51.100.{random.randint(1, 250)}", web, 900)
            for api in random.sample(of["api"], 5):
                flow(web[0], api, 5000)
        for api in of["api"]:
            for server in random.sample(of["db"], 2) + random.sample(of["cache"], 1):
                flow(api[0], server, 9000)
            other = random.choice(by_role[(random.choice(NAMESPACES), "api")])
            if other != api:
                flow(api[0], other, 300)
        for worker in of["worker"]:
            for db in random.sample(of["db"], 2):
                flow(worker[0], db, 700)
            flow(worker[0], (f"203.0.113.{random.randint(1, 40)}", 443), 90)
    return rows


items, by_role = cluster()
with open("cluster.json", "w", encoding="utf-8") as file:
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, file)
with open("flows.csv", "w", encoding="utf-8") as file:
    file.write("\n".join(flows(by_role)) + "\n")
