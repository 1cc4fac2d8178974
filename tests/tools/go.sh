#!/usr/bin/env bash
# Prints the path of a Go that is new enough for helm and Kubernetes: the installed one, or one that it
# fetches. Debian 12's is Go 1.19, which can fetch any release: each is a module like others, and is
# compared with Go's checksum database as such.
set -euo pipefail
wanted=1.26.8

installed=$(go env GOVERSION)
oldest=$(printf '%s\n' "${wanted%.*}" "${installed#go}" | sort -V | head -n 1)
if [[ $oldest == "${wanted%.*}" ]]; then
  command -v go
  exit
fi
module=golang.org/toolchain@v0.0.1-go$wanted.linux-$(go env GOARCH)
folder=$(GOFLAGS='' go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
# A module's files are not executable.
chmod -R u+wx "$folder/bin" "$folder/pkg/tool"
echo "$folder/bin/go"
