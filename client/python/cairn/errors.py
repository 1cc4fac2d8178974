"""What is raised for misuse and back-pressure. A miss is a value, never an exception."""


class CairnError(Exception):
    """A call that could not be made. The text names the field and the remedy.

    `code` is the word for it: "invalid_argument", "not_found" (a file), "unauthenticated",
    "unavailable" (no coordinator answered), "resource_exhausted" (BackPressure), ...
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code

    @staticmethod
    def from_code(number: int, text: str) -> "CairnError":
        code = _CODES.get(number, f"code_{number}")
        kind = BackPressure if code == "resource_exhausted" else CairnError
        return kind(code, text)


class BackPressure(CairnError):
    """A bound was reached and nothing was queued: let what is under way end, then retry."""


_CODES = {
    1: "cancelled",
    3: "invalid_argument",
    4: "deadline_exceeded",
    5: "not_found",
    7: "permission_denied",
    8: "resource_exhausted",
    9: "failed_precondition",
    13: "internal",
    14: "unavailable",
    15: "data_loss",
    16: "unauthenticated",
}
