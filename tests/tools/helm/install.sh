#!/usr/bin/env bash
# Builds helm into a folder: install.sh FOLDER. Some minutes of CPU, 60 MB.
set -euo pipefail
version=3.22.0
kubernetes=37 # what `helm template` takes the cluster's version for, 1.20 unless told

folder=$(mkdir -p "$1" && cd "$1" && pwd)
go=$(bash "$(dirname "$0")/../go.sh")
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false GOBIN=$folder
flags="-s -w -X helm.sh/helm/v3/internal/version.version=v$version"
for package in chartutil lint/rules; do
  flags+=" -X helm.sh/helm/v3/pkg/$package.k8sVersionMajor=1"
  flags+=" -X helm.sh/helm/v3/pkg/$package.k8sVersionMinor=$kubernetes"
done
"$go" install -trimpath -ldflags "$flags" "helm.sh/helm/v3/cmd/helm@v$version"
