# flowmap's tasks; `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# One task after the other, also with -j: cargo is parallel by itself, and several tasks write the same folders.
.NOTPARALLEL:
# cargo would look for a job server that is not handed down to it, and warn.
unexport MAKEFLAGS MFLAGS

PREFIX ?= /usr/local

# Where cargo puts what it builds, also where CARGO_TARGET_DIR or a configuration file names another folder.
target = $(shell cargo metadata --format-version 1 --no-deps | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
# cargo-nextest where it is installed, else cargo's own runner; documentation is tested on its own.
# Tests of daemons and browsers wait more than they work: two more than there are cores leave none of these idle.
runner = $(if $(shell command -v cargo-nextest),cargo nextest run --locked -j $$(( $$(nproc) + 2 )),cargo test --locked --lib --bins --tests)

.PHONY: help
help: ## list the tasks
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 26

# --- get ready --------------------------------------------------------------------------------------------------------

.PHONY: setup setup-build setup-test
setup: setup-test ## install what building and testing need and this machine lacks (Debian, Ubuntu)

setup-build: ## the same for building alone
	@scripts/setup.sh build

setup-test: setup-build ## the same for testing alone
	@scripts/setup.sh test

# --- build ------------------------------------------------------------------------------------------------------------

.PHONY: build release install man completions
build: setup-build ## build for development
	cargo build --locked

release: setup-build ## build for use
	cargo build --release --locked

install: release man completions ## install below PREFIX (/usr/local), with man page and completions
	install -D -m 755 "$(target)/release/flowmap" "$(DESTDIR)$(PREFIX)/bin/flowmap"
	install -D -m 644 "$(target)/gen/flowmap.1" "$(DESTDIR)$(PREFIX)/share/man/man1/flowmap.1"
	install -D -m 644 "$(target)/gen/flowmap.bash" "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/flowmap"
	install -D -m 644 "$(target)/gen/_flowmap" "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_flowmap"
	install -D -m 644 "$(target)/gen/flowmap.fish" "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/flowmap.fish"

man: ## write the man page into the target folder
	mkdir -p "$(target)/gen"
	cargo run --quiet --locked -- gen man > "$(target)/gen/flowmap.1"

completions: ## write completions for bash, zsh and fish there
	mkdir -p "$(target)/gen"
	cargo run --quiet --locked -- gen completions bash > "$(target)/gen/flowmap.bash"
	cargo run --quiet --locked -- gen completions zsh > "$(target)/gen/_flowmap"
	cargo run --quiet --locked -- gen completions fish > "$(target)/gen/flowmap.fish"

# --- see it work ------------------------------------------------------------------------------------------------------

.PHONY: demo policies-out picture screenshots samples
demo: build ## from the sample captures to reviewed policies, in a store that is thrown away
	@PATH="$(target)/debug:$$PATH" scripts/demo.sh

policies-out: build ## write policies-out/ anew from the samples
	"$(target)/debug/flowmap" suggest --namespace production \
		--from samples/production/*.pcap --inventory samples/production/cluster.json

picture: build ## draw docs/demo.svg anew: a terminal with the true output
	PATH="$(target)/debug:$$PATH" python3 scripts/picture.py docs/demo.svg

screenshots: build ## take the pictures of the review page and of the report in docs/ anew, in a real browser
	scripts/screenshots.sh "$(target)/debug/flowmap"

samples: ## capture samples/production anew from real servers; needs root, takes a minute
	@scripts/setup.sh samples
	$(if $(filter 0,$(shell id -u)),,sudo) samples/production/make.sh

# --- measure ----------------------------------------------------------------------------------------------------------

.PHONY: bench
# Captures are kept from one run to the next.
bench: release ## time imports beside softflowd, nfpcapd and argus, on three captures of millions of packets
	@scripts/setup.sh bench
	cargo bench --locked --bench packets
	FLOWMAP_BENCH_RUNS=$${FLOWMAP_BENCH_RUNS:-3} python3 scripts/bench.py "$(target)/release/flowmap" \
		"$$(ls -t $(target)/release/deps/packets-* | grep -v '\.d$$' | head -n 1)" "$(target)/bench"

.PHONY: bench-connections
bench-connections: setup-build ## measure what a million connections at one time take; fails above 150 MB
	cargo bench --locked --no-default-features --bench connections

.PHONY: bench-policy
bench-policy: setup-build ## time verdicts: recorded connections, and all pairs of 100,000 pods
	cargo bench --locked --no-default-features --bench policy

.PHONY: bench-inventory
bench-inventory: setup-build ## time the inventory on 100,000 pods with a day of churn
	cargo bench --locked --bench inventory

.PHONY: bench-tiers
bench-tiers: setup-build ## time roles and tiers of 100,000 endpoints with 10 million calls
	cargo bench --locked --no-default-features --bench tiers

.PHONY: bench-recommend
bench-recommend: setup-build ## time policies for 100,000 pods from 10 million dependencies; fails above a minute or 4 GB
	cargo bench --locked --no-default-features --bench recommend

.PHONY: bench-report
bench-report: setup-test ## size and opening time of the report of 1,000 workloads in Chromium; fails above 5 MB or 2 s
	cargo build --release --locked
	python3 scripts/bench_report.py "$(target)/release/flowmap" "$(target)/bench/report"

.PHONY: bench-live
bench-live: setup-build ## what a live capture costs beside others, in network namespaces; needs root, tcpreplay, tcpdump, softflowd
	@scripts/setup.sh bench
	cargo build --release --locked
	$(if $(filter 0,$(shell id -u)),,sudo) python3 scripts/bench_live.py "$(target)/release/flowmap"

.PHONY: soak
soak: setup-build ## an hour of steady load on a capture: memory must be flat, nothing dropped; SOAK_MINUTES, SOAK_PPS; needs root
	@scripts/setup.sh bench
	cargo build --release --locked
	$(if $(filter 0,$(shell id -u)),,sudo) env SOAK_MINUTES=$${SOAK_MINUTES:-60} SOAK_PPS=$${SOAK_PPS:-30000} \
		python3 scripts/soak.py "$(target)/release/flowmap"

.PHONY: scenarios
scenarios: setup ## replay the applications with ten seeds, all with noise, and have an independent judge look at the policies
	FLOWMAP_SEEDS=10 cargo test --locked --test suggest scenarios:: -- --nocapture

# --- check ------------------------------------------------------------------------------------------------------------

.PHONY: test lint check-policies-out check-picture
# The runner comes last, so that its summary closes the output.
test: setup lint check-policies-out check-picture ## everything that must hold before a commit
	cargo test --doc --locked
	@rm -f "$(target)/tmp/skipped"
	$(runner)
	@sort -u "$(target)/tmp/skipped" 2>/dev/null || echo "no test was skipped"

lint: ## format, lints, links in the documentation, licences, and the pure rooms built alone
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo check --lib --no-default-features --locked
	RUSTDOCFLAGS="-D warnings" cargo doc --lib --no-deps --document-private-items --locked
	@cargo metadata --locked --format-version 1 | python3 scripts/licences.py
	@cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null # its lock file is a part of the clone

check-policies-out: policies-out ## fail where policies-out/ is not what the samples give
	@scripts/unchanged.sh policies-out/

check-picture: picture ## fail where docs/demo.svg does not show what flowmap prints
	@scripts/unchanged.sh docs/demo.svg

.PHONY: unit
unit: build ## start the unit of systemd under a systemd of its own, and look at what it promises; needs root, takes two minutes
	$(if $(filter 0,$(shell id -u)),,sudo) scripts/unit.sh "$(target)/debug/flowmap"

.PHONY: differential
differential: setup-test ## 20,000 random clusters and policies against an evaluator that is not flowmap's
	FLOWMAP_CASES=20000 cargo test --locked --test verdicts differential:: -- --nocapture
	FLOWMAP_CASES=2000 cargo test --locked --test verdicts tiers:: -- --nocapture

.PHONY: fuzz
fuzz: setup-build ## look for inputs that break a format, guided by coverage: FUZZ_SECONDS (else until stopped), FUZZ="pcap decode"
	@scripts/fuzz.sh $(FUZZ)

.PHONY: accuracy
accuracy: setup-build ## measure how often flowmap judges right, and write docs/accuracy.md; needs the captures
	cargo build --locked
	PYTHON="$$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)" cargo run --locked --example accuracy

.PHONY: clean
clean: ## remove what was built and the Python environment
	cargo clean
	rm -rf .venv
