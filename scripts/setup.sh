#!/usr/bin/env bash
# Installs what is missing, and nothing else: scripts/setup.sh build|test|samples|bench
#
#   build    what cargo needs besides Rust
#   test     what the tests need besides: Python with two packages in .venv, a browser with what drives it, and tools for
#            those that run as root
#   bench    the flow tools that `make bench` compares with
#   samples  the servers and tools that samples/production/make.sh runs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin:/sbin # not in everybody's PATH

say() { echo "setup: $*" >&2; }
fail() { say "$@"; exit 1; }

missing=()
need() { # need PACKAGE COMMAND...: the package is missing where the command fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
can_link_libpcap() {
    echo 'int pcap_findalldevs(void); int main(void) { return pcap_findalldevs(); }' | cc -x c - -lpcap -o /dev/null
}
has_browser() { [[ -x ${FLOWMAP_CHROMIUM:-/usr/bin/chromium} || -x /usr/bin/chromium-browser ]]; }
as_root() { if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi; }
may_install() { command -v apt-get >/dev/null && { [[ $EUID -eq 0 ]] || command -v sudo >/dev/null; }; }

install_missing() {
    [[ ${#missing[@]} -gt 0 ]] || return 0
    may_install || fail "missing: ${missing[*]} (names of Debian packages; on other systems install their like," \
        "such as libpcap-devel, gcc and pkgconf on Fedora)"
    say "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
    missing=()
}

build() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust, see https://rustup.rs"
    need build-essential cc --version
    need pkg-config pkg-config --version
    need libpcap-dev can_link_libpcap
    install_missing
}

components() {
    local component
    for component in fmt:rustfmt clippy:clippy; do
        cargo "${component%:*}" --version >/dev/null 2>&1 && continue
        command -v rustup >/dev/null || fail "cargo ${component%:*} is missing: install ${component#*:}"
        rustup component add "${component#*:}"
    done
}

python_environment() {
    local wanted=scripts/requirements.txt
    if cmp -s "$wanted" .venv/requirements.txt && .venv/bin/python -c 'import yaml, kubernetes_validate' 2>/dev/null; then
        return
    fi
    say "making .venv with $(grep -v '^#' "$wanted" | paste -sd ' ')"
    python3 -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" .venv/requirements.txt
}

# What drives the browser, in the versions of the lock file.
browser_driver() {
    local folder=tests/browser
    if ! { command -v node && command -v npm; } >/dev/null; then
        say "no Node.js: browser tests are skipped"
    elif ! cmp -s "$folder/package-lock.json" "$folder/node_modules/.flowmap-lock.json"; then
        say "installing what drives the browser"
        if (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error); then
            cp "$folder/package-lock.json" "$folder/node_modules/.flowmap-lock.json"
        else
            say "npm failed: browser tests are skipped"
        fi
    fi
}

test_() {
    need python3 python3 --version
    need python3-venv python3 -c 'import ensurepip, venv'
    install_missing
    # the tests say what they skip: as root those of networks need some, those of pages a browser and those of pictures dot
    need iproute2 ip -V
    need nftables nft --version
    need chromium has_browser
    need nodejs node --version
    need npm npm --version
    need graphviz dot -V
    need tcpdump tcpdump --version
    need util-linux setpriv --version
    need curl curl --version
    servers
    if [[ ${#missing[@]} -gt 0 ]] && ! may_install; then
        say "missing: ${missing[*]}; tests that need them are skipped"
        missing=()
    else
        install_stopped
    fi
    components
    python_environment
    browser_driver
}

bench() {
    need python3 python3 --version
    need softflowd command -v softflowd
    need nfdump command -v nfpcapd
    need argus-server command -v argus
    need tcpreplay command -v tcpreplay
    need tcpdump command -v tcpdump
    install_missing
}

servers() {
    need nginx-light nginx -v
    need dnsmasq-base dnsmasq --version
    need postgresql compgen -G '/usr/lib/postgresql/*/bin/postgres'
}

# Servers are to be installed, not started: maintainers' scripts ask this file first (invoke-rc.d(8)).
install_stopped() {
    [[ ${#missing[@]} -gt 0 ]] || return 0
    local policy=/usr/sbin/policy-rc.d
    if may_install && [[ ! -e $policy ]]; then
        trap 'as_root rm -f '"$policy" EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    install_missing
}

samples() {
    need iproute2 ip -V
    need nftables nft --version
    need tcpdump tcpdump --version
    need redis-server redis-server --version
    need python3 python3 --version
    need procps sysctl --version
    servers
    install_stopped
}

case ${1-} in
    build) build ;;
    test) test_ ;;
    samples) samples ;;
    bench) bench ;;
    *) fail "say what for: build, test, samples or bench" ;;
esac
