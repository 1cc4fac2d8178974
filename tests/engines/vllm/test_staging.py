"""KV caches that the NIC cannot reach, by way of host memory: copies of blocks in PyTorch's
tensors, on a GPU where there is one, and a real engine whose cache is staged in spite of lying in
host memory."""

import numpy as np
import pytest
import torch
from cairn.connector import KvTensor, describe
from cairn.connector.device import CudaStream, HostBlocks, HostStream, TorchBlocks
from engines import Engine, extra_config
from steps import FULL, check, computed, connect, warm

BLOCKS = 12
IDS, SLOTS = [7, 0, 11, 3], [2, 5, 0, 1]
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")

# Of a layer's tensor: how it is made, and which dimension counts blocks.
LAYOUTS = {
    "blocks first": (lambda made: made((BLOCKS, 2, 16, 2, 64)), 0),
    "keys and values first": (lambda made: made((2, BLOCKS, 16, 2, 64)), 1),
    "heads before tokens": (lambda made: made((BLOCKS, 2, 2, 16, 64)).transpose(2, 3), 0),
    "odd sizes": (lambda made: made((BLOCKS, 2, 16, 2, 63)), 0),
}


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NO_GPU)])
def device(request):
    return torch.device(request.param)


@pytest.fixture
def stream(device):
    return HostStream() if device.type == "cpu" else CudaStream(torch.cuda, device)


@pytest.fixture(params=LAYOUTS)
def layers(request, device):
    """Two of them, and where their blocks lie."""
    make, axis = LAYOUTS[request.param]
    seeds = iter(range(100))

    def made(shape: tuple[int, ...]) -> torch.Tensor:
        generator = torch.Generator().manual_seed(next(seeds))
        return torch.randn(shape, generator=generator).to(torch.bfloat16).to(device)

    tensors = [make(made) for _ in range(2)]
    described = [
        KvTensor(f"{i}", t.data_ptr(), tuple(t.shape), tuple(t.stride()), 2, "bfloat16", axis)
        for i, t in enumerate(tensors)
    ]
    return tensors, describe(described, blocks=BLOCKS, kv_heads=2, head_size=64), axis


def run(stream, copies) -> None:
    ended = stream.run(copies, stream.mark())
    stream.drain()
    assert ended()


def test_blocks_come_back_where_they_are_wanted_and_nowhere_else(layers, stream):
    tensors, layout, axis = layers
    blocks = TorchBlocks(tensors, layout)
    rows = torch.as_tensor(stream.allocate(8, layout.block_bytes))
    before = [tensor.clone() for tensor in tensors]
    run(stream, lambda: blocks.save(IDS, rows, SLOTS))
    targets = [1, 2, 4, 5]
    run(stream, lambda: blocks.load(targets, rows, SLOTS))
    for tensor, old in zip(tensors, before, strict=True):
        expected = old.clone()
        index = torch.tensor(targets, device=old.device)
        expected.index_copy_(axis, index, old.index_select(axis, index.new_tensor(IDS)))
        assert torch.equal(tensor, expected)


def test_a_blocks_bytes_lie_in_the_order_of_its_layout(layers, stream, device):
    """The order in which an engine whose memory the NIC reaches would store it."""
    if device.type != "cpu":
        pytest.skip("its layout is compared in host memory")
    tensors, layout, _ = layers
    blocks, reference = TorchBlocks(tensors, layout), HostBlocks(layout)
    rows = torch.as_tensor(stream.allocate(8, layout.block_bytes))
    direct = stream.allocate(8, layout.block_bytes)
    blocks.save(IDS, rows, SLOTS)
    reference.save(IDS, direct, SLOTS)
    assert np.array_equal(rows.numpy(), direct)
    assert direct[SLOTS].any()


def test_a_real_engine_whose_cache_is_staged_gives_the_same_tokens(
    folder, model, reference, cluster
):
    """By fewer slots than its loads want at once."""
    given = extra_config(cluster, staging_bytes=8 << 20)
    with Engine(model, folder / "staged.log", "--cairn", given, "--in-process") as engine:
        connect(cluster, engine)
        check(computed(engine, "staged"), reference, "staged")
        again = warm(engine, "staged")
        check(again, reference, "staged")
        assert again.cached == FULL["staged"], again.counters
        assert again.counters["cairn_hit_tokens"] >= FULL["staged"][0], again.counters
