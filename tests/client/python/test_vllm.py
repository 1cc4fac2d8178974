"""cairn.vllm in the order of vLLM's calls, over real memory and real daemons; no vLLM is needed."""

import dataclasses
import time
from types import SimpleNamespace

import numpy as np
import pytest
import vllm_stand_in
from cairn.connector import Refusal
from vllm_engine import BLOCK_TOKENS, Engine, FullAttentionSpec, Request, Tensor, configuration

PROMPT = list(range(100, 100 + 10 * BLOCK_TOKENS + 5))


@pytest.fixture
def model(tmp_path, request):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(request.node.nodeid)
    return folder


@pytest.fixture(params=[0, 16 << 20], ids=["direct", "staged"])
def config(monkeypatch, cluster, model, request):
    """Straight from and to the engine's memory, and by way of staging, as with a GPU."""
    vllm_stand_in.install(monkeypatch)
    return configuration(cluster, model, staging_bytes=request.param)


@pytest.fixture
def engine(config):
    running = Engine(config).connected()
    yield running
    running.close()


def test_what_one_request_computed_another_loads(engine):
    assert engine.run(Request("a", PROMPT)) == 0
    assert engine.run(Request("b", PROMPT)) == 10 * BLOCK_TOKENS
    assert engine.run(Request("c", PROMPT[: 4 * BLOCK_TOKENS] + [7] * 40)) == 4 * BLOCK_TOKENS


def test_another_engine_loads_it_too(config, engine):
    engine.run(Request("a", PROMPT))
    other = Engine(config).connected()
    assert other.run(Request("a", PROMPT)) == 10 * BLOCK_TOKENS
    other.close()


def test_the_last_token_is_always_computed(engine):
    whole = PROMPT[: 10 * BLOCK_TOKENS]
    engine.run(Request("a", whole))
    assert engine.run(Request("b", whole)) == 9 * BLOCK_TOKENS


def test_only_what_is_beyond_the_local_hit_is_loaded(engine):
    engine.run(Request("a", PROMPT))
    request = Request("b", PROMPT)
    assert engine.matched(request, local=4 * BLOCK_TOKENS) == 6 * BLOCK_TOKENS
    assert engine.matched(request, local=10 * BLOCK_TOKENS) == 0
    assert engine.matched(request, local=3 * BLOCK_TOKENS + 1) == 0, "not at a block's begin"
    engine.finish(request)


def test_the_load_goes_behind_the_local_blocks(engine):
    first = Request("a", PROMPT)
    engine.run(first)
    request = Request("b", PROMPT)
    more = engine.matched(request, local=4 * BLOCK_TOKENS)
    engine.allocate(request, more)
    engine.until(lambda: engine.step() or "b" in engine.received)
    table = engine.tables["b"][0]
    assert (engine.memory[0, :, table[4]] == engine.value(request, 0, 4)).all()
    assert (engine.memory[0, :, table[9]] == engine.value(request, 0, 9)).all()


def test_an_answer_is_asked_for_as_often_as_the_scheduler_likes(engine):
    engine.run(Request("a", PROMPT))
    request = Request("b", PROMPT)
    answers = {engine.matched(request) for _ in range(20)}
    assert answers == {10 * BLOCK_TOKENS}
    engine.finish(request)


def test_a_request_that_is_aborted_before_it_was_scheduled_leaves_nothing(engine):
    engine.run(Request("a", PROMPT))
    for i in range(5):
        request = Request(f"b{i}", PROMPT)
        if i % 2:
            engine.matched(request)
        else:
            engine.scheduler.get_num_new_matched_tokens(request, 0)
        engine.finish(request)
    side = engine.scheduler._scheduler
    engine.until(lambda: not side._lookups._open)
    assert not (side._requests or side._first or side._loading or side._lookups._questions)


def test_a_request_that_is_aborted_in_mid_load_is_still_reported(engine):
    engine.run(Request("a", PROMPT))
    request = Request("b", PROMPT)
    engine.allocate(request, engine.matched(request))
    engine.scheduler.request_finished(request, [])
    engine.until(lambda: engine.step() or "b" in engine.received)
    assert not engine.scheduler._scheduler._loading


def test_the_second_call_after_allocation_loads_nothing(engine):
    engine.run(Request("a", PROMPT))
    request = Request("b", PROMPT)
    engine.allocate(request, engine.matched(request))
    engine.allocate(request)
    assert len(engine.scheduler._scheduler._next.loads) == 1
    engine.until(lambda: engine.step() or "b" in engine.received)


def test_blocks_of_a_request_that_ended_are_not_overwritten_while_they_are_saved(engine):
    """Each request gets the blocks that the one before it has just given back."""
    for i in range(20):
        request = Request(f"a{i}", [i, *PROMPT])
        engine.matched(request)
        engine.allocate(request)
        engine.step(new=request)
        engine.finish(request)
        if i % 5 == 4:  # Staging has room for six of them, and skips what is beyond.
            engine.settle()
    for i in range(20):
        assert engine.run(Request(f"b{i}", [i, *PROMPT])) > 0


