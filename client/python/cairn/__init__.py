"""Cairn's Python client: KV blocks of LLM prompts, fetched instead of computed again.

Client blocks, AsyncClient awaits; both land bytes in place, in memory that you registered.
"""

from cairn._library import version as _version
from cairn.aio import AsyncClient
from cairn.chain import Chain
from cairn.client import Client
from cairn.errors import BackPressure, CairnError
from cairn.match import Match
from cairn.namespace import Namespace
from cairn.outcome import Outcome
from cairn.region import Region, Slot

__version__: str = _version()

__all__ = [
    "AsyncClient",
    "BackPressure",
    "CairnError",
    "Chain",
    "Client",
    "Match",
    "Namespace",
    "Outcome",
    "Region",
    "Slot",
]
