#!/usr/bin/env bash
# Shows flowmap at work on samples/production, with a store of its own that is gone afterwards. Run by `make demo`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export FLOWMAP_DB=$scratch/flowmap.db

step() { # step WHY COMMAND: prints both as a person would type them, then runs the command
    printf '\n# %s\n$ %s\n' "$1" "$2"
    bash -euo pipefail -c "$2" 2>&1
}

step "the same minute, captured on two nodes and in one pod" \
    "flowmap import samples/production/*.pcap"
step "who is who: what kubectl get ... -A -o json printed" \
    "flowmap inventory import samples/production/cluster.json"
step "who depends on whom" \
    "flowmap flows"
step "who does the same job, and where it stands" \
    "flowmap tiers"
step "least-privilege policies, held against what was seen" \
    "flowmap suggest --namespace production"
step "one of them, with its evidence" \
    "cat policies-out/production/web.yaml"
step "what would they break?" \
    "flowmap simulate policies-out/"
step "was it a policy? which one? what should it have said?" \
    "flowmap explain production/web production/db 5432 --policies policies-out/ || true"
