"""What cairn.trtllm is made of, without daemons: settings, keys, identity, pages, copies."""

import hashlib
import json
import struct
from types import SimpleNamespace

import cairn_trtllm
import numpy as np
import pytest
import trtllm_stand_in
from cairn.connector import Options, Rank, Refusal
from cairn.connector.device import CudaStream, HostStream
from cairn.connector.staging import Staging
from cairn.trtllm import copies, identity, pages
from cairn.trtllm.chains import SCHEME, Chain, Roots, root_of
from cairn.trtllm.settings import Settings

GIVEN = {"CAIRN_COORDINATORS": "h:1", "CAIRN_TENANT_FILE": "t"}


def test_settings_come_from_the_environment_and_behind_it_from_a_file(tmp_path):
    file = tmp_path / "cairn.json"
    file.write_text(json.dumps({"CAIRN_LOAD_MS": 700, "CAIRN_QUERY_WAIT_US": 5, **GIVEN}))
    settings = Settings.parse({"CAIRN_CONFIG_FILE": str(file), "CAIRN_LOAD_MS": "800"})
    assert settings.options.coordinators == "h:1"
    assert settings.options.load_ms == 800 and settings.query_wait_us == 5


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"CAIRN_TENANT_FILE": "t"}, "CAIRN_COORDINATORS"),
        ({**GIVEN, "CAIRN_LOAD_MS": "soon"}, "CAIRN_LOAD_MS"),
        ({**GIVEN, "CAIRN_QUERY_WAIT_US": "-1"}, "CAIRN_QUERY_WAIT_US"),
        ({**GIVEN, "CAIRN_STAGING_BYTES": "7"}, "CAIRN_STAGING_BYTES"),
        ({**GIVEN, "CAIRN_LORA_ADAPTERS": "1=/no/such/folder"}, "CAIRN_LORA_ADAPTERS"),
        ({**GIVEN, "CAIRN_LORA_ADAPTERS": "one=."}, "CAIRN_LORA_ADAPTERS"),
        ({**GIVEN, "CAIRN_CONFIG_FILE": "/no/such/file"}, "CAIRN_CONFIG_FILE"),
        ({**GIVEN, "CAIRN_LEASE_MS": "1000"}, "CAIRN_LEASE_MS"),
    ],
)
def test_a_wrong_setting_is_refused_by_the_name_of_its_variable(given, name):
    with pytest.raises(Refusal, match=f"cairn: {name}: "):
        Settings.parse(given)


def test_a_file_that_is_no_object_of_names_is_refused(tmp_path):
    for text in ("[1]", '{"coordinators": "h:1"}', "{"):
        (tmp_path / "f").write_text(text)
        with pytest.raises(Refusal, match="CAIRN_CONFIG_FILE"):
            Settings.parse({"CAIRN_CONFIG_FILE": str(tmp_path / "f")})


