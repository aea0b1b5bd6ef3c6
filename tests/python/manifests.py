"""Checks a folder of manifests: every document passes kubernetes-validate in its strict mode (no unknown field), and the
kustomization lists every other file. Prints the kinds in the order of the list.
"""
import pathlib
import sys

import kubernetes_validate
import yaml

folder = pathlib.Path(sys.argv[1])
kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
known = {"apiVersion", "kind", "resources", "namespace", "images"}
assert set(kustomization) <= known and kustomization["kind"] == "Kustomization", f"{set(kustomization) - known}"
files = {path.name for path in folder.iterdir()}
assert all(name.endswith(".yaml") or name.startswith("Dockerfile") for name in files), f"{files}: of what kind is it?"
beside = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
assert set(kustomization["resources"]) == beside, f"{kustomization['resources']}, not {beside}"
kinds = []
for name in kustomization["resources"]:
    for document in yaml.safe_load_all((folder / name).read_text()):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        kinds.append(document["kind"])
print(*kinds)
