"""Lets the stock SGLang run on a CPU, HiCache included. Everything else of it is real.

SGLang's own plugin hook (entry points beside this file) calls install() in each of its processes,
before it binds the device's module. What stands in for the missing device: streams and events that
do nothing, memory that is not pinned, and the copies between its two pools, for each layout.

CAIRN_SHIM_FLIP names a file: while it exists, each page that is loaded from the host pool has one
bit flipped. CAIRN_SHIM_LOG names a file that gets a line of JSON for each call of our backend.
"""

import contextlib
import ctypes
import json
import os
import sys
import threading
import types

import torch

HEAD_BYTES = 64


class Event:
    def __init__(self, *_, **__):
        pass

    def record(self, *_):
        pass

    wait = synchronize = record

    def query(self):
        return True

    def elapsed_time(self, _):
        return 0.0


class Stream:
    def __init__(self, *_, **__):
        pass

    def synchronize(self, *_):
        pass

    wait_stream = wait_event = synchronize


def pages_of(pool, buffer, layer):
    """One layer of a host buffer as [page, token of the page, ...], a view whatever the layout."""
    pages, tokens = buffer_pages(pool), pool.page_size
    if pool.layout == "layer_first":
        return buffer[layer].unflatten(0, (pages, tokens))
    if pool.layout == "page_first":
        return buffer[:, layer].unflatten(0, (pages, tokens))
    if pool.layout == "page_first_direct":
        return buffer[:, layer]
    if pool.layout == "page_head":  # [page, head, token, layer, size]
        return buffer[:, :, :, layer].transpose(1, 2)
    raise NotImplementedError(f"the shim knows no layout {pool.layout}")


def buffer_pages(pool):
    return pool.size // pool.page_size


def to_host(pool, pairs, host_indices, device_indices):
    page, token = host_indices.long() // pool.page_size, host_indices.long() % pool.page_size
    for device_layers, buffer in pairs:
        for layer, device in enumerate(device_layers):
            view = pages_of(pool, buffer, layer)
            view[page, token] = device[device_indices.long()].reshape(-1, *view.shape[2:])


def to_device(pool, pairs, host_indices, device_indices, layer):
    page, token = host_indices.long() // pool.page_size, host_indices.long() % pool.page_size
    for device_layers, buffer in pairs:
        device = device_layers[layer]
        loaded = pages_of(pool, buffer, layer)[page, token].reshape(-1, *device.shape[1:])
        device[device_indices.long()] = flipped(loaded, pool.page_size)


def state_to_device(src, dst, src_indices, dst_indices, layer_id, *_, **__):
    dst[dst_indices.long()] = src[src_indices.long(), layer_id, 0]


def states_to_host(src_layers, dst, src_indices, dst_indices, *_, **__):
    for layer, states in enumerate(src_layers):
        dst[dst_indices.long(), layer, 0] = states[src_indices.long()]


def flipped(rows, page_tokens):
    if not os.path.exists(os.environ.get("CAIRN_SHIM_FLIP", "")):
        return rows
    rows = rows.clone()
    raw = rows.view(torch.uint8).reshape(len(rows), -1)
    raw[::page_tokens, 3] ^= 0x40  # an exponent's bit
    return rows


def install_device():
    """Before anything imports sglang.srt.managers.cache_controller."""
    vllm, operations = types.ModuleType("vllm"), types.ModuleType("vllm._custom_ops")
    vllm.__path__ = []
    operations.rotary_embedding = None  # imported, never called on a CPU
    sys.modules.setdefault("vllm", vllm)
    sys.modules.setdefault("vllm._custom_ops", operations)
    cpu = torch.cpu
    cpu.Event, cpu.Stream = Event, Stream
    cpu.stream = lambda *_: contextlib.nullcontext()
    cpu.current_stream = lambda *_: Stream()
    cpu.synchronize = lambda *_: None


def install_pools():
    from sglang.srt.mem_cache.pool_host import base, common, mamba, mha, mla

    for module in (common, base, mha, mla):
        for name in ("_cuda_host_register", "_cuda_host_unregister"):
            if hasattr(module, name):
                setattr(module, name, lambda *_, **__: None)

    def mha_pairs(pool):
        return ((pool.device_k_buffers, pool.k_buffer), (pool.device_v_buffers, pool.v_buffer))

    def mla_pairs(pool):
        return ((pool.device_kv_buffers, pool.kv_buffer),)

    for pool_class, pairs in (
        (mha.MHATokenToKVPoolHost, mha_pairs),
        (mla.MLATokenToKVPoolHost, mla_pairs),
    ):

        def backup(self, device_pool, host_indices, device_indices, io_backend, pairs=pairs):
            to_host(self, pairs(self), host_indices, device_indices)

        def load(
            self,
            device_pool,
            host_indices,
            device_indices,
            layer_id,
            io_backend,
            *,
            is_draft=False,
            pairs=pairs,
        ):
            to_device(self, pairs(self), host_indices, device_indices, layer_id)

        pool_class.backup_from_device_all_layer = backup
        pool_class.load_to_device_per_layer = load
    mamba.MambaPoolHost._copy_tensor_pf_lf = staticmethod(state_to_device)
    mamba.MambaPoolHost._copy_tensor_all_layers_lf_pf = staticmethod(states_to_host)


def install_log():
    from cairn.sglang import CairnHiCache

    lock = threading.Lock()

    def logged(name, call):
        def wrapper(self, keys, *rest):
            result = call(self, keys, *rest)
            line = {"call": name, "keys": keys, "result": result, "statistics": self.statistics()}
            if name == "batch_set_v1":
                line["heads"] = page_heads(self.mem_pool_host, rest[0], len(keys))
            with lock, open(os.environ["CAIRN_SHIM_LOG"], "a") as log:
                print(json.dumps(line), file=log)
            return result

        return wrapper

    for name in ("batch_exists", "batch_get_v1", "batch_set_v1"):
        setattr(CairnHiCache, name, logged(name, getattr(CairnHiCache, name)))


def page_heads(pool, host_indices, pages):
    """The first bytes of each page, by which a test finds it in Cairn's memory."""
    pointers, _ = pool.get_page_buffer_meta(host_indices)
    step = len(pointers) // pages
    return [ctypes.string_at(at, HEAD_BYTES).hex() for at in pointers[::step]]


def install():
    install_device()
    install_pools()
    if "CAIRN_SHIM_LOG" in os.environ:
        install_log()
