"""What an operator writes into SGLang's extra config for us."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cairn.connector.options import Options
from cairn.connector.refusal import Refusal

# The dynamic backend's own words, which SGLang leaves in the dict.
SGLANG_KEYS = ("backend_name", "module_path", "class_name", "interface_v1")
# What SGLang waits for under its policy `timeout` unless told otherwise; it takes its own keys
# prefetch_timeout_base and prefetch_timeout_per_ki_token out before we see the dict.
TIMEOUT_BASE_S = 1.0
TIMEOUT_PER_KI_TOKEN_S = 0.25
TIMEOUT_S_MAX = 600.0
KI = 1024


@dataclass(frozen=True)
class Settings:
    """parse() validates; a Refusal names the field and the remedy."""

    options: Options
    timeout_base_s: float
    timeout_per_ki_token_s: float
    load_s: float | None  # load_ms, where it was given: then it holds for any number of tokens

    @staticmethod
    def parse(extra_config: Mapping[str, Any] | None, environment: Mapping[str, str]) -> "Settings":
        given = dict(extra_config or {})
        if not given.get("interface_v1"):
            remedy = 'add "interface_v1": 1; without it SGLang copies each page through Python'
            raise Refusal("interface_v1", given.get("interface_v1"), remedy)
        for key in SGLANG_KEYS:
            given.pop(key, None)
        base_s = _seconds(given, "timeout_base_s", TIMEOUT_BASE_S)
        per_ki_token_s = _seconds(given, "timeout_per_ki_token_s", TIMEOUT_PER_KI_TOKEN_S)
        is_fixed = "load_ms" in given or "CAIRN_LOAD_MS" in environment
        options = Options.from_mapping(given, environment)
        return Settings(
            options, base_s, per_ki_token_s, options.load_ms / 1e3 if is_fixed else None
        )

    def load_timeout_s(self, tokens: int) -> float:
        """As long as SGLang would wait for so many tokens."""
        if self.load_s is not None:
            return self.load_s
        return min(self.timeout_base_s + self.timeout_per_ki_token_s * tokens / KI, TIMEOUT_S_MAX)


def _seconds(given: dict[str, Any], name: str, default: float) -> float:
    value = given.pop(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= TIMEOUT_S_MAX or (name == "timeout_base_s" and not value):
        remedy = f"give seconds up to {TIMEOUT_S_MAX:.0f}, as you gave SGLang's prefetch_timeout"
        raise Refusal(name, value, remedy)
    return float(value)
