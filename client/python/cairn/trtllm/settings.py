"""TensorRT-LLM passes a connector no configuration: CAIRN_* variables, or a file of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cairn.connector import Options, Refusal

FILE = "CAIRN_CONFIG_FILE"
QUERY_WAIT_US_MAX = 20_000
STAGING_BYTES_MIN = 1 << 20
STAGING_BYTES_MAX = 64 << 30


@dataclass(frozen=True)
class Settings:
    """A Refusal names the variable. The file is a JSON object with the same names."""

    options: Options
    query_wait_us: int = 500  # CAIRN_QUERY_WAIT_US: a query holds the engine's radix tree
    staging_bytes: int = 512 << 20  # CAIRN_STAGING_BYTES: pinned host memory of each rank
    lora_adapters: Mapping[int, Path] | None = None  # CAIRN_LORA_ADAPTERS: 1=folder,2=folder

    @staticmethod
    def parse(environment: Mapping[str, str]) -> "Settings":
        """What the environment does not set is taken from the file."""
        given = {**_file(environment.get(FILE)), **environment}
        try:
            options = Options.from_mapping({}, given)
        except Refusal as error:
            name = f"CAIRN_{error.field.upper()}"
            raise Refusal(name, error.value, error.remedy) from None
        if options.lease_ms < 2 * options.load_ms:
            remedy = "give at least twice CAIRN_LOAD_MS: what is loaded must be held so long"
            raise Refusal("CAIRN_LEASE_MS", options.lease_ms, remedy)
        defaults = Settings(options)
        return Settings(
            options,
            _number(given, "CAIRN_QUERY_WAIT_US", defaults.query_wait_us, 0, QUERY_WAIT_US_MAX),
            _number(
                given,
                "CAIRN_STAGING_BYTES",
                defaults.staging_bytes,
                STAGING_BYTES_MIN,
                STAGING_BYTES_MAX,
            ),
            _adapters(str(given.get("CAIRN_LORA_ADAPTERS", ""))),
        )


def _file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        given = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise Refusal(FILE, path, f"cannot be read as JSON: {error}") from None
    if not isinstance(given, dict) or not all(name.startswith("CAIRN_") for name in given):
        raise Refusal(FILE, path, "give one JSON object of CAIRN_* names")
    return given


def _number(given: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = given.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if not least <= number <= most:
        raise Refusal(name, value, f"give a whole number from {least} to {most}")
    return number


def _adapters(text: str) -> dict[int, Path]:
    """The engine tells a request's adapter by a number that says nothing of its weights."""
    adapters = {}
    for word in filter(None, text.split(",")):
        number, _, folder = word.partition("=")
        if not number.strip().isdigit() or not Path(folder).is_dir():
            raise Refusal("CAIRN_LORA_ADAPTERS", word, "give ID=FOLDER pairs, comma separated")
        adapters[int(number)] = Path(folder)
    return adapters
