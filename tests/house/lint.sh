#!/usr/bin/env bash
# Every check that needs no run of ours. All are run; the exit status is 1 when any failed.
# lint.sh BUILD: a configured build folder, for clang-tidy's compile commands.
set -uo pipefail
build=$1

# clang-tidy takes ten seconds of CPU a file: this keeps lint under five minutes on two cores.
tidy_files_max=24

failed=0
report() {
  local name=$1 status=$2
  if ((status == 0)); then
    echo "lint: $name ok"
  else
    echo "lint: $name FAILED"
    failed=1
  fi
}

existing() {
  while read -r file; do
    if [[ -f $file ]]; then echo "$file"; fi
  done
}

# Files that git tracks or would track, by pattern.
files() { git ls-files -co --exclude-standard -- "$@" | existing; }

format_cpp() { files '*.h' '*.cc' '*.c' | xargs -r clang-format-22 --dry-run -Werror; }

shell_scripts() {
  files | while read -r file; do
    case $file in
      *.sh) echo "$file" ;;
      *)
        if head -c 64 "$file" | head -n 1 | grep -aEq '^#!.*\b(ba)?sh$'; then echo "$file"; fi
        ;;
    esac
  done
}
shell() { shell_scripts | xargs -r shellcheck; }

# Changed on this branch; on main itself, in its last commits. The newest first.
changed_sources() {
  local base head
  head=$(git rev-parse HEAD)
  base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || true)
  {
    git diff --name-only HEAD
    git ls-files -o --exclude-standard
    if [[ -z $base || $base == "$head" ]]; then
      git log --name-only --format= -n 20
    else
      git log --name-only --format= "$base..HEAD"
    fi
  } | grep -E '\.cc$' | awk '!seen[$0]++' | existing
}

# Only what the build knows how to compile (no fuzzers, no code for absent hardware).
tidy() {
  local sources
  mapfile -t sources < <(changed_sources | while read -r file; do
    if grep -qF "\"file\": \"$PWD/$file\"" "$build/compile_commands.json"; then echo "$file"; fi
  done)
  if ((${#sources[@]} > tidy_files_max)); then
    echo "lint: clang-tidy reads the $tidy_files_max newest of ${#sources[@]} changed files"
    sources=("${sources[@]:0:tidy_files_max}")
  fi
  ((${#sources[@]} == 0)) && return
  cmake --build "$build" --target cairn_proto_gen cairn_proto_grpc >/dev/null || return 1
  # A finding in a header comes once for each file that includes it.
  printf '%s\n' "${sources[@]}" |
    xargs -P "$(nproc)" -n 1 clang-tidy-22 -p "$build" --quiet 2>/dev/null | awk '!seen[$0]++'
}

format_cpp
report clang-format $?
python3 tests/house/floors.py .
report floors $?
shell
report shellcheck $?
build/venv/bin/ruff check -q .
report ruff $?
build/venv/bin/ruff format -q --check .
report "ruff format" $?
tidy
report clang-tidy $?
echo "lint: smells, for information"
python3 tests/house/smells.py .
exit "$failed"