def test_a_chain_is_hashed_as_its_document_says():
    tokens = list(range(70, 80))
    chain = Chain(4, root_of(["salt", None], b""))
    chain.extend(tokens[:5])
    chain.extend(tokens)
    words = struct.pack("<?Q", True, 4) + b"salt" + struct.pack("<?Q", False, 0)
    last = hashlib.sha256(SCHEME.encode() + words).digest()
    for at in (0, 4):
        last = hashlib.sha256(last + struct.pack("<4I", *tokens[at : at + 4])).digest()
        assert chain.hashes[at // 4] == last
    assert len(chain.hashes) == 2, "two tokens are no block"


def test_an_empty_salt_is_not_no_salt():
    roots = {root_of([salt], b"") for salt in (None, "", "0")}
    assert len(roots) == 3


@pytest.mark.parametrize("name", ["multimodal_hashes", "prompt_embedding_table"])
def test_what_is_more_than_tokens_is_not_shared(name):
    assert Roots({}).of(SimpleNamespace(cache_salt=None)) is not None
    assert Roots({}).of(SimpleNamespace(**{name: [1]})) is None


def test_an_adapter_is_shared_by_its_weights_and_not_by_its_number():
    first, other = Roots({1: b"a" * 32}), Roots({4: b"a" * 32, 1: b"b" * 32})
    assert first.of(SimpleNamespace(lora_task_id=1)) == other.of(SimpleNamespace(lora_task_id=4))
    assert first.of(SimpleNamespace(lora_task_id=1)) != other.of(SimpleNamespace(lora_task_id=1))
    assert first.of(SimpleNamespace(lora_task_id=9)) is None, "nobody said what its weights are"


def arguments(**fields):
    cache = SimpleNamespace(tokens_per_block=16, dtype="auto")
    return SimpleNamespace(model="no folder", kv_cache_config=cache, **fields)


def options(**given) -> Options:
    return Options.from_mapping({"coordinators": "h:1", "tenant_file": "t", **given}, {})


def test_a_model_that_cannot_be_told_apart_is_refused():
    with pytest.raises(Refusal, match="CAIRN_MODEL_DIGEST"):
        identity.identity_of(arguments(), options(), "1")
    with pytest.raises(Refusal, match="64 hexadecimal"):
        identity.identity_of(arguments(), options(model_digest="xyz"), "1")


@pytest.mark.parametrize("change", ["version", "attn_backend", "dtype", "quant_config"])
def test_whatever_lays_out_pages_differently_is_another_namespace(change):
    (group,) = pages.of_tensor(np.zeros((4, 2, 2, 512), np.float32))
    fields, version = {}, "1"
    if change == "version":
        version = "2"
    elif change == "quant_config":
        fields[change] = SimpleNamespace(quant_algo="FP8", kv_cache_quant_algo=None)
    else:
        fields[change] = "other"
    digest = options(model_digest="ab" * 32)
    plain = identity.identity_of(arguments(), digest, "1")
    other = identity.identity_of(arguments(**fields), digest, version)
    assert plain.namespace(group, Rank()) != other.namespace(group, Rank())


@pytest.mark.parametrize("field", ["pipeline_parallel_size", "context_parallel_size"])
def test_parallel_kinds_that_are_not_known_are_refused(field):
    assert identity.tensor_ranks(arguments(tensor_parallel_size=4)) == 4
    with pytest.raises(Refusal, match=field):
        identity.tensor_ranks(arguments(**{field: 2}))


def test_each_rank_has_a_namespace_and_latent_caches_have_one():
    made = identity.identity_of(arguments(), options(model_digest="ab" * 32), "1")
    halves = pages.of_tensor(np.zeros((4, 2, 2, 512), np.float32))
    latent = pages.of_tensor(np.zeros((4, 2, 1, 1024), np.float32))
    assert len(identity.all_namespaces(made, halves, 4)) == 4
    assert len(identity.all_namespaces(made, latent, 4)) == 1
    assert [identity.rank_of(i, 4, latent).writes for i in range(4)] == [True] + [False] * 3


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((4, 2, 2048), np.float32),
        np.zeros((4, 2, 2, 1024), np.float32)[:, :, :, ::2],
        np.zeros((4, 1, 2, 8), np.float32),
    ],
)
def test_tensors_of_another_shape_are_refused(tensor):
    with pytest.raises(Refusal):
        pages.of_tensor(tensor)


def test_replicated_side_caches_are_refused():
    group = SimpleNamespace(layer_group_id=0, replicated_regions=(1,))
    with pytest.raises(Refusal, match="replicated_regions"):
        pages.of_layout(SimpleNamespace(groups=[group]))


@pytest.mark.parametrize(
    ("ids", "runs"),
    [
        ([], []),
        ([-1, -1], []),
        ([3, 4], [(0, 2)]),
        ([-1, 5, 6, -1, 0], [(1, 3), (4, 5)]),
    ],
)
def test_pages_that_are_not_there_split_a_job(ids, runs):
    assert pages.valid_runs(ids) == runs