def test_output_tokens_are_saved_block_by_block(engine):
    request = Request("a", PROMPT)
    engine.matched(request)
    engine.allocate(request)
    engine.step(new=request)
    for i in range(3 * BLOCK_TOKENS):
        request.grow([i])
        engine.allocate(request)
        side = engine.scheduler._scheduler._requests["a"]
        side.block_ids = [list(table) for table in engine.tables["a"]]
        engine.step(cached=request)
    tokens = list(request.all_token_ids)
    engine.finish(request)
    engine.settle()
    assert engine.run(Request("b", tokens + [1] * BLOCK_TOKENS)) == 13 * BLOCK_TOKENS


def test_blocks_that_were_lost_are_named_and_not_asked_for_again(engine):
    engine.run(Request("a", PROMPT))
    request = Request("b", PROMPT)
    more = engine.matched(request)
    chain = request.block_hashes
    request.block_hashes = [*chain[:6], b"\0" * 32, *chain[7:]]  # of the load, not of the lookup
    engine.allocate(request, more)
    request.block_hashes = chain
    engine.until(lambda: engine.step() or "b" in engine.received)
    assert engine.invalid == {engine.tables["b"][0][6]}
    assert not engine.failed, "one group: vLLM keeps what lies before the block"
    assert engine.matched(request) == 0
    engine.finish(request)
    engine.invalid.clear()
    assert engine.run(Request("c", PROMPT)) == 10 * BLOCK_TOKENS


def test_rotten_blocks_are_computed_and_stored_anew(monkeypatch, own_cluster, model):
    """A node looks at one block at a time that a reader doubts, so many take a while."""
    vllm_stand_in.install(monkeypatch)
    engine = Engine(configuration(own_cluster, model)).connected()
    engine.run(Request("a", PROMPT))
    own_cluster.turn_bits()
    assert load_what_is_rotten(engine, "b") == set(range(10))
    rounds = (f"c{i}" for i in range(1000))
    engine.until(lambda: not load_what_is_rotten(engine, next(rounds)))
    assert engine.run(Request("d", PROMPT)) == 10 * BLOCK_TOKENS
    engine.close()


def load_what_is_rotten(engine, name: str) -> set[int]:
    """The positions that were refused; computed and stored again."""
    request = Request(name, PROMPT)
    engine.allocate(request, engine.matched(request))
    engine.until(lambda: engine.step() or name in engine.received)
    table = engine.tables[name][0]
    refused = {position for position, block in enumerate(table) if block in engine.invalid}
    request.computed = min(refused, default=10) * BLOCK_TOKENS
    assert engine.holds(request, min(refused, default=10))
    engine.allocate(request)
    engine.step(new=request)
    engine.finish(request)
    engine.settle()
    engine.invalid.clear()
    return refused


def test_groups_of_full_and_sliding_attention(config):
    engine = Engine(config, kinds=("full_attention", "sliding_window")).connected()
    assert engine.run(Request("a", PROMPT)) == 0
    assert engine.run(Request("b", PROMPT)) == 10 * BLOCK_TOKENS
    request = Request("c", PROMPT)
    more = engine.matched(request)
    engine.tables["c"] = [[], [0] * 7]  # behind the window: vLLM's null block
    engine.allocate(request, more)
    engine.until(lambda: engine.step() or "c" in engine.received)
    assert not (engine.failed or engine.memory[1, :, 0].any()), "nothing lands in the null block"
    table = engine.tables["c"][1]
    assert (engine.memory[1, :, table[8]] == engine.value(request, 1, 8)).all()
    engine.close()


def test_with_several_groups_a_failure_is_the_whole_requests(config):
    engine = Engine(config, kinds=("full_attention", "sliding_window")).connected()
    engine.run(Request("a", PROMPT))
    request = Request("b", PROMPT)
    more = engine.matched(request)
    request.block_hashes[6] = b"\0" * 32
    engine.allocate(request, more)
    engine.until(lambda: engine.step() or "b" in engine.received)
    assert engine.failed == {"b"} and not engine.invalid
    assert engine.matched(request) == 0
    engine.close()


def test_after_a_reset_nothing_stored_before_is_found(engine):
    """vLLM asks for it when the weights have changed in place."""
    engine.run(Request("a", PROMPT))
    running = Request("b", [7, *PROMPT])
    engine.matched(running)
    engine.allocate(running)
    waiting = Request("c", PROMPT)
    assert engine.matched(waiting) > 0
    assert engine.scheduler.reset_cache()
    engine.step(new=running)
    engine.finish(running)
    engine.settle()
    assert engine.matched(waiting) == 0
    assert engine.run(Request("d", PROMPT)) == 0
    assert engine.run(Request("e", [7, *PROMPT])) == 0, "half of it was computed before"
    assert engine.run(Request("f", PROMPT)) == 10 * BLOCK_TOKENS
    other = Engine(engine.scheduler._vllm_config).connected()
    assert other.run(Request("g", PROMPT)) == 10 * BLOCK_TOKENS, "others have the old weights"
    other.close()


