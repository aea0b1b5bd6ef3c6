"""Answers questions about NetworkPolicies with an evaluator that is not flowmap's.

    npeval_answers.py FOLDER_OF_NPEVAL CASES

CASES is a file of JSON lines, each with "objects", "ipblock_matches_pods" and "probes" of (from, to, protocol, port).
Prints for each case one line of 0 and 1, a digit a probe.
"""
import json
import sys

sys.path.insert(0, sys.argv[1])
import npeval  # noqa: E402

with open(sys.argv[2]) as cases:
    for line in cases:
        case = json.loads(line)
        model = npeval.Model(case["objects"], ipblock_matches_pods=case["ipblock_matches_pods"])
        known = {}

        def ports(source, target):
            if (source, target) not in known:
                find = lambda name: model.workloads.get(f"{name}[Pod]") or (int(npeval.ipaddress.ip_address(name)),) * 2
                known[source, target] = model.conn(find(source), find(target))
            return known[source, target]

        def allowed(source, target, protocol, port):
            return any(first <= port <= last for first, last in ports(source, target).get(protocol, []))

        print("".join("01"[allowed(*probe)] for probe in case["probes"]))
