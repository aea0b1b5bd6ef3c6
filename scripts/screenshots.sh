#!/usr/bin/env bash
# Pictures of the review page and of the report for docs/: of the sample, and of a made-up cluster of 300 workloads. Takes the program.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

review() { # name: pictures of the first page and of the map
  local name=$1 address pid
  "$program" review --listen 127.0.0.1:0 --author Ann -A > "$work/$name.address" 2> /dev/null &
  pid=$!
  until [ -s "$work/$name.address" ]; do sleep 0.1; done
  address=$(head -1 "$work/$name.address")
  node "$here/tests/browser/review_shots.mjs" "$address" "$here/docs" "$name" > /dev/null
  kill "$pid"
  wait "$pid" || true
}

report() { # name, arguments of suggest...: a picture of the first screen
  local name=$1
  shift
  "$program" suggest --out-dir "$work/$name" "$@" > /dev/null 2>&1
  node "$here/tests/browser/shot.mjs" "file://$work/$name/report.html" "$here/docs/$name.png" 1280 960 > /dev/null
}

cd "$work"
export FLOWMAP_DB=$work/small.db
"$program" import "$here"/samples/production/*.pcap > /dev/null 2>&1
"$program" inventory import "$here/samples/production/cluster.json" 2> /dev/null
review review-10
report report-10 -n production
export FLOWMAP_DB=$work/large.db
python3 "$here/scripts/made_up_cluster.py" 300 1200 "$work" --in-namespace 60 --nodes 1
"$program" import --sensor node-0 flows.csv > /dev/null 2>&1
"$program" inventory import cluster.json 2> /dev/null
review review-300
report report-300 -A