def test_staging_is_bounded_and_refused_when_too_small():
    (group,) = pages.of_tensor(np.zeros((8, 2, 2, 512), np.float32))
    stream = HostStream()
    staging = Staging(group.block_bytes, group.pages, 1 << 30, stream.allocate)
    assert staging.rows.shape == (16, group.block_bytes), "no more than two of each page"
    assert set(staging.loads.take(8)).isdisjoint(staging.saves.take(8))
    with pytest.raises(Refusal, match="CAIRN_STAGING_BYTES"):
        Staging(
            group.block_bytes,
            group.pages,
            group.block_bytes,
            stream.allocate,
            "CAIRN_STAGING_BYTES",
        )


def test_a_page_of_several_regions_is_staged_in_their_order():
    rows = (np.arange(4 * 4096, dtype=np.int64).astype(np.uint8).reshape(4, 4096),)
    rows += (np.full((4, 512), 9, np.uint8),)
    group = pages.PageGroup(rows, "bytes", "f", 2, latent=False)
    staged = np.zeros((2, group.block_bytes), np.uint8)
    stream = HostStream()
    assert stream.run(lambda: copies.make(copies.pairs(group, [3], staged, [1], False)), None)()
    assert np.array_equal(staged[1], np.concatenate([rows[0][3], rows[1][3]]))
    rows[0][2], rows[1][2] = 0, 0
    stream.run(lambda: copies.make(copies.pairs(group, [2], staged, [1], True)), None)
    assert np.array_equal(rows[0][2], rows[0][3]) and (rows[1][2] == 9).all()


class FakeCuda:
    """Of torch.cuda, what CudaStream uses; writes down in which order."""

    def __init__(self) -> None:
        self.log: list[tuple] = []

    def Stream(self, device):
        return FakeStream(self, "ours")

    def Event(self):
        event = SimpleNamespace(query=lambda: True)
        event.record = lambda stream: self.log.append(("record", stream.name))
        return event

    def stream(self, stream):
        import contextlib

        self.log.append(("on", stream.name))
        return contextlib.nullcontext()


class FakeStream:
    def __init__(self, cuda, name: str) -> None:
        self.cuda, self.name = cuda, name

    def wait_event(self, event) -> None:
        self.cuda.log.append(("wait_event", self.name))

    def wait_stream(self, other) -> None:
        self.cuda.log.append(("wait_stream", self.name, other.name))


def test_on_a_gpu_copies_wait_for_the_engine_and_the_engine_for_copies():
    cuda = FakeCuda()
    stream = CudaStream(cuda, "cuda:0")
    engine = FakeStream(cuda, "engine")
    target = SimpleNamespace(copy_=lambda source, non_blocking: cuda.log.append(("copy", source)))
    ended = stream.run(lambda: copies.make([(target, "page")]), stream.mark(engine))
    stream.engine_waits(engine)
    assert ended()
    assert cuda.log == [
        ("record", "engine"),
        ("wait_event", "ours"),
        ("on", "ours"),
        ("copy", "page"),
        ("record", "ours"),
        ("wait_stream", "engine", "ours"),
    ]


@pytest.mark.parametrize("path", [trtllm_stand_in.NEW_PATH, trtllm_stand_in.OLD_PATH])
def test_both_places_of_the_base_classes_are_known(path):
    trtllm_stand_in.install(path)
    import cairn.trtllm
    from cairn.trtllm import adapter

    try:
        assert cairn.trtllm.CairnWorker is adapter.CairnWorker
        assert issubclass(adapter.CairnScheduler, trtllm_stand_in.KvCacheConnectorScheduler)
        grouped = ("update_state_after_alloc_by_layer_group", "request_finished_by_layer_group")
        assert all(name in vars(adapter.CairnScheduler) for name in grouped)
        assert "register_kv_cache_layout" in vars(adapter.CairnWorker)
    finally:
        trtllm_stand_in.install()


def test_a_tenant_file_that_is_not_there_is_refused_at_the_start():
    trtllm_stand_in.install()
    from cairn.trtllm import adapter

    nowhere = SimpleNamespace(coordinator="h:1", tenant_file="/no/such/file")
    refused = pytest.raises(Refusal, match="CAIRN_TENANT_FILE")
    with cairn_trtllm.environment_of(nowhere, "m"), refused:
        adapter.CairnWorker(arguments())
