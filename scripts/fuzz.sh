#!/usr/bin/env bash
# Fuzzes with AFL++, guided by coverage: scripts/fuzz.sh [TARGET...], all of them side by side where none is named.
#
#   FUZZ_SECONDS  how long; without it until it is stopped by Ctrl-C
#   FUZZ_SEED     the chance that AFL++ begins with; without it a new one, which is printed
#   FUZZ_FOLDER   where inputs are kept, also those found before; without it fuzz/ in cargo's target folder
#
# It goes on where it stopped last. Exit code 1 where an input breaks a target or takes longer than two seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

AFL=0.18.2 # the version of `afl` in fuzz/Cargo.lock: both must be the same
say() { echo "fuzz: $*" >&2; }

cargo afl --version 2>/dev/null | grep -q "$AFL" || cargo install --locked --force "cargo-afl@$AFL"
# its runtime is of one version of Rust; where it is there already, this fails
cargo afl config --build >/dev/null 2>&1 || true
target=$(cargo metadata --format-version 1 --no-deps | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
cargo afl build --release --locked --manifest-path fuzz/Cargo.toml --target-dir "$target/afl"
program=$target/afl/release/flowmap-fuzz
folder=${FUZZ_FOLDER:-$target/fuzz}
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}
[[ $# -gt 0 ]] || set -- pcap pcapng decode intake records names inventory policies suggest

# no terminal's picture, no advice about the machine; its own memory is bounded, so that what grows without bound is found
export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_AUTORESUME=1 AFL_NO_AFFINITY=1
export RAYON_NUM_THREADS=1
say "seed $seed; inputs in $folder"
running=()
for name in "$@"; do
    rm -rf "$folder/$name/seeds"
    "$program" "$name" --seeds "$folder/$name/seeds"
    cargo afl fuzz -i "$folder/$name/seeds" -o "$folder/$name" -s "$seed" ${FUZZ_SECONDS:+-V "$FUZZ_SECONDS"} \
        -t 2000 -m 1024 "$program" "$name" >"$folder/$name/log" 2>&1 &
    running+=($!)
done
trap 'kill "${running[@]}" 2>/dev/null || true' INT TERM
wait || true # where a signal ends it
wait
trap - INT TERM

figure() { sed -nE "s/^$2 +: //p" "$folder/$1/default/fuzzer_stats"; }
failed=0
for name in "$@"; do
    [[ -f $folder/$name/default/fuzzer_stats ]] || { say "$name did not start: $folder/$name/log"; exit 2; }
    say "$name: $(figure "$name" execs_done) inputs run, $(figure "$name" corpus_count) kept," \
        "$(figure "$name" edges_found) edges reached"
    while read -r input; do
        say "$name is broken by $input; again: $program $name <$input"
        failed=1
    done < <(find "$folder/$name/default" -path '*/crashes*/id*' -o -path '*/hangs*/id*') # also those of runs before
done
exit "$failed"
