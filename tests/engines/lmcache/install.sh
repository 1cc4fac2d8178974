#!/usr/bin/env bash
# Puts LMCache into a virtual environment, as far as it runs on a CPU: install.sh VENV. Some 6 GB.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
pip=("$1/bin/python" -m pip install -q --disable-pip-version-check)
"${pip[@]}" -r "$here/requirements.txt"
"${pip[@]}" --no-deps lmcache==0.5.6