def test_salts_do_not_meet(engine):
    engine.run(Request("a", PROMPT, salt="x"))
    assert engine.run(Request("b", PROMPT, salt="y")) == 0
    assert engine.run(Request("c", PROMPT, salt="x")) > 0


def test_adapters_of_one_name_and_other_weights_do_not_meet(engine, tmp_path):
    adapters = []
    for i in range(2):
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / "adapter.json").write_text(str(i))
        adapters.append(SimpleNamespace(name="one", adapter_id=1, lora_path=str(tmp_path / str(i))))
    chains = engine.scheduler._scheduler._chains
    for adapter in adapters:
        engine.until(lambda a=adapter: chains.of(Request("x", PROMPT, a)) is not None)
    engine.run(Request("a", PROMPT, adapters[0]))
    assert engine.run(Request("b", PROMPT, adapters[1])) == 0
    assert engine.run(Request("c", PROMPT, adapters[0])) > 0
    assert engine.run(Request("d", PROMPT)) == 0
    assert set(chains._mixed) == {"x"}, "what ended is forgotten"


def test_an_adapter_that_cannot_be_read_is_not_shared(engine):
    adapter = SimpleNamespace(name="hub", adapter_id=1, lora_path="some/hub-name")
    assert engine.run(Request("a", PROMPT, adapter)) == 0
    assert engine.run(Request("b", PROMPT, adapter)) == 0


def test_events_tell_what_is_stored_once_it_is(engine):
    request = Request("a", PROMPT)
    engine.run(request)
    engine.until(lambda: engine.step() or engine.events)
    (event,) = engine.events
    assert event.block_hashes == request.block_hashes and event.parent_block_hash is None
    assert event.token_ids == PROMPT[: 10 * BLOCK_TOKENS]
    assert (event.medium, event.block_size) == ("EXTERNAL", BLOCK_TOKENS)


def test_statistics_go_through_vllms_hooks(engine):
    from cairn.vllm.metrics import CairnPromMetrics

    engine.run(Request("a", PROMPT))
    engine.run(Request("b", PROMPT))
    stats = engine.scheduler.get_kv_connector_stats()
    stats = stats.aggregate(engine.worker.get_kv_connector_stats())
    assert not stats.is_empty()
    assert stats.data["hit_tokens"] == 10 * BLOCK_TOKENS
    assert stats.reduce()["cairn_loaded_blocks"] == 10
    assert engine.worker.get_kv_connector_stats() is None
    counted = {}

    def counter(name, documentation, labelnames):
        def labels(*values):
            assert len(values) == len(labelnames)
            return SimpleNamespace(inc=lambda n: counted.update({(name, *values[1:]): n}))

        return SimpleNamespace(labels=labels)

    metrics = CairnPromMetrics(None, {"counter": counter}, ["engine"], {0: ["0"]})
    metrics.observe(stats.data, 0)
    assert counted["vllm:cairn_loaded_blocks",] == 10
    assert counted["vllm:cairn_missed_blocks", "absent"] == 1


def test_without_a_cluster_requests_are_computed(monkeypatch, cluster, model):
    vllm_stand_in.install(monkeypatch)
    engine = Engine(configuration(cluster, model, coordinators="127.0.0.1:1", connect_ms=100))
    for i in range(10):
        assert engine.run(Request(str(i), PROMPT)) == 0
    assert not engine.invalid
    engine.close()


def test_roles_are_kept(config):
    config.kv_transfer_config.is_kv_producer = False
    engine = Engine(config).connected()
    engine.run(Request("a", PROMPT))
    assert engine.run(Request("b", PROMPT)) == 0, "a consumer stores nothing"
    engine.close()
    config.kv_transfer_config.is_kv_producer = True
    config.kv_transfer_config.is_kv_consumer = False
    engine = Engine(config).connected()
    engine.run(Request("a", PROMPT))
    assert engine.run(Request("b", PROMPT)) == 0, "a producer loads nothing"
    engine.close()


def test_a_waiting_request_costs_the_scheduler_microseconds(engine):
    """The bar is 20 us per waiting request and step; here with a margin for a busy machine."""
    waiting = [Request(str(i), [i, *range(300 * BLOCK_TOKENS)]) for i in range(16)]
    for request in waiting:
        engine.matched(request)
    begun = time.thread_time()
    for _ in range(50):
        for request in waiting:
            engine.scheduler.get_num_new_matched_tokens(request, 0)
    spent_us = 1e6 * (time.thread_time() - begun) / (50 * len(waiting))
    assert spent_us < 40, f"{spent_us:.1f} us"


