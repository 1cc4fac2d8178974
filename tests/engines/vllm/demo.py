"""./dev demo --engine vllm: two real vLLM engines on a CPU and one Cairn between them.

The same long prefix goes to the first engine, which computes and stores it, then to the second,
which never saw it. Ends with 1 when the second found nothing, or said anything else than an engine
without a cache would.
"""

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tiny_llama
from cluster import Cluster
from engines import Answer, Engine, extra_config, prompts
from steps import connect, stored, warmed_up

PREFIX_TOKENS = 6400
OWN_TOKENS = 32
# One after the other; the last has a prefix of its own.
(SHARED, NEVER_SEEN) = (prompts(seed, 1, PREFIX_TOKENS, OWN_TOKENS)[0] for seed in (101, 102))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev demo --engine vllm")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    return parser.parse_args()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(folder: Path) -> dict[str, Answer]:
    """What each step answered."""
    tiny_llama.write(folder / "model")
    cluster = Cluster(folder / "cluster")
    given = extra_config(cluster)
    with ExitStack() as ends:
        ends.callback(cluster.stop)
        cluster.start()
        say("cairn: a coordinator and a node are up; two vLLM engines start (about a minute)")
        with ThreadPoolExecutor() as pool:
            started = [
                pool.submit(
                    Engine,
                    folder / "model",
                    folder / f"{name}.log",
                    "--cairn",
                    given,
                )
                for name in ("first", "second")
            ]
            first, second = (ends.enter_context(engine.result()) for engine in started)
        for engine in (first, second):
            connect(cluster, engine)
            warmed_up(engine)
        say(f"a prompt of {len(SHARED)} tokens goes to the first engine, then to the second")
        answers = {"first engine, computes": stored(first, SHARED)}
        answers["second engine, from Cairn"] = second.generate([SHARED])
        answers["second engine, a prompt that nobody has seen"] = second.generate([NEVER_SEEN])
    return answers


def hit_tokens(answer: Answer) -> int:
    return int(answer.counters.get("cairn_hit_tokens", 0))


def judge(answers: dict[str, Answer]) -> dict[str, object]:
    computed, fetched, unseen = answers.values()
    return {
        "prompt_tokens": len(SHARED),
        "steps": {
            name: {"ttft_ms": round(answer.ttft_s[0] * 1e3, 1), "hit_tokens": hit_tokens(answer)}
            for name, answer in answers.items()
        },
        "ttft_ratio": round(fetched.ttft_s[0] / unseen.ttft_s[0], 3),
        "tokens_equal": fetched.tokens == computed.tokens,
        "wrong_bytes_blocks": int(
            sum(answer.counters.get("cairn_wrong_bytes_blocks", 0) for answer in answers.values())
        ),
    }


def show(summary: dict) -> None:
    print(f"{'':46}{'TTFT':>10}{'from Cairn':>14}")
    for name, step in summary["steps"].items():
        print(f"{name:46}{step['ttft_ms']:7.0f} ms{step['hit_tokens']:7d} tokens")
    equal = "equal" if summary["tokens_equal"] else "DIFFERENT"
    print(f"\nThe two engines' answers to the same prompt are {equal}, token for token.")
    print(f"Time to first token with Cairn: {summary['ttft_ratio']:.0%} of that without.")


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="cairn-demo-") as folder:
        summary = judge(run(Path(folder)))
    if options.json:
        print(json.dumps(summary))
    else:
        show(summary)
    found = summary["steps"]["second engine, from Cairn"]["hit_tokens"]
    good = summary["tokens_equal"] and found >= PREFIX_TOKENS and not summary["wrong_bytes_blocks"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
