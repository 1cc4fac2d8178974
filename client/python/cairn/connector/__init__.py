"""What every engine's adapter is made of; no engine is imported here, and no PyTorch.

An engine has a scheduler, which decides what a request may skip, and one worker per rank, which
owns the KV tensors. Each side has its half here, each half one thread that owns Cairn's clients, so
that no call of the engine ever waits for a network:

    scheduler   Lookups      ask(request, hashes) -> None until known, then blocks that all ranks
                             hold, kept under lease until release(request)
    worker      Transfers    load(job), save(job); finished() tells how each ended, by its deadline;
                             fence(blocks) returns when no save reads them any more

    describe() turns an engine's tensors into a BlockLayout: a fingerprint, the bytes of a block,
    and the places of many blocks at once. Identity makes the Namespace of each rank and cache
    group; equal namespaces share. Options are an adapter's settings, Statistics what it counts.

A miss is never an error: whatever is in doubt is recomputed, and counted under the reason's name.
"""

from cairn.connector.identity import Identity, Rank, Refusal, digest_of_folder
from cairn.connector.jobs import Ended, Job
from cairn.connector.layout import BlockLayout, KvTensor, describe
from cairn.connector.lookup import Lookups
from cairn.connector.options import Options
from cairn.connector.recent import RecentSaves
from cairn.connector.statistics import Statistics
from cairn.connector.transfers import Group, Transfers

__all__ = [
    "BlockLayout",
    "Ended",
    "Group",
    "Identity",
    "Job",
    "KvTensor",
    "Lookups",
    "Options",
    "Rank",
    "RecentSaves",
    "Refusal",
    "Statistics",
    "Transfers",
    "describe",
    "digest_of_folder",
]
