"""libcairn.so.1 by ctypes: the C ABI of client/cairn.h and nothing of our own.

ctypes releases the GIL for each call.
"""

import ctypes
import os
from ctypes import (
    POINTER,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path

from cairn.errors import CairnError

KEY_BYTES = 16
SONAME = "libcairn.so.1"


class Options(ctypes.Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("operations_max", c_uint32),
        ("coordinators", c_char_p),
        ("tenant_file", c_char_p),
        ("ca_file", c_char_p),
        ("certificate_file", c_char_p),
        ("key_file", c_char_p),
        ("ucx_tls", c_char_p),
        ("connect_timeout_ns", c_int64),
        ("lease_ns", c_int64),
        ("inflight_bytes_max", c_uint64),
        ("urgency", c_char_p),
    )


class NamespaceFields(ctypes.Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("block_bytes", c_uint32),
        ("model", c_char_p),
        ("model_digest", c_char_p),
        ("adapter_digest", c_char_p),
        ("kv_dtype", c_char_p),
        ("layout", c_char_p),
        ("hash_scheme", c_char_p),
        ("layers", c_uint32),
        ("kv_heads", c_uint32),
        ("head_size", c_uint32),
        ("tokens_per_block", c_uint32),
        ("tensor_parallel_rank", c_uint32),
        ("tensor_parallel_size", c_uint32),
        ("pipeline_rank", c_uint32),
        ("pipeline_size", c_uint32),
        ("cache_group", c_uint32),
        ("reserved", c_uint32),
    )


class Key(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_uint8 * KEY_BYTES),)


class Piece(ctypes.Structure):
    _fields_ = (("base", c_void_p), ("size_bytes", c_uint64))


class Extents(ctypes.Structure):
    _fields_ = (
        ("base_bytes", c_uint64),
        ("stride_bytes", c_uint64),
        ("count", c_uint32),
        ("size_bytes", c_uint32),
    )


class Transfer(ctypes.Structure):
    _fields_ = (
        ("key", Key),
        ("region", c_void_p),
        ("extents", POINTER(Extents)),
        ("tag", c_uint64),
        ("extents_count", c_uint32),
        ("position", c_uint32),
        ("parent", Key),
        ("run_key", Key),
        ("reserved", c_uint64 * 2),
    )


class Completion(ctypes.Structure):
    _fields_ = (
        ("tag", c_uint64),
        ("code", c_int32),
        ("reason", c_uint32),
        ("lease", c_uint64),
        ("blocks", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class PutHints(ctypes.Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("will_return", c_uint32),
        ("one_off", c_uint32),
        ("priority", c_int32),
    )


STATISTICS = (
    "gets",
    "get_hits",
    "get_bytes",
    "puts",
    "puts_stored",
    "put_bytes",
    "matches",
    "locates",
    "location_cache_hits",
    "reconnects",
    "fences",
    "checksum_failures",
    "late_arrivals_refused",
    "get_p50_ns",
    "get_p99_ns",
)


class StatisticsFields(ctypes.Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("reserved", c_uint32),
        *((name, c_uint64) for name in STATISTICS),
    )


_SIGNATURES = {
    "cairn_connect": (c_int, POINTER(Options), POINTER(NamespaceFields), POINTER(c_void_p)),
    "cairn_close": (None, c_void_p),
    "cairn_register_pieces": (c_int, c_void_p, POINTER(Piece), c_size_t, POINTER(c_void_p)),
    "cairn_unregister": (None, c_void_p),
    "cairn_make_keys": (c_int, c_void_p, c_char_p, c_size_t, c_size_t, POINTER(Key)),
    "cairn_run_start": (c_uint32, c_uint32),
    "cairn_match": (c_int, c_void_p, POINTER(Key), c_size_t, c_uint64, c_int64),
    "cairn_get": (c_int, c_void_p, POINTER(Transfer), c_size_t, c_uint64, c_int64),
    "cairn_put": (c_int, c_void_p, POINTER(Transfer), c_size_t, POINTER(PutHints), c_int64),
    "cairn_put_behind": (c_int, c_void_p, POINTER(Transfer), c_size_t, POINTER(PutHints), c_int64),
    "cairn_release": (None, c_void_p, c_uint64),
    "cairn_poll": (c_size_t, c_void_p, POINTER(Completion), c_size_t),
    "cairn_event_fd": (c_int, c_void_p),
    "cairn_prepare_to_sleep": (c_int, c_void_p),
    "cairn_advance": (
        *(c_size_t, POINTER(c_void_p), c_size_t, c_int, c_int64),
        *(POINTER(Completion), c_size_t, POINTER(c_size_t)),
    ),
    "cairn_ready": (c_int, c_void_p),
    "cairn_get_statistics": (c_int, c_void_p, POINTER(StatisticsFields)),
    "cairn_miss_reason_name": (c_char_p, c_uint32),
    "cairn_error": (c_char_p,),
    "cairn_version": (c_char_p,),
    "cairn_server_version": (c_char_p, c_void_p),
}


def _remedy(error: str) -> str:
    if error.startswith("libuc"):
        return (
            "Cairn moves blocks by UCX, 1.13 or later, which is the system's: apt install libucx0 "
            "(Debian, Ubuntu), dnf install ucx (Fedora, RHEL)"
        )
    return f"Install the cairn wheel, or set LIBCAIRN_PATH to the path of {SONAME}"


def _load(kind: type[ctypes.CDLL]) -> ctypes.CDLL:
    """LIBCAIRN_PATH names the file; else the one inside the wheel; else the system's."""
    beside = Path(__file__).with_name(SONAME)
    path = os.environ.get("LIBCAIRN_PATH") or (str(beside) if beside.exists() else SONAME)
    try:
        loaded = kind(path)
    except OSError as error:
        raise ImportError(f"{error}. {_remedy(str(error))}") from error
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype = result
        function.argtypes = arguments
    return loaded


library = _load(ctypes.CDLL)
# The same calls with the interpreter's lock held: for those of microseconds. To take the lock again
# costs 5 ms, a switch interval, where another thread computes.
brief = _load(ctypes.PyDLL)


def check(code: int) -> None:
    """Raises CairnError for a negated absl::StatusCode."""
    if code < 0:
        raise CairnError.from_code(-code, library.cairn_error().decode(errors="replace"))


def version() -> str:
    """Of libcairn.so."""
    return library.cairn_version().decode()
