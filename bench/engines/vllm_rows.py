"""What vLLM's connector costs its engine: ./dev bench --engine vllm [--json] [--only NAME...].

The first three rows have the real connector, real daemons and no model; the last one starts two
whole engines, one of them with a connector whose cluster is down.
"""

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "client" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "client" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "engines"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "engines" / "vllm"))

import numpy as np
import pytest
from cairn.connector import (
    Group,
    Identity,
    Job,
    KvTensor,
    Options,
    Rank,
    Statistics,
    Transfers,
    describe,
)
from cairn.connector.packed import Advance, PackedClient
from daemons import running_cluster
from row import Row

WAITING = 256  # requests
PROMPT_BLOCKS = 128
STEPS = 50
CALL_US_MAX = 1000.0  # of a single call
LAYERS = 32
BLOCK_TOKENS = 16
BLOCKS = 64  # of 2 MiB: 16 tokens of 32 layers with 8 heads of 128, in 16 bits


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def cluster() -> Iterator[object]:
    with (
        tempfile.TemporaryDirectory(prefix="cairn-bench-") as folder,
        running_cluster(Path(folder)) as running,
    ):
        yield running


class Worker:
    """A worker's tensors, one per layer, and its half of the connector; all blocks are stored."""

    def __init__(self, running: object) -> None:
        shape = (BLOCKS, 8, BLOCK_TOKENS, 256)
        self.layers = [
            np.random.default_rng(i).integers(0, 1 << 16, shape, np.uint16) for i in range(LAYERS)
        ]
        stride = tuple(step // 2 for step in self.layers[0].strides)
        tensors = [
            KvTensor(str(i), layer.ctypes.data, layer.shape, stride, 2, "bf16")
            for i, layer in enumerate(self.layers)
        ]
        self.layout = describe(tensors, blocks=BLOCKS, kv_heads=8, head_size=128)
        given = {"coordinators": running.coordinator, "tenant_file": running.tenant_file}
        self.options = Options.from_mapping({**given, "load_ms": 10_000, "save_ms": 10_000}, {})
        identity = Identity(
            model="bench",
            model_digest=bytes(32),
            hash_scheme="bench",
            tokens_per_block=BLOCK_TOKENS,
            salt={},
        )
        self.namespace = identity.namespace(self.layout, Rank())
        self.hashes = b"".join(i.to_bytes(32, "little") for i in range(BLOCKS))
        self.block_ids = tuple(range(BLOCKS))
        group = Group(self.layout, self.connect)
        self.transfers = Transfers([group], self.options, Statistics())
        while not self.transfers.is_connected:
            time.sleep(0.001)
        self.transfers.save(self.job())
        self._end()

    def connect(self) -> PackedClient:
        given = self.options
        return PackedClient(
            given.coordinators, self.namespace, given.tenant_file, **given.client_options()
        )

    def job(self) -> Job:
        return Job("bench", 0, self.hashes, 0, 0, self.block_ids)

    def _end(self) -> None:
        while not (ended := self.transfers.finished()):
            time.sleep(0.001)  # an engine asks once a step, which takes it longer
        assert all(job.ok for job in ended)

    def load(self) -> float:
        """Gigabytes a second into the layers, by the connector."""
        begun = time.perf_counter()
        self.transfers.load(self.job())
        self._end()
        return self.layout.block_bytes * BLOCKS / (time.perf_counter() - begun) / 1e9


class Direct:
    """The C client with the same tensors; what it is to do is prepared before the clock starts."""

    def __init__(self, worker: Worker) -> None:
        self.client = worker.connect()
        self.region = self.client.register(worker.layout.memory())
        self.keys = self.client.keys(worker.hashes, 32)
        self.extents = worker.layout.extents(worker.block_ids)
        self.bytes = worker.layout.block_bytes * BLOCKS
        self.advance = Advance(wake_fd=-1)

    def load(self) -> float:
        begun = time.perf_counter()
        batch = self.client.get(self.keys, self.extents, self.region, 10)
        while not batch.ended:
            self.advance([self.client], 0.1)
        assert not batch.reasons.any()
        return self.bytes / (time.perf_counter() - begun) / 1e9


def worker_row(rounds: int) -> Row:
    with cluster() as running:
        worker = Worker(running)
        direct = Direct(worker)
        row = Row("vllm_worker", "GB/s", "higher", 0.9)
        row.interleave(3 * rounds, worker.load, direct.load)
        worker.transfers.close()
        direct.client.close()
    return row


def python_row(rounds: int) -> Row:
    """Microseconds of Python for a block of a load: its job, extents, transfers, completion."""
    with cluster() as running:
        worker = Worker(running)
        client = worker.connect()
        region = client.register(worker.layout.memory())
        row = Row("python_per_block", "us", "lower", 1.0, baselines=[5.0])
        for _ in range(5 * rounds):
            row.values.append(_python_us(worker, client, region))
        worker.transfers.close()
        client.close()
    return row


class Instant:
    """In the C library's place: what is asked for has come at once, block by block."""

    def __init__(self, library: object) -> None:
        self._library = library
        self._tags: deque[int] = deque()

    def __getattr__(self, name: str) -> object:
        return getattr(self._library, name)

    def cairn_get(self, _handle, transfers, count, _lease, _until) -> int:
        self._tags.extend(range(transfers[0].tag, transfers[0].tag + count))
        return 0

    def cairn_poll(self, _handle, completions, _capacity) -> int:
        completions[0].tag, completions[0].reason = self._tags.popleft(), 0
        return 1


def _python_us(worker: Worker, client: PackedClient, region: object) -> float:
    """No byte is moved: all the time is Python's."""
    from cairn.connector import packed

    originals = packed.library, packed.brief
    packed.library = packed.brief = Instant(packed.library)
    try:
        begun = time.thread_time()
        job = worker.job()
        keys = client.keys(job.hashes, job.hash_bytes)
        extents = worker.layout.extents(job.block_ids)
        batch = client.get(keys, extents, region, 10)
        while not batch.ended:
            client.poll()
        taken_s = time.thread_time() - begun
    finally:
        packed.library, packed.brief = originals
    assert not batch.reasons.any()
    return taken_s / BLOCKS * 1e6


def scheduler_row(rounds: int) -> Row:
    """Microseconds for a waiting request in a step, until its answer came and afterwards."""
    from vllm_engine import Request, configuration

    with cluster() as running, tempfile.TemporaryDirectory() as model:
        Path(model, "config.json").write_text("{}")
        row = Row("vllm_scheduler", "us", "lower", 1.0, baselines=[20.0])
        longest_us = 0.0
        with scheduler(configuration(running, model)) as connector:
            for turn in range(rounds):
                waiting = [
                    Request(f"{turn}-{i}", [turn, i] + [7] * (16 * PROMPT_BLOCKS))
                    for i in range(WAITING)
                ]
                calls_us = [us for _ in range(STEPS) for us in _step_us(connector, waiting)]
                row.values.append(statistics.mean(calls_us))
                longest_us = max(longest_us, *calls_us)
                for request in waiting:
                    connector.request_finished_all_groups(request, ())
        say(f"vllm_scheduler: the longest call took {longest_us:.0f} us, bar {CALL_US_MAX:.0f}")
    return row


def _step_us(connector: object, waiting: list) -> list[float]:
    """Each request's call, and its share of the step's own."""
    taken = []
    for request in waiting:
        begun = time.perf_counter()
        connector.get_num_new_matched_tokens(request, 0)
        taken.append((time.perf_counter() - begun) * 1e6)
    nothing = SimpleNamespace(
        scheduled_new_reqs=[],
        scheduled_cached_reqs=SimpleNamespace(
            req_ids=[], resumed_req_ids=set(), new_block_ids=[], num_computed_tokens=[]
        ),
        num_scheduled_tokens={},
    )
    begun = time.perf_counter()
    connector.build_connector_meta(nothing)
    share = (time.perf_counter() - begun) * 1e6 / len(waiting)
    time.sleep(0.005)  # the model runs, and the lookups' thread
    return [us + share for us in taken]


@contextmanager
def scheduler(config: object) -> Iterator[object]:
    """Under stand-ins of vLLM's base classes, whose own want a model's process groups. Without
    Python's collector: it walks all that an engine holds, some ms, in whoever's call it is due."""
    import vllm_stand_in
    from vllm_engine import Engine

    with pytest.MonkeyPatch.context() as patch:
        vllm_stand_in.install(patch)
        engine = Engine(config).connected()
        gc.disable()
        yield engine.scheduler
        gc.enable()
        engine.close()


def down_row(rounds: int) -> Row:
    """Requests a second of a whole engine whose cluster is down, beside one without a connector."""
    import tiny_llama
    from cluster import Cluster
    from engines import PROMPTS, Engine, extra_config
    from steps import warm

    def per_second(engine: Engine) -> float:
        """The best of a few, for what else the machine does only takes away."""
        return len(PROMPTS["down"]) / min(warm(engine, "down").seconds for _ in range(4))

    with tempfile.TemporaryDirectory(prefix="cairn-bench-") as name:
        folder = Path(name)
        tiny_llama.write(folder / "model")
        nowhere = extra_config(Cluster(folder / "cluster"))
        with (
            Engine(folder / "model", folder / "with.log", "--cairn", nowhere) as down,
            Engine(folder / "model", folder / "without.log") as alone,
        ):
            for engine in (down, alone):
                per_second(engine)
            row = Row("vllm_cairn_down", "1/s", "higher", 0.98)
            row.interleave(2 * rounds, lambda: per_second(down), lambda: per_second(alone))
    return row


ROWS: dict[str, Callable[[int], Row]] = {
    "vllm_scheduler": scheduler_row,
    "vllm_worker": worker_row,
    "python_per_block": python_row,
    "vllm_cairn_down": down_row,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench --engine vllm", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=ROWS, default=list(ROWS))
    options = parser.parse_args()
    for name in options.only:
        row = ROWS[name](options.rounds)
        print(row.to_json() if options.json else row.to_text(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
