"""What the scheduler sends to the workers each step. Pickled by the engine."""

from dataclasses import dataclass, field

from cairn.connector import Job


@dataclass
class Step:
    """Jobs name the engine's pages. number: a worker may be shown the same step twice. ended:
    requests that nobody waits for any more, whatever becomes of their loads."""

    number: int
    loads: list[Job] = field(default_factory=list)
    saves: list[Job] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
