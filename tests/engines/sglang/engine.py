"""One SGLang engine on a CPU, told what to do by lines of JSON: engine.py MODEL [EXTRA_CONFIG].

    {"generate": [[token, ...], ...]}   one prompt after the other, greedy
    {"flush": true}                     forgets what device and host hold; false: it is not idle yet
An answer is a line that begins with RESULT. The input's end ends it.
"""

import json
import sys

NEW_TOKENS = 16


def arguments(model, extra_config):
    given = {
        "model_path": model,
        "device": "cpu",
        "attention_backend": "torch_native",
        "sampling_backend": "pytorch",
        "grammar_backend": "none",
        "skip_tokenizer_init": True,
        "dtype": "float32",
        "mem_fraction_static": 0.05,
        "max_total_tokens": 8192,
        "page_size": 16,
        "max_running_requests": 4,
        "disable_cuda_graph": True,
        "disable_overlap_schedule": True,
        "enable_cache_report": True,
        "log_level": "info",
    }
    if extra_config:
        given |= {
            "enable_hierarchical_cache": True,
            "hicache_ratio": 2.0,
            "hicache_io_backend": "kernel",
            "hicache_mem_layout": "page_first",
            "hicache_write_policy": "write_through",
            "hicache_storage_backend": "dynamic",
            "hicache_storage_backend_extra_config": extra_config,
            "hicache_storage_prefetch_policy": "wait_complete",
        }
    return given


def generate(engine, tokens):
    sampling = {"temperature": 0, "max_new_tokens": NEW_TOKENS, "ignore_eos": True}
    answer = engine.generate(input_ids=tokens, sampling_params=sampling)
    details = answer["meta_info"].get("cached_tokens_details") or {}
    return {"tokens": answer["output_ids"], "storage": details.get("storage", 0)}


def main():
    import sglang

    engine = sglang.Engine(**arguments(sys.argv[1], "".join(sys.argv[2:])))
    print("RESULT ready", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "flush" in command:
            result = engine.flush_cache().success
        else:
            result = [generate(engine, tokens) for tokens in command["generate"]]
        print("RESULT", json.dumps(result), flush=True)
    engine.shutdown()


if __name__ == "__main__":
    main()
