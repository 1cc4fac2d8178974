"""The keys of one prefix's blocks, in order."""

from cairn._library import KEY_BYTES, Key


class Chain:
    """Made by a client (`client.chain(hashes)`) for its own tenant and namespace; immutable."""

    def __init__(self, keys) -> None:
        self._keys = keys  # a ctypes array of Key

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, position: int) -> bytes:
        """The 16 bytes of a block's key."""
        return bytes(self._keys[position].bytes)

    @property
    def keys(self):
        """The ctypes array."""
        return self._keys

    def __repr__(self) -> str:
        return f"<cairn.Chain of {len(self)} blocks, {KEY_BYTES}-byte keys>"


def empty_keys(count: int):
    return (Key * count)()