def test_no_call_of_the_scheduler_waits_for_a_stopped_cluster(monkeypatch, own_cluster, model):
    vllm_stand_in.install(monkeypatch)
    engine = Engine(configuration(own_cluster, model, lookup_ms=3000)).connected()
    own_cluster.freeze()
    request, spent_s = Request("a", PROMPT), []
    for _ in range(200):
        begun = time.perf_counter()
        engine.scheduler.get_num_new_matched_tokens(request, 0)
        spent_s.append(time.perf_counter() - begun)
    assert max(spent_s) < 1, "a call waited for its lookup"
    engine.finish(request)
    engine.close()


REFUSALS = [
    (lambda c: c.kv_transfer_config.kv_connector_extra_config.clear(), "coordinators"),
    (lambda c: setattr(c.kv_transfer_config, "kv_load_failure_policy", "fail"), "kv_load_failure"),
    (lambda c: setattr(c.cache_config, "prefix_caching_hash_algo", "xxhash"), "PYTHONHASHSEED"),
    (lambda c: setattr(c.cache_config, "block_size", 32), r"block_size: 16"),
    (lambda c: setattr(c.cache_config, "prefix_match_unit", 8), "prefix_match_unit"),
    (lambda c: setattr(c.model_config, "model", "org/name"), "model: 'org/name'.*model_digest"),
    (lambda c: setattr(c.parallel_config, "decode_context_parallel_size", 2), "decode_context"),
    (
        lambda c: c.kv_transfer_config.kv_connector_extra_config.update(tenant_file="/no"),
        "tenant_file: '/no'",
    ),
    (
        lambda c: c.kv_transfer_config.kv_connector_extra_config.update(model_digest="xyz"),
        "model_digest: 'xyz'",
    ),
]


@pytest.mark.parametrize(("change", "text"), REFUSALS, ids=[text for _, text in REFUSALS])
def test_what_cannot_be_served_rightly_is_refused_by_name(config, change, text, monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    change(config)
    with pytest.raises(Exception, match=text) as caught:
        Engine(config)
    assert type(caught.value).__name__ == "Refusal"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda e: e.caches.kv_cache_groups[0].kv_cache_spec.__setattr__("kind", "mamba"), "mamba"),
        (lambda e: e.tensors.update({"0.0": Tensor(np.zeros((64, 2)), "tpu")}), "device.*tpu"),
        (lambda e: e.tensors.update({"0.1": [1, 2]}), "0.1: 'list'"),
        (
            lambda e: e.tensors.update({"0.1": Tensor(np.zeros((63, 2), np.float32))}),
            r"0\.1\.shape",
        ),
    ],
)
def test_caches_that_are_not_known_are_refused_by_name(engine, change, text):
    change(engine)
    with pytest.raises(Refusal, match=text):
        engine.worker.register_kv_caches(engine.tensors)


def test_engines_with_other_seeds_types_or_weights_do_not_meet(config, monkeypatch, model):
    from cairn.connector import Options
    from cairn.vllm.identity import identity_of

    options = Options.from_mapping(config.kv_transfer_config.kv_connector_extra_config, {})
    seeds = [{}, {"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "1"}]
    found = [identity_of(config, options, seed) for seed in seeds]
    for name, value in (("dtype", "bfloat16"), ("quantization", "fp8")):
        setattr(config.model_config, name, value)
        found.append(identity_of(config, options, {}))
    (model / "config.json").write_text("other")
    found.append(identity_of(config, options, {}))
    digested = dataclasses.replace(options, model_digest="00" * 32)
    found.append(identity_of(config, digested, {}))
    keys = {(one.model_digest, one.hash_scheme, tuple(one.salt.items())) for one in found}
    assert len(keys) == len(found)


def test_copies_of_a_model_in_other_folders_meet(config, model, tmp_path):
    from cairn.connector import Options
    from cairn.vllm.identity import identity_of

    options = Options.from_mapping(config.kv_transfer_config.kv_connector_extra_config, {})
    first = identity_of(config, options, {})
    config.model_config.model = str(model.rename(tmp_path / "elsewhere"))
    assert identity_of(config, options, {}) == first


def test_shares_of_kv_heads_are_counted(config, engine):
    from cairn.vllm import shims

    def groups(*kinds):
        specs = [SimpleNamespace(kv_cache_spec=FullAttentionSpec(kind)) for kind in kinds]
        return SimpleNamespace(kv_cache_groups=specs, kv_tp_replicas=2)

    assert shims.replicas(groups("mla_attention"), config, 8) == 8
    assert shims.replicas(groups("full_attention"), config, 8) == 2
