"""One vLLM engine on a CPU that stays up: a request is a line of JSON on stdin, so is its answer.

    engine.py MODEL [--cairn JSON] ...

--cairn: the connector's extra config. Requests: {"generate": [[token, ...], ...], "tokens": N},
{"reset": true} (the engine's own prefix cache). It ends with its input. Answers go to the original
stdout, each after the word ANSWER; the rest of what the engine prints goes to stderr.
"""

import argparse
import json
import os
import sys
import time

SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "WARNING"),
    "VLLM_NO_USAGE_STATS": "1",
}
BLOCK_TOKENS = 32  # the CPU backend takes multiples of it


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--cairn", type=json.loads)
    parser.add_argument("--connector", default="cairn.vllm:CairnConnector")
    parser.add_argument("--gpu-blocks", type=int)
    parser.add_argument("--batched-tokens", type=int, default=8192)
    parser.add_argument("--model-tokens", type=int, default=8192)
    parser.add_argument("--tensor-parallel", type=int, default=1)
    parser.add_argument("--events", help="address at which the engine publishes them")
    # Scheduler and worker here instead of in two processes of their own: half the time to start.
    parser.add_argument("--in-process", action="store_true")
    return parser.parse_args()


def make_engine(options: argparse.Namespace):
    from vllm import LLM

    more = {}
    if options.cairn is not None:
        more["kv_transfer_config"] = {
            "kv_connector": options.connector.partition(":")[2],
            "kv_connector_module_path": options.connector.partition(":")[0],
            "kv_role": "kv_both",
            "kv_load_failure_policy": "recompute",
            "kv_connector_extra_config": options.cairn,
        }
    if options.events:
        more["kv_events_config"] = {
            "enable_kv_cache_events": True,
            "publisher": "zmq",
            "endpoint": options.events,
        }
    if options.in_process:
        more["distributed_executor_backend"] = "uni"
    if options.gpu_blocks:
        more["num_gpu_blocks_override"] = options.gpu_blocks
    return LLM(
        model=options.model,
        skip_tokenizer_init=True,
        dtype="float32",
        enforce_eager=True,
        block_size=BLOCK_TOKENS,
        max_model_len=options.model_tokens,
        max_num_batched_tokens=options.batched_tokens,
        max_num_seqs=32,
        enable_prefix_caching=True,
        disable_log_stats=False,
        tensor_parallel_size=options.tensor_parallel,
        **more,
    )


def generate(engine, prompts: list[list[int]], tokens: int) -> dict:
    from vllm import SamplingParams
    from vllm.inputs import TokensPrompt

    sampling = SamplingParams(temperature=0, max_tokens=tokens, detokenize=False, ignore_eos=True)
    begun = time.perf_counter()
    outputs = engine.generate(
        [TokensPrompt(prompt_token_ids=prompt) for prompt in prompts], sampling, use_tqdm=False
    )
    return {
        "tokens": [list(output.outputs[0].token_ids) for output in outputs],
        "cached": [output.num_cached_tokens for output in outputs],
        "ttft_s": [output.metrics.first_token_latency for output in outputs],
        "seconds": time.perf_counter() - begun,
    }


def counters(engine) -> dict[str, float]:
    """Cairn's, from the engine's own Prometheus page, and how often it preempted."""
    found: dict[str, float] = {}
    for metric in engine.get_metrics():
        if metric.name.startswith("vllm:cairn_") or metric.name == "vllm:num_preemptions":
            name = metric.name.removeprefix("vllm:")
            if "reason" in metric.labels:
                name += "_" + metric.labels["reason"]
            found[name] = found.get(name, 0) + metric.value
    return found


def main() -> None:
    os.environ.update(SETTINGS)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    options = parse()
    if options.in_process:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    begun = time.perf_counter()
    engine = make_engine(options)
    ready = {"start_s": time.perf_counter() - begun}
    print("ANSWER", json.dumps(ready), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict = {}
        if request.get("reset"):
            answer["reset"] = engine.reset_prefix_cache()
        if "generate" in request:
            answer = generate(engine, request["generate"], request["tokens"])
        answer["counters"] = counters(engine)
        print("ANSWER", json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
