#!/usr/bin/env bash
# debs.sh BUILD FOLDER [VERSION]: the Debian packages of a build, in FOLDER. VERSION: a test's, instead of
# the project's.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
build=$1 folder=$2

cairn=$build/server/cairn
version=${3:-$("$cairn" --version)}
# The date on the man pages and the changelog: that of the last change.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

generated=$build/packaging
rm -rf "$generated"
mkdir -p "$generated/completions" "$folder"
packaging/man_pages.py "$cairn" "$generated/man"
gzip -9n "$generated"/man/*
"$cairn" completion bash >"$generated/completions/cairn"
"$cairn" completion zsh >"$generated/completions/_cairn"
"$cairn" completion fish >"$generated/completions/cairn.fish"
sed "s/@VERSION@/$version/; s/@DATE@/$(date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")/" \
  packaging/changelog.in | gzip -9n >"$generated/changelog.gz"

cpack --config "$build/CPackConfig.cmake" -G DEB -B "$generated/deb" -D "CPACK_PACKAGE_VERSION=$version" >"$generated/cpack.log" ||
  { cat "$generated/cpack.log" && exit 1; } >&2
mv "$generated"/deb/*.deb "$folder"
