"""What the tests do with an engine, and what must hold whenever they do it."""

from collections.abc import Sequence
from itertools import count

from cluster import Cluster, until
from engines import BLOCK_TOKENS, PROMPTS, Answer, Engine, tokens

SEEDS = count(500)  # of prompts that nobody else gives
FULL = {case: [len(p) // BLOCK_TOKENS * BLOCK_TOKENS for p in ps] for case, ps in PROMPTS.items()}


def check(answer: Answer, reference: dict[str, Answer], case: str) -> None:
    assert answer.tokens == reference[case].tokens
    assert answer.counters.get("cairn_wrong_bytes_blocks", 0) == 0


def connect(cluster: Cluster, engine: Engine) -> None:
    """Starts the cluster, unless it runs; returns when the engine has found it."""
    cluster.start()
    serves(engine)


def serves(engine: Engine) -> None:
    """Returns when what the engine saves is what it loads: both halves of the connector have found
    their way, which takes them a while after a start or a fault."""
    until(lambda: _comes_back(engine, tokens(next(SEEDS), 2 * BLOCK_TOKENS)), "a load")


def _comes_back(engine: Engine, prompt: list[int]) -> bool:
    engine.generate([prompt], 1)
    if "cairn_saved_blocks" not in engine.generate([[5] * 8], 1).counters:
        return False
    engine.forget()
    return "cairn_hit_tokens" in engine.generate([prompt], 1).counters


def computed(engine: Engine, case: str) -> Answer:
    """Cold: all is computed and stored."""
    engine.forget()
    return stored(engine, *PROMPTS[case])


def stored(engine: Engine, *prompts: list[int]) -> Answer:
    """Returns when each full block of these is in Cairn."""
    answer = engine.generate(prompts)
    prefixes = {
        tuple(prompt[:end])
        for prompt in prompts
        for end in range(BLOCK_TOKENS, len(prompt) + 1, BLOCK_TOKENS)
    }
    until(lambda: _settled(engine, answer, len(prefixes)), "the saves")
    return answer


def warmed_up(engine: Engine) -> None:
    """An engine's first long prompt costs more than those after it."""
    engine.generate([[9] * 2048], 1)
    engine.forget()


def _settled(engine: Engine, answer: Answer, blocks: int) -> bool:
    """Counts come with an engine's next step."""
    for name, value in engine.generate([[5] * 8], 1).counters.items():
        answer.counters[name] = answer.counters.get(name, 0) + value
    moved = sum(answer.counters.get(f"cairn_{name}_blocks", 0) for name in ("saved", "loaded"))
    return moved >= blocks


def warm(engine: Engine, case: str) -> Answer:
    engine.forget()
    return engine.generate(PROMPTS[case])


def cost_s(engines: Sequence[Engine], case: str) -> list[float]:
    """Seconds that each takes for the case: the least of many rounds, for what else the machine
    does only adds; in turn, for it does not do the same all the time."""
    rounds = [[warm(engine, case).seconds for engine in engines] for _ in range(20)]
    return [min(seconds) for seconds in zip(*rounds, strict=True)]
