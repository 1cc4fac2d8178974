"""An adapter's settings: from the engine's own configuration, else from CAIRN_* variables."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from cairn.connector.refusal import Refusal


def _setting(default: Any, help_text: str, least: int = 0, most: int = 0) -> Any:
    return dataclasses.field(default=default, metadata={"help": help_text, "range": (least, most)})


def _choice(help_text: str, *words: str) -> Any:
    """The first word is the default."""
    return dataclasses.field(default=words[0], metadata={"help": help_text, "words": words})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """from_mapping() validates; a Refusal names the field."""

    coordinators: str = _setting("", "host:port, comma separated, tried in order")
    tenant_file: str = _setting("", "as `cairn tenant add` or `cairn up` wrote it")
    ca_file: str = _setting("", "PEM; with it the coordinators speak TLS")
    certificate_file: str = _setting("", "PEM, our own, for mTLS")
    key_file: str = _setting("", "PEM")
    ucx_tls: str = _setting("", "UCX transports; the library's default is tcp")
    model_digest: str = _setting("", "64 hexadecimal digits; default: of the model's files")
    lookup_ms: int = _setting(100, "after that a request is computed without Cairn", 1, 60_000)
    load_ms: int = _setting(2_000, "after that blocks that did not come are computed", 1, 600_000)
    save_ms: int = _setting(2_000, "a save may hold its blocks so long", 1, 600_000)
    lease_ms: int = _setting(20_000, "blocks that were found are held so long", 100, 60_000)
    connect_ms: int = _setting(1_000, "of one try to reach a coordinator", 1, 60_000)
    urgency: str = _choice("of all loads", "standard", "interactive", "batch")
    inflight_bytes: int = _setting(0, "on the way at once; 0: the library's default", 0, 16 << 30)
    staging_bytes: int = _setting(
        0, "host memory between a GPU's cache and the network; 0: 512 MiB with a GPU", 0, 64 << 30
    )
    lookups_max: int = _setting(1024, "waiting for an answer at once", 1, 1 << 20)
    saving_blocks_max: int = _setting(8192, "beyond that, saves are skipped", 1, 65_536)

    @staticmethod
    def from_mapping(given: Mapping[str, Any], environment: Mapping[str, str]) -> "Options":
        """A field that is not given comes from CAIRN_<FIELD>."""
        fields = {field.name: field for field in dataclasses.fields(Options)}
        for name, value in given.items():
            if name not in fields:
                raise Refusal(name, value, f"no such setting; there are {', '.join(fields)}")
        values = {
            name: _parse(field, given.get(name, environment.get(f"CAIRN_{name.upper()}")))
            for name, field in fields.items()
        }
        for name in ("coordinators", "tenant_file"):
            if not values[name]:
                remedy = f"set it in the connector's extra config, or CAIRN_{name.upper()}"
                raise Refusal(name, "", remedy)
        return Options(**values)

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of cairn.Client."""
        files = ("ca_file", "certificate_file", "key_file", "ucx_tls")
        return {
            "connect_timeout_s": self.connect_ms / 1e3,
            "lease_s": self.lease_ms / 1e3,
            "inflight_bytes_max": self.inflight_bytes,
            "urgency": self.urgency,
            **{name: getattr(self, name) or None for name in files},
        }


def _parse(field: dataclasses.Field, value: Any) -> Any:
    if value is None:
        return field.default
    if isinstance(field.default, str):
        if not isinstance(value, str):
            raise Refusal(field.name, value, f"give text: {field.metadata['help']}")
        words = field.metadata.get("words", (value,))
        if value not in words:
            raise Refusal(field.name, value, f"give one of {', '.join(words)}")
        return value
    least, most = field.metadata["range"]
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if isinstance(value, bool | float) or not least <= number <= most:
        raise Refusal(field.name, value, f"give a whole number from {least} to {most}")
    return number
