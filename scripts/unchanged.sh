#!/usr/bin/env bash
# Fails where a generated file or folder differs from what git holds: scripts/unchanged.sh PATH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
path=$1

# a clone that another user owns is looked at all the same; nothing in it is run
in_git() { git -c safe.directory='*' "$@"; }

if ! in_git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    echo "$path: skipped, there is no git repository to compare with"
    exit 0
fi
untracked=$(in_git ls-files --others --exclude-standard -- "$path")
if in_git --no-pager diff --exit-code -- "$path" && [[ -z $untracked ]]; then
    echo "$path is what the samples give"
    exit 0
fi
if [[ -n $untracked ]]; then printf 'new: %s\n' $untracked; fi
echo "$path has changed: look at the difference, and commit it where it is right" >&2
exit 1
