"""Layouts against a slow model that walks every element of a block."""

import itertools

import numpy as np
import pytest
from cairn.connector import KvTensor, Refusal, describe

BLOCKS = 6


def kv_tensor(name: str, array: np.ndarray, block_axis: int = 0) -> KvTensor:
    stride = tuple(step // array.itemsize for step in array.strides)
    dtype = str(array.dtype)
    return KvTensor(name, array.ctypes.data, array.shape, stride, array.itemsize, dtype, block_axis)


def described(arrays: list[np.ndarray], **options):
    axis = options.pop("block_axis", 0)
    tensors = [kv_tensor(f"layer.{i}", array, axis) for i, array in enumerate(arrays)]
    options = {"blocks": BLOCKS, "kv_heads": 2, "head_size": 64, **options}
    return describe(tensors, **options)


def bytes_by_extents(layout, block_id: int) -> bytes:
    """As the library reads them: through the buffers, as if concatenated."""
    memory = layout.memory()
    views = memory if isinstance(memory, list) else [memory]
    whole = b"".join(bytes(view) for view in views)
    (row,) = layout.extents([block_id])
    pieces = []
    for base, stride, count, size in row.tolist():
        pieces += [whole[at : at + size] for at in (base + i * stride for i in range(count))]
    return b"".join(pieces)


def bytes_by_elements(arrays: list[np.ndarray], block_id: int, parts: int = 1) -> bytes:
    """Each layer's part of the block, element by element, in the order of memory."""
    out = []
    for array in arrays:
        part = array[block_id * parts : (block_id + 1) * parts]
        step, at = part.strides, part.__array_interface__["data"][0]
        places = {
            at + sum(i * s for i, s in zip(index, step, strict=True)): index
            for index in itertools.product(*map(range, part.shape))
        }
        out += [part[places[place]].tobytes() for place in sorted(places)]
    return b"".join(out)


def random(*shape: int, dtype=np.float32) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 100, shape).astype(dtype)


def head_major(layers: int = 3) -> list[np.ndarray]:
    return [random(BLOCKS, 2, 8, 64) + i for i in range(layers)]


def in_one_allocation() -> list[np.ndarray]:
    whole = random(3, BLOCKS, 2, 8, 64)
    return list(whole)


def by_blocks() -> list[np.ndarray]:
    """All layers of a block together."""
    whole = random(BLOCKS, 3, 2, 8, 64)
    return [whole[:, layer] for layer in range(3)]


def permuted() -> list[np.ndarray]:
    """Logically [block, head, token, size], in memory [block, token, head, size]."""
    return [array.transpose(0, 2, 1, 3) for array in (random(BLOCKS, 8, 2, 64) for _ in range(3))]


def with_gaps() -> list[np.ndarray]:
    """Rows that are longer in memory than they are used."""
    return [random(BLOCKS, 2, 8, 80)[..., :64] for _ in range(2)]


def of_different_heads() -> list[np.ndarray]:
    return [random(BLOCKS, 2, 8, 64), random(BLOCKS, 4, 8, 64), random(BLOCKS, 2, 8, 64)]


@pytest.mark.parametrize(
    ("arrays", "extents"),
    [
        (head_major(), None),
        (in_one_allocation(), 1),
        (by_blocks(), 1),
        (permuted(), None),
        (with_gaps(), None),
        (of_different_heads(), None),
    ],
    ids=["head_major", "one_allocation", "by_blocks", "permuted", "gaps", "heads"],
)
def test_extents_name_the_bytes_of_the_block(arrays, extents):
    layout = described(arrays)
    assert layout.block_bytes == sum(array[0].nbytes for array in arrays)
    if extents is not None:
        assert layout.extents([0]).shape == (1, extents)
    for block_id in range(BLOCKS):
        assert bytes_by_extents(layout, block_id) == bytes_by_elements(arrays, block_id)


def test_keys_and_values_in_halves_of_a_tensor():
    """[2, blocks, heads, tokens, size]: dimension 1 counts the blocks."""
    arrays = [random(2, BLOCKS, 2, 8, 64) for _ in range(2)]
    layout = described(arrays, block_axis=1)
    for block_id in range(BLOCKS):
        expected = b"".join(array[half, block_id].tobytes() for array in arrays for half in (0, 1))
        assert bytes_by_extents(layout, block_id) == expected


def test_an_engine_block_of_several_kernel_blocks():
    arrays = [random(BLOCKS * 2, 2, 8, 64) for _ in range(2)]
    layout = described(arrays)
    for block_id in range(BLOCKS):
        assert bytes_by_extents(layout, block_id) == bytes_by_elements(arrays, block_id, parts=2)


def test_an_extent_lies_in_one_buffer():
    """client/cairn.h asks for it: tensors of their own are an extent each."""
    layout = described(head_major(5))
    sizes = np.cumsum([0, *(size for _, size in layout.buffers)])
    rows = layout.extents(range(BLOCKS))
    begin = rows["base_bytes"]
    end = begin + (rows["count"] - 1) * rows["stride_bytes"] + rows["size_bytes"]
    assert (np.searchsorted(sizes, begin, "right") == np.searchsorted(sizes, end, "left")).all()


def test_fingerprints_tell_orders_and_types_apart():
    layouts = [
        described(head_major()),
        described(permuted()),
        described(head_major(2)),
        described(of_different_heads()),
        described([array.astype(np.float16) for array in head_major()]),
    ]
    assert len({layout.fingerprint for layout in layouts}) == len(layouts)
    assert described(in_one_allocation()).fingerprint == layouts[0].fingerprint
    assert described(by_blocks()).fingerprint == layouts[0].fingerprint, "gathered alike"


@pytest.mark.parametrize(
    ("arrays", "options", "text"),
    [
        ([], {}, "layers"),
        ([random(BLOCKS, 2, 8, 64), random(BLOCKS, 2, 8, 64, dtype=np.float16)], {}, "dtype"),
        ([random(BLOCKS, 2, 8, 64)], {"blocks": BLOCKS - 1}, r"layer\.0\.shape"),
        ([np.broadcast_to(random(2, 8, 64), (BLOCKS, 2, 8, 64))], {}, r"layer\.0\.stride"),
        ([random(BLOCKS, 2, 8, 64)[:, ::-1]], {}, r"layer\.0\.stride"),
        ([random(BLOCKS, 4, 4)], {}, "block_bytes"),
        ([random(BLOCKS, 300, 4, 8)[:, :, :2, :3]], {}, "layout"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(arrays, options, text):
    with pytest.raises(Refusal, match=text):
        described(arrays, **options)


def test_blocks_beyond_the_cache_are_refused():
    layout = described(head_major())
    for bad in ([BLOCKS], [-1, 2]):
        with pytest.raises(ValueError, match="block_ids"):
            layout.extents(bad)
