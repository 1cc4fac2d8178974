"""Between the engine's tensors and Cairn: on a GPU, and over PyTorch's tensors on a CPU."""

import itertools

import cairn_trtllm
import pytest
import trtllm_stand_in
from cairn.conformance import World
from cairn.conformance.trtllm_engine import Request, RequestData, SchedulerOutput
from cairn.conformance.world import until
from daemons import running_cluster

try:
    import torch
except ImportError:
    torch = None

BLOCKS = 40
PAGES = 128
TOKENS = 16
SHAPE = (PAGES, 8, 2, 4096)
PROMPT = list(range(1000, 1000 + BLOCKS * TOKENS + 1))
NO_GPU = pytest.mark.skipif(
    torch is None or not torch.cuda.is_available(), reason="PyTorch finds no GPU"
)
pytestmark = pytest.mark.skipif(torch is None, reason="no PyTorch in this environment")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NO_GPU)])
def engine(request, cluster):
    trtllm_stand_in.install()
    engine = Engine(cluster, request.node.name, request.param)
    yield engine
    engine.close()


class Engine:
    """One rank. Its forward pass is a copy that its stream makes into the pages."""

    def __init__(self, cluster, name: str, device: str) -> None:
        self.pages = torch.zeros(SHAPE, dtype=torch.bfloat16, device=device)
        self.stream = torch.cuda.current_stream() if device == "cuda" else None
        world = World(name, 1, TOKENS)
        with cairn_trtllm.environment_of(cluster, name, CAIRN_STAGING_BYTES=str(64 << 20)):
            arguments = cairn_trtllm.llm_args(world)
            self.scheduler, (self.worker,) = cairn_trtllm.new_process(arguments, 1)
        self.worker.register_kv_caches(self.pages)
        self.scheduler.wait_for_initialization()
        sides = (self.scheduler._side, self.worker._side)
        until(lambda: all(side.is_connected for side in sides), "a connection")
        self.ids = itertools.count(1)

    def close(self) -> None:
        cairn_trtllm.close(self.scheduler, [self.worker])

    def step(self, data: RequestData | None = None, content=None) -> None:
        output = SchedulerOutput([data] if data else [])
        self.worker.bind_connector_meta(self.scheduler.build_connector_meta(output))
        self.worker.start_load_kv(self.stream)
        if data:
            self.pages[data.new_block_ids[:BLOCKS]] = content
        self.worker.wait_for_save(self.stream)

    def compute(self, content, first_page: int) -> None:
        request, ids = Request(next(self.ids), PROMPT), page_ids(first_page)
        assert self.scheduler.get_num_new_matched_tokens(request, 0) == (0, False)
        self.scheduler.update_state_after_alloc(request, ids)
        self.step(RequestData(request.request_id, PROMPT, ids, 0, len(PROMPT)), content)
        assert not self.scheduler.request_finished(request, ids)

    def load(self, first_page: int) -> None:
        request = until(self.offered, "an offer")
        self.scheduler.update_state_after_alloc(request, page_ids(first_page))
        self.step()
        asked = iter([[request.request_id]])
        loaded = lambda: self.worker.get_finished([], next(asked, []))[1]  # noqa: E731
        assert until(loaded, "the load") == [request.request_id]

    def offered(self) -> Request | None:
        request = Request(next(self.ids), PROMPT)
        tokens, _ = self.scheduler.get_num_new_matched_tokens(request, 0)
        if tokens == BLOCKS * TOKENS:
            return request
        self.scheduler.request_finished(request, [])
        return None


def page_ids(first: int) -> list[int]:
    return list(range(first, first + BLOCKS + 1))


def test_pages_come_back_though_they_were_given_away_at_once(engine):
    content = torch.randn((BLOCKS, *SHAPE[1:]), device=engine.pages.device).to(torch.bfloat16)
    engine.compute(content, 0)
    engine.pages[:] = 7  # the next owner's, queued right behind the step
    until(lambda: engine.worker._side.is_idle, "the saves' end")
    engine.load(60)
    assert torch.equal(engine.pages[60 : 60 + BLOCKS], content)
    rest = torch.cat([engine.pages[:60], engine.pages[60 + BLOCKS :]])
    assert (rest == 7).all(), "nothing else was touched"


def test_a_load_lands_behind_what_the_engine_had_queued(engine):
    """The pages' last owner may still be computing when they are allocated again."""
    content = torch.randn((BLOCKS, *SHAPE[1:]), device=engine.pages.device).to(torch.bfloat16)
    engine.compute(content, 0)
    until(lambda: engine.worker._side.is_idle, "the saves' end")
    if engine.stream is not None:
        torch.cuda._sleep(100_000_000)
    engine.pages[60:] = 3
    engine.load(60)
    assert torch.equal(engine.pages[60 : 60 + BLOCKS], content)
