#!/usr/bin/env python3
"""The sample cluster, defined once: make.sh builds it from here, and cluster.json lists it.

  cluster.py pods         one line a pod: short name, namespace, node, address
  cluster.py nft          the Service rules of a node, as kube-proxy would set them
  cluster.py dns          dnsmasq options that answer for the Services, as CoreDNS would
  cluster.py json START   what `kubectl get nodes,namespaces,pods,services,endpoints,
                          endpointslices,deployments,replicasets,statefulsets -A -o json`
                          would print; START (RFC 3339) is when everything was created
"""
import hashlib
import json
import sys
import uuid

NODES = {"node-1": ("172.18.0.2", "10.244.1.0/24"), "node-2": ("172.18.0.3", "10.244.2.0/24")}
NAMESPACES = ["default", "kube-node-lease", "kube-public", "kube-system", "monitoring", "production"]

# (namespace, name): kind, selector labels, further pod labels, image, container ports,
# probe path, and the pods: short name (as in the namespaces of the lab) -> node, address.
WORKLOADS = {
    ("kube-system", "coredns"): dict(
        kind="Deployment", selector={"k8s-app": "kube-dns"}, labels={},
        image="registry.k8s.io/coredns/coredns:v1.11.1",
        ports=[("dns", "UDP", 53), ("dns-tcp", "TCP", 53)], probe=None,
        pods={"coredns": ("node-1", "10.244.1.2")}),
    ("monitoring", "prometheus"): dict(
        kind="Deployment", selector={"app.kubernetes.io/name": "prometheus"},
        labels={"app.kubernetes.io/component": "server"},
        image="quay.io/prometheus/prometheus:v2.53.0", ports=[], probe=None,
        pods={"prometheus": ("node-2", "10.244.2.5")}),
    ("production", "web"): dict(
        kind="Deployment", selector={"app.kubernetes.io/name": "web"},
        labels={"app.kubernetes.io/part-of": "shop"}, image="nginx:1.22",
        ports=[("http", "TCP", 8080), ("metrics", "TCP", 9113)], probe="/healthz",
        pods={"web-1": ("node-1", "10.244.1.3"), "web-2": ("node-2", "10.244.2.2")}),
    ("production", "api"): dict(
        kind="Deployment", selector={"app": "api"}, labels={"tier": "backend"},
        image="registry.example.com/shop/api:1.4.2", ports=[("http", "TCP", 8080)], probe="/healthz",
        pods={"api-1": ("node-1", "10.244.1.4"), "api-2": ("node-2", "10.244.2.3")}),
    ("production", "db"): dict(
        kind="StatefulSet", selector={"app": "db"}, labels={}, image="postgres:15",
        ports=[("postgres", "TCP", 5432)], probe=None, pods={"db-0": ("node-1", "10.244.1.5")}),
    ("production", "cache"): dict(
        kind="Deployment", selector={"app": "cache"}, labels={}, image="redis:7",
        ports=[("redis", "TCP", 6379)], probe=None, pods={"cache": ("node-2", "10.244.2.4")}),
    ("production", "debug"): dict(
        kind="Pod", selector={"run": "debug"}, labels={}, image="nicolaka/netshoot:v0.13",
        ports=[], probe=None, pods={"debug": ("node-2", "10.244.2.6")}),
}

# (namespace, name): address ("None" = headless), the workload behind it, and the ports:
# name, protocol, Service port, target port (a number, or a container port's name), node port.
SERVICES = {
    ("default", "kubernetes"): ("10.96.0.1", None, [("https", "TCP", 443, 6443, None)]),
    ("kube-system", "kube-dns"): ("10.96.0.10", "coredns", [("dns", "UDP", 53, 53, None),
                                                            ("dns-tcp", "TCP", 53, 53, None)]),
    ("production", "api"): ("10.96.120.7", "api", [("http", "TCP", 80, 8080, None)]),
    ("production", "cache"): ("10.96.201.33", "cache", [("redis", "TCP", 6379, "redis", None)]),
    ("production", "db"): ("None", "db", [("postgres", "TCP", 5432, "postgres", None)]),
    ("production", "web"): ("10.96.45.10", "web", [("http", "TCP", 80, "http", 30080)]),
}


def uid(kind, namespace, name):
    """The same object has the same uid in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}.{namespace}.{name}.flowmap-sample"))


def suffix(text, length):
    """A stand-in for Kubernetes' random name endings, in its alphabet, but always the same."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(alphabet[byte % len(alphabet)] for byte in hashlib.sha256(text.encode()).digest()[:length])


def pods():
    """Every pod: (short name, namespace, workload name, workload, node, address)."""
    for (namespace, name), workload in WORKLOADS.items():
        for short, (node, address) in workload["pods"].items():
            yield short, namespace, name, workload, node, address


def template_hash(name):
    return suffix(f"template {name}", 9)


