#!/usr/bin/env bash
# Builds a Kubernetes control plane into a folder: install.sh FOLDER. kubecp is the API server, the
# controller manager, the scheduler and kubectl in one program; etcd is their database; kwok plays the
# machines, on which containers only seem to run. Prometheus' operator adds its kinds, not itself. Twenty
# minutes of CPU, 250 MB; beside it some GB in Go's own cache.
set -euo pipefail
kubernetes=1.37.2
etcd=3.7.3
kwok=0.8.0
prometheus_operator=0.85.0

here=$(cd "$(dirname "$0")" && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
go=$(bash "$here/../go.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false

# module_file NAME@VERSION FIELD: a path that Go knows of a module, GoMod or Dir.
module_file() { "$go" mod download -json "$1" | sed -n "s/.*\"$2\": \"\\(.*\\)\".*/\\1/p"; }

# build PROGRAM PACKAGE [LINKER_FLAGS]: in the module of the working folder.
build() { "$go" build -trimpath -ldflags "-s -w ${3:-}" -o "$folder/$1" "$2"; }

# Kubernetes replaces its own libraries by folders of its source; each is published as v0.MINOR.PATCH.
build_control_plane() {
  local requirements version=k8s.io/component-base/version minor=${kubernetes#*.}
  requirements=$(module_file "k8s.io/kubernetes@v$kubernetes" GoMod)
  mkdir "$work/kubecp" && cd "$work/kubecp"
  cp "$here/main.go" .
  {
    echo "module kubecp"
    grep -E '^(go|godebug) ' "$requirements"
    echo "require k8s.io/kubernetes v$kubernetes"
    sed -nE "s#^[[:space:]]*(k8s.io/[a-z-]+) => ./staging/.*#replace \1 => \1 v0.$minor#p" "$requirements"
  } >go.mod
  "$go" mod tidy
  build kubecp . "-X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*}"
  ln -sf kubecp "$folder/kubectl"
}

# `go install` refuses etcd, whose go.mod replaces modules.
build_etcd() {
  mkdir "$work/etcd" && cd "$work/etcd"
  cat >go.mod <<MODULE
module etcd

go 1.26.0

tool go.etcd.io/etcd/server/v3

require go.etcd.io/etcd/server/v3 v$etcd
MODULE
  "$go" mod tidy
  build etcd go.etcd.io/etcd/server/v3
}

# kwok does to nodes and pods what its stages say, and brings stages only beside its source.
build_kwok() {
  local stages file
  GOBIN=$folder "$go" install -trimpath -ldflags "-s -w" "sigs.k8s.io/kwok/cmd/kwok@v$kwok"
  stages=$(module_file "sigs.k8s.io/kwok@v$kwok" Dir)/kustomize/stage
  for file in "$stages"/{node/fast,node/heartbeat-with-lease,pod/fast}/*.yaml; do
    [[ $file == */kustomization.yaml ]] || { echo --- && cat "$file"; }
  done >"$folder/kwok-stages.yaml"
}

copy_kinds() {
  local source
  source=$(module_file "github.com/prometheus-operator/prometheus-operator@v$prometheus_operator" Dir)
  cp "$source"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml "$folder"
  chmod u+w "$folder"/*.yaml
}

build_control_plane
build_etcd
build_kwok
copy_kinds
