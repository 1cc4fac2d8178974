#!/usr/bin/env bash
# What the tests of cairn.trtllm need beside a GPU: install.sh VENV. TensorRT-LLM itself is on no package
# index; a machine with a GPU and PyTorch of its own is used through --system-site-packages.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
sed -i 's/^include-system-site-packages = .*/include-system-site-packages = true/' "$1/pyvenv.cfg"
"$1/bin/python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"
