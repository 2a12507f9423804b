#!/usr/bin/env bash
# Builds, with Go's own client, what the benchmarks and conformance runs compare Knarr with: the published
# Kubernetes of the release in go.mod, etcd, and upstream's tests. Never part of the product.
#
#   build.sh control-plane   kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, etcd (about 7 min)
#   build.sh e2e             upstream's tests and their image programs (about 5 min)
#
# Prints the folder of the programs: $KNARR_REFERENCE/bin, default ~/.cache/knarr-reference/bin.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${KNARR_REFERENCE:-$HOME/.cache/knarr-reference}
bin=$root/bin
version=$(awk '$2 == "k8s.io/kubernetes" { print $3 } $1 == "k8s.io/kubernetes" { print $2 }' "$here/go.mod" | head -1)
etcd=v3.7.3
command -v go >/dev/null || { echo "Go is needed to build the reference (Debian: apt-get install golang)" >&2; exit 1; }
mkdir -p "$bin" "$root/kubernetes" "$root/etcd"
cp "$here/go.mod" "$here/go.sum" "$root/kubernetes/"
export CGO_ENABLED=0 GOFLAGS="-mod=mod -buildvcs=false -trimpath"
stamp="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  stamp="$stamp -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
done

make_one() { # program, folder, go arguments…
  local program=$1 folder=$2
  shift 2
  [ -x "$bin/$program" ] && return
  echo "Building $program" >&2
  (cd "$root/$folder" && go "$@" >&2)
}

case ${1:-} in
control-plane)
  for program in kubectl kube-apiserver kube-controller-manager kube-scheduler; do
    make_one $program kubernetes build -ldflags "$stamp" -o "$bin/$program" "k8s.io/kubernetes/cmd/$program"
  done
  if [ ! -e "$root/etcd/go.mod" ]; then
    (cd "$root/etcd" && go mod init knarr-reference-etcd && go get "go.etcd.io/etcd/server/v3@$etcd" "go.etcd.io/etcd/etcdctl/v3@$etcd") >&2
  fi
  make_one etcd etcd build -ldflags "-s -w" -o "$bin/etcd" go.etcd.io/etcd/server/v3
  make_one etcdctl etcd build -ldflags "-s -w" -o "$bin/etcdctl" go.etcd.io/etcd/etcdctl/v3
  ;;
e2e)
  make_one e2e.test kubernetes test -c -vet=off -ldflags "$stamp" -o "$bin/e2e.test" k8s.io/kubernetes/test/e2e
  make_one agnhost kubernetes build -ldflags "$stamp" -o "$bin/agnhost" k8s.io/kubernetes/test/images/agnhost
  make_one resource-consumer kubernetes build -ldflags "$stamp" -o "$bin/resource-consumer" k8s.io/kubernetes/test/images/resource-consumer
  make_one consume-cpu kubernetes build -ldflags "$stamp" -o "$bin/consume-cpu" k8s.io/kubernetes/test/images/resource-consumer/consume-cpu
  make_one ginkgo kubernetes build -o "$bin/ginkgo" github.com/onsi/ginkgo/v2/ginkgo
  make_one sample-apiserver kubernetes build -ldflags "$stamp" -o "$bin/sample-apiserver" k8s.io/sample-apiserver
  ;;
*)
  sed -n '2,9p' "$0"
  exit 2
  ;;
esac
echo "$bin"
