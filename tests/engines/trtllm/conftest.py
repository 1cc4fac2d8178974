"""cairn.trtllm over PyTorch's tensors. Without PyTorch, or without a GPU, tests say so and skip."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "client" / "python"))

from daemons import BUILD, ROOT

sys.path.insert(0, str(ROOT / "client" / "python"))
os.environ.setdefault("LIBCAIRN_PATH", str(BUILD / "client" / "libcairn.so.1"))
