#!/usr/bin/env bash
# Puts an SGLang that runs on a CPU into a virtual environment: install.sh VENV. Some 5 GB, a few minutes.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
pip=("$1/bin/python" -m pip install -q --disable-pip-version-check)
"${pip[@]}" -r "$here/requirements.txt"
"${pip[@]}" --no-deps sglang==0.5.23
