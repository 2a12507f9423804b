#!/usr/bin/env bash
# The set-up, without questions: npm dependencies from the lock file, the Debian packages that a node needs,
# the bundled command and the texts of `kubectl explain`. Skips what is there and says nothing about it.
# `setup.sh npm`: the npm dependencies alone. `setup.sh test`: what tests need, too.
set -euo pipefail
cd "$(dirname "$0")/.."
# One set-up at a time: whoever waits finds everything done.
if command -v flock >/dev/null 2>&1; then exec 9<. && flock 9; fi

# ── npm dependencies, including the pinned Node.js ──
if ! cmp -s package-lock.json node_modules/.knarr-lock 2>/dev/null; then
  echo "Installing npm dependencies" >&2
  if ! log=$(npm ci --no-audit --no-fund --loglevel=error 2>&1); then
    printf '%s\n' "$log" | head -20 >&2
    echo "Cannot install the npm dependencies: see above. Is a package registry reachable?" >&2
    exit 1
  fi
  cp package-lock.json node_modules/.knarr-lock
fi
if [ "${1-}" = npm ]; then exit 0; fi

# ── Debian packages ──
needed="" # program:package
for pair in containerd:containerd runc:runc nft:nftables ip:iproute2 conntrack:conntrack; do
  PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null 2>&1 || needed="$needed ${pair##*:}"
done
[ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ] || needed="$needed containernetworking-plugins"
{ [ -x /bin/busybox ] || [ -x /usr/bin/busybox ]; } || needed="$needed busybox-static"
if [ -n "$needed" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "A node needs these Debian packages, which are missing:$needed" >&2
    echo "Install them as root (apt-get install$needed), or whatever your distribution calls them, and try again." >&2
    exit 1
  fi
  echo "Installing Debian packages:$needed" >&2
  # The packaged services must not start: each node starts a containerd of its own.
  policy=/usr/sbin/policy-rc.d
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && trap 'rm -f "$policy"' EXIT; }
  export DEBIAN_FRONTEND=noninteractive
  install_packages() { apt-get install -y -qq --no-install-recommends $needed; }
  if ! log=$(install_packages 2>&1) && ! log=$({ apt-get update -qq && install_packages; } 2>&1); then
    printf '%s\n' "$log" | tail -20 >&2
    echo "Cannot install the Debian packages:$needed" >&2
    exit 1
  fi
fi

# ── the etcd that the store's tests ask: Debian's, unpacked beside the dependencies and not installed ──
etcd=node_modules/.cache/etcd-server
if [ "${1-}" = test ] && ! command -v etcd >/dev/null 2>&1 && [ ! -x $etcd/usr/bin/etcd ]; then
  echo "Unpacking the Debian package etcd-server" >&2
  rm -rf $etcd && mkdir -p $etcd
  fetch_etcd() { (cd $etcd && apt-get download -qq etcd-server); }
  if ! log=$(fetch_etcd 2>&1) && ! log=$({ apt-get update -qq && fetch_etcd; } 2>&1); then
    printf '%s\n' "$log" | tail -5 >&2
    echo "Cannot fetch the Debian package etcd-server: tests on a real etcd need it, or an etcd in PATH" >&2
    exit 1
  fi
  dpkg -x $etcd/*.deb $etcd && rm -f $etcd/*.deb
fi

# ── the bundle ──
if [ ! -e dist/knarr.mjs ] || [ -n "$(find packages tools/bundle.ts tools/bundle-options.ts package-lock.json -newer dist/knarr.mjs \( -name '*.ts' -o -name '*.sh' -o -name package-lock.json \) -print -quit)" ]; then
  node_modules/.bin/node tools/bundle.ts
fi

# ── the texts of `kubectl explain` ──
node_modules/.bin/node tools/docs.ts