def pod_name(short, name, workload):
    if workload["kind"] == "Deployment":
        return f"{name}-{template_hash(name)}-{suffix(short, 5)}"
    return short  # db-0 and debug


def backends(namespace, name):
    """The pods behind a Service: (pod name or None, node, address)."""
    app = SERVICES[namespace, name][1]
    if app is None:  # the API server, which has no pod here
        return [(None, None, NODES["node-1"][0])]
    workload = WORKLOADS[namespace, app]
    return [(pod_name(short, app, workload), node, address)
            for short, (node, address) in workload["pods"].items()]


def target_number(namespace, name, target):
    if isinstance(target, int):
        return target
    return next(port for port_name, _, port in WORKLOADS[namespace, SERVICES[namespace, name][1]]["ports"]
                if port_name == target)


# --- what the lab is built from -----------------------------------------------------------

def nft_rules():
    """Replicas take turns (numgen inc; kube-proxy draws lots) so that a short run reaches them all.
    Connections to the node port get the mark that has them masqueraded: their answers must
    come back through this node even when the pod is on the other one."""
    rules = []
    for (namespace, name), (address, _, ports) in SERVICES.items():
        if address == "None":
            continue
        to = [pod for _, _, pod in backends(namespace, name)]
        for _, protocol, port, target, node_port in ports:
            number = target_number(namespace, name, target)
            choice = to[0] if len(to) == 1 else "numgen inc mod %d map { %s }" % (
                len(to), ", ".join(f"{i} : {pod}" for i, pod in enumerate(to)))
            rules.append(f"ip daddr {address} {protocol.lower()} dport {port} dnat to {choice}:{number}")
            if node_port:
                rules.append(f"fib daddr type local {protocol.lower()} dport {node_port} "
                             f"meta mark set 0x4000 dnat to {choice}:{number}")
    return """table ip kube-proxy {
    chain services {
        %s
    }
    chain prerouting { type nat hook prerouting priority dstnat; jump services; }
    chain output { type nat hook output priority -100; jump services; }
    chain postrouting { type nat hook postrouting priority srcnat; meta mark 0x4000 masquerade; }
}""" % "\n        ".join(rules)


def dns_records():
    lines = ["local=/cluster.local/"]
    for (namespace, name), (address, _, _) in SERVICES.items():
        for answer in [pod for _, _, pod in backends(namespace, name)] if address == "None" else [address]:
            lines.append(f"host-record={name}.{namespace}.svc.cluster.local,{answer}")
    return "\n".join(lines)


# --- what kubectl would print ---------------------------------------------------------------

def thing(api, kind, namespace, name, start, labels=None, owner=None, **rest):
    meta = {"name": name, "uid": uid(kind, namespace, name), "creationTimestamp": start}
    if namespace:
        meta["namespace"] = namespace
    if labels:
        meta["labels"] = labels
    if owner:
        owner_api, owner_kind, owner_name = owner
        meta["ownerReferences"] = [{
            "apiVersion": owner_api, "kind": owner_kind, "name": owner_name, "controller": True,
            "blockOwnerDeletion": True, "uid": uid(owner_kind, namespace, owner_name)}]
    return {"apiVersion": api, "kind": kind, "metadata": meta, **rest}


def container(name, workload):
    spec = {"name": name, "image": workload["image"], "resources": {}}
    if workload["ports"]:
        spec["ports"] = [{"name": n, "protocol": p, "containerPort": c} for n, p, c in workload["ports"]]
    if workload["probe"]:
        spec["readinessProbe"] = {"httpGet": {"path": workload["probe"], "port": "http", "scheme": "HTTP"}}
        spec["livenessProbe"] = {"tcpSocket": {"port": "http"}}
    return spec


def node_items(start):
    for name, (address, cidr) in NODES.items():
        yield thing("v1", "Node", None, name, start,
                    {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
                    spec={"podCIDR": cidr, "podCIDRs": [cidr]},
                    status={"addresses": [{"type": "InternalIP", "address": address},
                                          {"type": "Hostname", "address": name}],
                            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]})


