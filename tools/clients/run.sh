#!/usr/bin/env bash
# Runs the example programs that Kubernetes' Go and Python clients are published with, unmodified, against a cluster.
# What they need from the network is what Go's own client and pip fetch. Never part of the product.
#
#   run.sh KUBECONFIG
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] || { echo "usage: $0 KUBECONFIG" >&2; exit 2; }
config=$(realpath "$1")
work=$(mktemp -d /tmp/knarr-clients-XXXXXX)
trap 'rm -rf "$work"' EXIT
# Where clients look when they are told nothing.
mkdir -p "$work/home/.kube"
cp "$config" "$work/home/.kube/config"
failed=0
check() { # what, text that its output must have, command…
  local what=$1 wanted=$2
  shift 2
  # Some go on until they are stopped: what they said is what counts.
  HOME="$work/home" "$@" >"$work/out" 2>&1 </dev/null || true
  if grep -q "$wanted" "$work/out"; then
    echo "ok    $what"
  else
    echo "FAIL  $what"
    cat "$work/out"
    failed=1
  fi
}

if command -v go >/dev/null; then
  cp "$here/../reference/go.mod" "$here/../reference/go.sum" "$work/"
  examples="create-update-delete-deployment dynamic-create-update-delete-deployment out-of-cluster-client-configuration workqueue leader-election"
  for name in $examples; do
    (cd "$work" && CGO_ENABLED=0 GOFLAGS=-mod=mod go build -o "$work/$name" "k8s.io/client-go/examples/$name")
  done
  # They wait for the Return key.
  check "Go: create-update-delete-deployment" "Deleted deployment" sh -c "yes '' | $work/create-update-delete-deployment"
  # Its deletion is in the foreground: the other program uses the same name.
  sleep 3
  check "Go: dynamic-create-update-delete-deployment" "Deleted deployment" sh -c "yes '' | $work/dynamic-create-update-delete-deployment"
  check "Go: out-of-cluster-client-configuration" "pods in the cluster" timeout 5 "$work/out-of-cluster-client-configuration"
  check "Go: workqueue" "Pod default/mypod does not exist anymore" timeout 10 "$work/workqueue" -kubeconfig "$config"
  check "Go: leader-election" "Successfully acquired lease" timeout -s INT 10 "$work/leader-election" \
    -kubeconfig "$config" -lease-lock-name knarr-clients -lease-lock-namespace default -id example
else
  echo "      Go is not installed: its examples are left out"
fi

python=${PYTHON:-python3}
if "$python" -c 'import kubernetes' 2>/dev/null; then
  example=$("$python" -c 'import kubernetes.leaderelection as m; print(m.__path__[0])')/example.py
  # The one line that its reader is asked to fill in.
  sed "s#config_file=r\"\"#config_file=r\"$config\"#" "$example" >"$work/example.py"
  check "Python: leaderelection/example.py" "I am leader" timeout -s INT 15 "$python" -u "$work/example.py"
else
  echo "      Python's kubernetes is not installed: its example is left out (pip install kubernetes; PYTHON=…)"
fi
exit $failed
