"""Why an engine's set-up cannot be served."""


class Refusal(ValueError):
    """Raised at the start, never later: names the field, its value and the remedy."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(f"cairn: {field}: {value!r}: {remedy}")
        self.field = field
        self.value = value
        self.remedy = remedy
