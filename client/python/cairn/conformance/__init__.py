"""cairn-conformance: replays the order in which engines call a connector, against any connector.

    pytest --cairn-connector sglang=my_store:make

A pytest plugin; needs pytest and NumPy, no engine and no Cairn. One rule is one test; its docstring
says what the engine does and what breaks otherwise. docs/conformance.md tells how to write `make`.
"""

from typing import Any

__all__ = ["Connectors", "Factory", "Faults", "World"]


def __getattr__(name: str) -> Any:
    """Late: pytest imports the plugin in every run, also where there is no NumPy."""
    if name in __all__:
        from cairn.conformance import world

        return getattr(world, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
