"""A vLLM without a model: the order of its calls over real memory, and a cluster.

A block's bytes are a function of the tokens up to its end, so that a wrong block is seen at once.
"""

import hashlib
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from patience import PATIENT

BLOCK_TOKENS = 16
LAYERS = 2
WAIT_S = 30


class Tensor:
    """What the connector asks of a torch tensor."""

    def __init__(self, array: np.ndarray, device: str = "cpu") -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = f"torch.{array.dtype}"
        self.device = SimpleNamespace(type=device)

    def data_ptr(self) -> int:
        return self.array.ctypes.data

    def stride(self) -> tuple[int, ...]:
        return tuple(step // self.array.itemsize for step in self.array.strides)

    def element_size(self) -> int:
        return self.array.itemsize


class Request:
    def __init__(
        self, request_id: str, tokens: list[int], lora: Any = None, salt: str = ""
    ) -> None:
        self.request_id = request_id
        self.all_token_ids = list(tokens)
        self.lora_request = lora
        self.block_hashes: list[bytes] = []
        self._salt = salt + (lora.name if lora else "")
        self.computed = 0
        self.grow([])

    @property
    def num_tokens(self) -> int:
        return len(self.all_token_ids)

    def grow(self, tokens: list[int]) -> None:
        self.all_token_ids += tokens
        while (len(self.block_hashes) + 1) * BLOCK_TOKENS <= self.num_tokens:
            end = (len(self.block_hashes) + 1) * BLOCK_TOKENS
            text = f"{self._salt}{self.all_token_ids[:end]}".encode()
            self.block_hashes.append(hashlib.sha256(text).digest())


class FullAttentionSpec:
    """Old versions tell the kind by the class's name, new ones here by `kind`."""

    block_size, num_kv_heads, head_size = BLOCK_TOKENS, 2, 64

    def __init__(self, kind: str) -> None:
        self.kind = kind


def configuration(cluster: Any, model: Any, **extra: Any) -> Any:
    given = {"coordinators": cluster.coordinator, "tenant_file": str(cluster.tenant_file)}
    given |= {**PATIENT, **extra}
    hf_config = SimpleNamespace(to_dict=lambda: {"_path": str(model), "layers": LAYERS})
    return SimpleNamespace(
        kv_transfer_config=SimpleNamespace(
            kv_connector_extra_config=given,
            kv_load_failure_policy="recompute",
            is_kv_producer=True,
            is_kv_consumer=True,
        ),
        model_config=SimpleNamespace(
            model=str(model),
            dtype="float32",
            quantization=None,
            hf_config=hf_config,
            use_mla=False,
            get_num_kv_heads=lambda parallel: 2,
            get_head_size=lambda: 64,
        ),
        cache_config=SimpleNamespace(
            block_size=BLOCK_TOKENS,
            prefix_caching_hash_algo="sha256",
            cache_dtype="auto",
            num_gpu_blocks=64,
        ),
        load_config=SimpleNamespace(load_format="auto"),
        parallel_config=SimpleNamespace(),
        kv_events_config=SimpleNamespace(enable_kv_cache_events=True),
    )


class Engine:
    """One rank. Blocks are given out in turn; block 0 is vLLM's null block."""

    def __init__(self, config: Any, blocks: int = 64, kinds: tuple[str, ...] = ("full_attention",)):
        from cairn.vllm import CairnConnector
        from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole

        self.memory = np.zeros((len(kinds), LAYERS, blocks, 2, BLOCK_TOKENS, 64), np.float32)
        self.tensors = {
            f"{group}.{layer}": Tensor(self.memory[group, layer])
            for group in range(len(kinds))
            for layer in range(LAYERS)
        }
        groups = [
            SimpleNamespace(
                layer_names=[f"{group}.{layer}" for layer in range(LAYERS)],
                kv_cache_spec=FullAttentionSpec(kind),
            )
            for group, kind in enumerate(kinds)
        ]
        self.caches = SimpleNamespace(num_blocks=blocks, kv_cache_groups=groups)
        self.scheduler = CairnConnector(config, KVConnectorRole.SCHEDULER, self.caches)
        self.worker = CairnConnector(config, KVConnectorRole.WORKER, self.caches)
        self.worker.register_kv_caches(self.tensors)
        handshake = self.worker.get_handshake_metadata()
        self.scheduler.set_xfer_handshake_metadata_pp_aware({(0, 0): handshake})
        self._free = list(range(1, blocks))
        self.tables: dict[str, list[list[int]]] = {}
        self.received: set[str] = set()
        self.failed: set[str] = set()
        self.invalid: set[int] = set()
        self.events: list[Any] = []

    def close(self) -> None:
        self.scheduler.shutdown()
        self.worker.shutdown()

    def connected(self) -> "Engine":
        lookups, transfers = self.scheduler._scheduler._lookups, self.worker._worker._transfers
        self.until(lambda: lookups.is_connected and transfers.is_connected)
        return self

    @staticmethod
    def until(condition: Any) -> Any:
        limit = time.monotonic() + WAIT_S
        while not (result := condition()):
            assert time.monotonic() < limit, "never came"
            time.sleep(0.001)
        return result

    def matched(self, request: Request, local: int = 0) -> int:
        """Asks in each step until the answer is known."""
        return self.until(lambda: self._matched(request, local))[0]

    def _matched(self, request: Request, local: int) -> tuple[int] | None:
        self.step()
        tokens, is_async = self.scheduler.get_num_new_matched_tokens(request, local)
        assert is_async == bool(tokens), "asynchronous exactly when there is something to load"
        return None if tokens is None else (tokens,)

    def allocate(self, request: Request, more: int = 0) -> None:
        """Room for all of its tokens, of which `more` are loaded."""
        tables = self.tables.setdefault(
            request.request_id, [[] for _ in self.caches.kv_cache_groups]
        )
        for table in tables:
            while len(table) * BLOCK_TOKENS < request.num_tokens:
                table.append(self._free.pop(0))
        blocks = SimpleNamespace(get_block_ids=lambda: tuple(list(table) for table in tables))
        self.scheduler.update_state_after_alloc(request, blocks, more)

    def free(self, request: Request) -> None:
        """The last freed are given out first: the worst for who still reads them."""
        for table in self.tables.pop(request.request_id, []):
            self._free = table + self._free

    def step(self, new: Request | None = None, cached: Request | None = None) -> None:
        """One step of the engine that computes all of one request, or nothing."""
        request = new or cached
        tokens = request.num_tokens - request.computed if request else 0
        scheduled = self._scheduled(new, cached, tokens)
        metadata = self.scheduler.build_connector_meta(scheduled)
        self.worker.handle_preemptions(metadata)
        self.worker.bind_connector_metadata(metadata)
        if request:
            self._compute(request, request.computed, request.num_tokens)
            request.computed = request.num_tokens
        self.worker.start_load_kv(None)
        self.worker.wait_for_save()
        self._report(self.worker.get_transfer_results(set()))

    def _report(self, results: Any) -> None:
        output = SimpleNamespace(
            finished_recving=results.finished_recving,
            failed_recving=results.failed_recving,
            invalid_block_ids=self.worker.get_block_ids_with_load_errors(),
            kv_connector_worker_meta=self.worker.build_connector_worker_meta(),
        )
        self.scheduler.update_connector_output(output)
        self.received |= results.finished_recving
        self.failed |= results.failed_recving
        self.invalid |= output.invalid_block_ids
        self.events += self.scheduler.take_events()

    def _scheduled(self, new: Request | None, cached: Request | None, tokens: int) -> Any:
        first = (
            [
                SimpleNamespace(
                    req_id=new.request_id,
                    block_ids=tuple(self.tables[new.request_id]),
                    num_computed_tokens=new.computed,
                )
            ]
            if new
            else []
        )
        again = SimpleNamespace(
            req_ids=[cached.request_id] if cached else [],
            resumed_req_ids=set(),
            new_block_ids=[None],
            num_computed_tokens=[cached.computed] if cached else [],
        )
        counts = {r.request_id: tokens for r in (new, cached) if r}
        return SimpleNamespace(
            scheduled_new_reqs=first, scheduled_cached_reqs=again, num_scheduled_tokens=counts
        )

    def _compute(self, request: Request, begin: int, end: int) -> None:
        for group, table in enumerate(self.tables[request.request_id]):
            for position in range(begin // BLOCK_TOKENS, end // BLOCK_TOKENS):
                self.memory[group, :, table[position]] = self.value(request, group, position)

    def value(self, request: Request, group: int, position: int) -> float:
        end = (position + 1) * BLOCK_TOKENS
        text = f"{group}{request._salt}{request.all_token_ids[:end]}".encode()
        return float(int.from_bytes(hashlib.sha256(text).digest()[:2], "little") + 1)

    def holds(self, request: Request, count: int) -> bool:
        """The request's first blocks are what computing them would have given."""
        return all(
            (self.memory[group, :, table[position]] == self.value(request, group, position)).all()
            for group, table in enumerate(self.tables[request.request_id])
            for position in range(count)
        )

    def finish(self, request: Request) -> None:
        delayed, parameters = self.scheduler.request_finished_all_groups(request, ())
        assert (delayed, parameters) == (False, None)
        self.free(request)

    def run(self, request: Request) -> int:
        """Through all of it; returns the tokens that were loaded. Asserts every byte."""
        more = self.matched(request)
        self.allocate(request, more)
        if more:
            self.until(lambda: self.step() or request.request_id in self.received)
            assert not self.invalid and request.request_id not in self.failed
            assert self.holds(request, more // BLOCK_TOKENS)
            request.computed = more
            self.allocate(request)
        self.step(new=request)
        self.finish(request)
        self.settle()
        return more

    def settle(self) -> None:
        """Until all saves have ended."""
        transfers = self.worker._worker._transfers
        transfers.fence()
        self.until(lambda: transfers.is_idle)
        self.step()
