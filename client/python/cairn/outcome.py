"""How one block's transfer ended."""

import enum


class Outcome(enum.IntEnum):
    """OK, or why the engine recomputes the block (docs/operators.md explains each)."""

    OK = 0
    ABSENT = 1
    CHECKSUM = 2
    DEADLINE = 3
    OVERLOAD = 4
    INCARNATION = 5
    VERSION = 6
    NAMESPACE = 7
    LENGTH = 8
    SESSION = 9
    LEASE = 10
    NODE_DOWN = 11
    NO_COORDINATOR = 12
    NO_NODE = 13
    DRAINING = 14
    CAPACITY = 15
    CONFLICT = 16
    PARENT_ABSENT = 17
    CANCELED = 18
    CIRCUIT_OPEN = 19
    DRIVE = 20
    UNKNOWN = 2**32 - 1  # libcairn.so is newer than this package

    @property
    def ok(self) -> bool:
        return self is Outcome.OK

    @classmethod
    def _missing_(cls, value: object) -> "Outcome":
        return cls.UNKNOWN
