"""Checks a folder that `flowmap suggest` wrote with readers that are not flowmap's.

Every NetworkPolicy must pass kubernetes-validate in its strict mode (no unknown field), and a kustomization.yaml must
list exactly the other manifests beside it. Prints the number of policies and of kustomizations.
"""
import ipaddress
import pathlib
import sys

import kubernetes_validate
import yaml

policies = kustomizations = 0
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    documents = list(yaml.safe_load_all(path.read_text()))
    assert documents, f"{path}: no document"
    if path.name == "kustomization.yaml":
        (kustomization,) = documents
        assert kustomization["apiVersion"] == "kustomize.config.k8s.io/v1beta1", path
        assert kustomization["kind"] == "Kustomization", path
        beside = sorted(other.name for other in path.parent.glob("*.yaml") if other != path)
        assert kustomization["resources"] == beside, f"{path}: lists {kustomization['resources']}, not {beside}"
        kustomizations += 1
        continue
    for policy in documents:
        kubernetes_validate.validate(policy, kubernetes_validate.latest_version(), strict=True)
        assert (policy["apiVersion"], policy["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy"), path
        assert policy["metadata"]["namespace"] == path.parent.name, path
        assert policy["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "flowmap", path
        for rule in policy["spec"].get("ingress", []) + policy["spec"].get("egress", []):
            for peer in rule.get("from", []) + rule.get("to", []):
                block = peer.get("ipBlock", {})
                # strict: bits set right of the mask are an error
                network = block and ipaddress.ip_network(block["cidr"], strict=True)
                for part in block.get("except", []):
                    assert ipaddress.ip_network(part, strict=True).subnet_of(network), path
            for port in rule.get("ports", []):
                number = port.get("port", 1)
                assert isinstance(number, str) or 1 <= number <= port.get("endPort", number) <= 65535, path
        policies += 1
print(policies, kustomizations)
