#!/usr/bin/env bash
# Dynamo's standalone KV indexer, without the rest of Dynamo and its engines. install.sh VENV
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$1/bin/pip" install -q -r "$here/requirements.txt"
"$1/bin/pip" install -q --no-deps ai-dynamo-runtime==1.6.1
"$1/bin/python" -m dynamo.indexer --help >/dev/null
