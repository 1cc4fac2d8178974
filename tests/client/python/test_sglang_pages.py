"""Where the bytes of SGLang's pages lie."""

import numpy as np
import pytest
import sglang_pools
from cairn.connector import Refusal
from cairn.sglang.pages import PageLayout
from sglang_pools import PAGE_TOKENS, TWO_PAGES, LayerFirst, States, token_indices

POOLS = {
    "page_first": sglang_pools.page_first,
    "layer_first": LayerFirst,
    "latent": sglang_pools.latent,
}


def described(pool):
    return PageLayout(pool, TWO_PAGES)


def gathered(pool, layout, page):
    """What a client would send: the extents' bytes, one after the other."""
    region = pool.kv_buffer.array.reshape(-1).view(np.uint8)
    pieces = []
    for base, stride, count, size in layout.extents(token_indices([page]), 1)[0].tolist():
        pieces += [region[base + i * stride :][:size] for i in range(count)]
    return np.concatenate(pieces)


@pytest.mark.parametrize("name", POOLS)
def test_a_page_is_its_pieces_in_the_order_of_their_addresses(name):
    pool = POOLS[name]()
    pool.kv_buffer.array[:] = np.random.default_rng(1).random(pool.kv_buffer.array.shape)
    layout = described(pool)
    for page in (0, 7, sglang_pools.PAGES - 1):
        want = np.ascontiguousarray(pool.page(page)).reshape(-1).view(np.uint8)
        assert np.array_equal(gathered(pool, layout, page), want)
        assert layout.block_bytes == want.size


@pytest.mark.parametrize(("name", "count"), [("page_first", 2), ("layer_first", 6), ("latent", 1)])
def test_pieces_at_equal_distances_are_one_row(name, count):
    rows = described(POOLS[name]()).extents(token_indices([3, 5]), 2)
    assert rows.shape == (2, 1)
    assert rows["count"].tolist() == [[count], [count]]


def test_a_pool_of_several_tensors_is_one_region_over_them():
    pool = States()
    layout = described(pool)
    assert layout.memory() == [pool.temporal, pool.convolution]
    temporal_bytes = pool.temporal.array.nbytes
    rows = layout.extents(token_indices([2]), 1)[0]
    page_bytes = PAGE_TOKENS * sglang_pools.LAYERS * sglang_pools.HEAD_SIZE * 4
    state_bytes = 2 * sglang_pools.HEAD_SIZE * 4
    assert rows["base_bytes"].tolist() == [2 * page_bytes, temporal_bytes + 2 * state_bytes]
    assert rows["size_bytes"].tolist() == [page_bytes, state_bytes]


def test_equal_pools_have_equal_fingerprints_and_others_do_not():
    prints = {name: described(make()).fingerprint for name, make in POOLS.items()}
    assert len(set(prints.values())) == len(POOLS)
    assert all(described(make()).fingerprint == prints[name] for name, make in POOLS.items())
    tagged = sglang_pools.page_first()
    tagged.storage_format_tag = "packed"
    assert described(tagged).fingerprint != prints["page_first"]


def test_a_layout_without_pieces_is_refused_by_name():
    pool = sglang_pools.page_first()
    pool.layout = "page_unified"

    def refuse(_):
        raise ValueError("Unsupported layout: page_unified")

    pool.get_page_buffer_meta = refuse
    with pytest.raises(Refusal, match=r"hicache_mem_layout.*page_unified.*page_first"):
        described(pool)


def test_pages_outside_of_the_pools_memory_are_refused():
    pool = sglang_pools.page_first()
    pool.kv_buffer = sglang_pools.tensor(*pool.kv_buffer.array.shape)
    other = sglang_pools.page_first()
    pool.get_page_buffer_meta = other.get_page_buffer_meta
    with pytest.raises(Refusal, match="hicache_mem_layout"):
        described(pool)


def test_a_page_that_is_too_small_is_refused_with_the_setting():
    pool = sglang_pools.Pool("page_first", (2,), (1, 1, 1, 8))
    with pytest.raises(Refusal, match=r"page_size.*--page-size"):
        described(pool)


def test_a_pool_that_later_answers_otherwise_is_doubted():
    pool = LayerFirst()
    layout = described(pool)
    pointers, sizes = pool.get_page_buffer_meta(token_indices([4]))
    for wrong_pointers, wrong_sizes in (
        ([pointers[0] + 4, *pointers[1:]], sizes),
        ([pointer + (1 << 40) for pointer in pointers], sizes),
        (pointers, [size // 2 for size in sizes]),
    ):
        pool.get_page_buffer_meta = lambda _, a=wrong_pointers, b=wrong_sizes: (a, b)
        with pytest.raises(ValueError, match="pool: "):
            layout.extents(token_indices([4]), 1)
