"""SGLang's host pools over NumPy: their shapes, and what their get_page_buffer_meta answers."""

import math
from types import SimpleNamespace

import numpy as np

LAYERS = 3
HEADS = 2
HEAD_SIZE = 64
PAGE_TOKENS = 16
PAGES = 40


class Tensor:
    """As much of a CPU tensor as Cairn looks at."""

    def __init__(self, array):
        self.array = array
        self.dtype = f"torch.{array.dtype}"
        self.device = SimpleNamespace(type="cpu")

    def data_ptr(self):
        return self.array.ctypes.data

    def numel(self):
        return self.array.size

    def element_size(self):
        return self.array.itemsize

    def is_contiguous(self):
        return self.array.flags.c_contiguous


def tensor(*shape):
    # Zeroed memory that is touched: what was never stored differs from what was.
    return Tensor(np.zeros(shape, np.float32))


class Pool:
    """shape: of kv_buffer, with the axis of tokens or pages first after those of `pieces`."""

    storage_format_tag = None

    def __init__(self, layout, pieces, per_page):
        self.layout = layout
        self.page_size = PAGE_TOKENS
        self.dtype = "torch.float32"
        self.layer_num, self.head_num, self.head_dim = LAYERS, HEADS, HEAD_SIZE
        self.kv_buffer = tensor(*pieces, PAGES, *per_page)
        self._pieces = math.prod(pieces)
        self._piece_bytes = math.prod(per_page) * self.kv_buffer.element_size()

    def get_page_buffer_meta(self, indices):
        pages = [int(index) // PAGE_TOKENS for index in indices[::PAGE_TOKENS]]
        begin = self.kv_buffer.data_ptr()
        pointers = [
            begin + (piece * PAGES + page) * self._piece_bytes
            for page in pages
            for piece in self.order()
        ]
        return pointers, [self._piece_bytes] * len(pointers)

    def order(self):
        return range(self._pieces)

    def page(self, index):
        """A view of its bytes: [piece, ...]."""
        flat = self.kv_buffer.array.reshape(self._pieces, PAGES, -1)
        return flat[:, index]


class LayerFirst(Pool):
    """[2, layer, token, ...], and SGLang names k and v of each layer in turn."""

    def __init__(self):
        super().__init__("layer_first", (2, LAYERS), (PAGE_TOKENS, HEADS, HEAD_SIZE))

    def order(self):
        return [half * LAYERS + layer for layer in range(LAYERS) for half in range(2)]


def page_first():
    return Pool("page_first", (2,), (PAGE_TOKENS, LAYERS, HEADS, HEAD_SIZE))


def latent():
    """MLA: one piece a page."""
    return Pool("page_first", (), (PAGE_TOKENS, LAYERS, 1, HEAD_SIZE))


class States(Pool):
    """As Mamba's: two tensors with pages of unlike size."""

    def __init__(self):
        super().__init__("page_first", (), (PAGE_TOKENS, LAYERS, HEAD_SIZE))
        self.temporal, self.convolution = self.kv_buffer, tensor(PAGES, 2 * HEAD_SIZE)
        self.kv_buffer = None

    def get_hybrid_pool_buffer(self):
        return [self.temporal, self.convolution]

    def get_page_buffer_meta(self, indices):
        pages = [int(index) // PAGE_TOKENS for index in indices[::PAGE_TOKENS]]
        both = [(self.temporal, self._piece_bytes), (self.convolution, 2 * HEAD_SIZE * 4)]
        named = [(t.data_ptr() + page * size, size) for page in pages for t, size in both]
        return [pointer for pointer, _ in named], [size for _, size in named]


def token_indices(pages):
    """As SGLang gives them: of each token of the pages."""
    return np.concatenate([np.arange(PAGE_TOKENS) + page * PAGE_TOKENS for page in pages])


TWO_PAGES = token_indices([0, 1])
