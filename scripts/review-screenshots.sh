#!/usr/bin/env bash
# Pictures of the review page for docs/: of the sample, and of a shop of 300 workloads. Takes the program.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

picture() { # name, arguments of review...
  local name=$1 address pid
  shift
  "$program" review --listen 127.0.0.1:0 --author Ann "$@" > "$work/$name.address" 2> /dev/null &
  pid=$!
  until [ -s "$work/$name.address" ]; do sleep 0.1; done
  address=$(head -1 "$work/$name.address")
  node "$here/tests/browser/review_shots.mjs" "$address" "$here/docs" "$name" > /dev/null
  kill "$pid"
  wait "$pid" || true
}

cd "$work"
export FLOWMAP_DB=$work/small.db
"$program" import "$here"/samples/production/{node-1,node-2,pod-api}.pcap > /dev/null 2>&1
"$program" inventory import "$here/samples/production/cluster.json" 2> /dev/null
picture review-10 -A
export FLOWMAP_DB=$work/large.db
python3 "$here/scripts/large-shop.py"
"$program" import --sensor node-1 flows.csv > /dev/null 2>&1
"$program" inventory import cluster.json 2> /dev/null
picture review-300 -A