def pod_items(start):
    for short, namespace, name, workload, node, address in pods():
        labels, owner = {**workload["selector"], **workload["labels"]}, None
        full = pod_name(short, name, workload)
        if workload["kind"] == "Deployment":
            labels["pod-template-hash"] = template_hash(name)
            owner = ("apps/v1", "ReplicaSet", f"{name}-{template_hash(name)}")
        elif workload["kind"] == "StatefulSet":
            labels.update({"apps.kubernetes.io/pod-index": short.rsplit("-", 1)[1],
                           "controller-revision-hash": f"{name}-{template_hash(name)}",
                           "statefulset.kubernetes.io/pod-name": full})
            owner = ("apps/v1", "StatefulSet", name)
        host = NODES[node][0]
        yield thing("v1", "Pod", namespace, full, start, labels, owner,
                    spec={"nodeName": node, "containers": [container(name, workload)], "restartPolicy": "Always",
                          "serviceAccountName": "default", "dnsPolicy": "ClusterFirst"},
                    status={"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": host,
                            "hostIPs": [{"ip": host}], "startTime": start,
                            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": start}]})


def service_items(start):
    for (namespace, name), (address, app, ports) in SERVICES.items():
        spec = {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": [],
                "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster",
                "sessionAffinity": "None"}
        if app:
            spec["selector"] = WORKLOADS[namespace, app]["selector"]
        for port_name, protocol, port, target, node_port in ports:
            spec["ports"].append({"name": port_name, "protocol": protocol, "port": port, "targetPort": target})
            if node_port:
                spec["ports"][-1]["nodePort"] = node_port
                spec.update(type="NodePort", externalTrafficPolicy="Cluster")
        yield thing("v1", "Service", namespace, name, start, service_labels(name, app),
                    spec=spec, status={"loadBalancer": {}})


def service_labels(name, app):
    if app is None:
        return {"component": "apiserver", "provider": "kubernetes"}
    return {"k8s-app": name} if name == "kube-dns" else {"app": name}


def endpoints_items(start):
    for (namespace, name), (address, app, ports) in SERVICES.items():
        subset = {"addresses": [], "ports": [
            {"name": n, "protocol": p, "port": target_number(namespace, name, t)} for n, p, _, t, _ in ports]}
        for pod, node, ip in backends(namespace, name):
            subset["addresses"].append({"ip": ip, **({"nodeName": node, "targetRef": pod_ref(namespace, pod)}
                                                     if pod else {})})
        labels = dict(service_labels(name, app) if app else {"endpointslice.kubernetes.io/skip-mirror": "true"})
        if address == "None":
            labels["service.kubernetes.io/headless"] = ""
        yield thing("v1", "Endpoints", namespace, name, start, labels, subsets=[subset])


def pod_ref(namespace, pod):
    return {"kind": "Pod", "namespace": namespace, "name": pod, "uid": uid("Pod", namespace, pod)}


def slice_items(start):
    for (namespace, name), (address, app, ports) in SERVICES.items():
        labels = {"kubernetes.io/service-name": name}
        if app:
            labels.update(service_labels(name, app))
            labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
        if address == "None":
            labels["service.kubernetes.io/headless"] = ""
        yield thing("discovery.k8s.io/v1", "EndpointSlice", namespace,
                    f"{name}-{suffix(f'slice {name}', 5)}" if app else name, start, labels,
                    ("v1", "Service", name) if app else None, addressType="IPv4",
                    endpoints=[{"addresses": [ip], "conditions": {"ready": True, "serving": True,
                                                                  "terminating": False},
                                **({"nodeName": node, "targetRef": pod_ref(namespace, pod)} if pod else {})}
                               for pod, node, ip in backends(namespace, name)],
                    ports=[{"name": n, "protocol": p, "port": target_number(namespace, name, t)}
                           for n, p, _, t, _ in ports])


def workload_items(start, kind):
    """Deployments, their ReplicaSets, or StatefulSets."""
    for (namespace, name), workload in WORKLOADS.items():
        if workload["kind"] != ("Deployment" if kind == "ReplicaSet" else kind):
            continue
        match, full, owner = dict(workload["selector"]), name, None
        labels = {**match, **workload["labels"]}
        template = dict(labels)
        if kind == "ReplicaSet":
            full, owner = f"{name}-{template_hash(name)}", ("apps/v1", "Deployment", name)
            for each in (match, labels, template):
                each["pod-template-hash"] = template_hash(name)
        count = len(workload["pods"])
        spec = {"replicas": count, "selector": {"matchLabels": match},
                "template": {"metadata": {"labels": template},
                             "spec": {"containers": [container(name, workload)]}}}
        if kind == "StatefulSet":
            spec["serviceName"] = name
        yield thing("apps/v1", kind, namespace, full, start, labels, owner, spec=spec,
                    status={"replicas": count, "readyReplicas": count, "availableReplicas": count})


def kubectl_list(start):
    items = [*node_items(start),
             *(thing("v1", "Namespace", None, name, start, {"kubernetes.io/metadata.name": name},
                     spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"}) for name in NAMESPACES),
             *pod_items(start), *service_items(start), *endpoints_items(start), *slice_items(start),
             *(item for kind in ("Deployment", "ReplicaSet", "StatefulSet") for item in workload_items(start, kind))]
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pods"]:
            for short, namespace, _, _, node, address in pods():
                print(short, namespace, node, address)
        case ["nft"]:
            print(nft_rules())
        case ["dns"]:
            print(dns_records())
        case ["json", start]:
            print(json.dumps(kubectl_list(start), indent=4, sort_keys=True))
        case _:
            sys.exit(__doc__)
