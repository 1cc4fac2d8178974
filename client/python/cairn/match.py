"""The held prefix of a chain."""

from dataclasses import dataclass, field

from cairn._session import Session
from cairn.outcome import Outcome


@dataclass
class Match:
    """`blocks` leading blocks are held for us until release, `lease_s`, or the client's end.

    A context manager: leaving it releases. `miss` says why no more; OK when the whole chain is
    held.
    """

    blocks: int
    miss: Outcome
    lease: int
    _session: Session = field(repr=False)

    def release(self) -> None:
        """Idempotent. Transfers in flight keep their own hold."""
        lease, self.lease = self.lease, 0
        if lease:
            self._session.release(lease)

    def __enter__(self) -> "Match":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
