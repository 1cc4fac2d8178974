"""Modules under TensorRT-LLM's names with the base classes that an adapter sees of it."""

import sys
import types
from abc import ABC, abstractmethod

NEW_PATH = "tensorrt_llm._torch.pyexecutor.connectors.kv_cache_connector"
OLD_PATH = "tensorrt_llm._torch.pyexecutor.kv_cache_connector"


class KvCacheConnectorScheduler(ABC):
    def __init__(self, llm_args):
        self._llm_args = llm_args

    @abstractmethod
    def build_connector_meta(self, scheduler_output): ...

    @abstractmethod
    def get_num_new_matched_tokens(self, request, num_computed_tokens): ...

    @abstractmethod
    def request_finished(self, request, cache_block_ids): ...

    @abstractmethod
    def update_state_after_alloc(self, request, block_ids): ...


class KvCacheConnectorWorker(ABC):
    def __init__(self, llm_args):
        self._llm_args = llm_args
        self._metadata = None

    def bind_connector_meta(self, metadata):
        self._metadata = metadata

    def get_connector_meta(self):
        return self._metadata

    @abstractmethod
    def register_kv_caches(self, kv_cache_tensor): ...

    @abstractmethod
    def start_load_kv(self, stream): ...

    @abstractmethod
    def wait_for_layer_load(self, layer_idx, stream): ...

    @abstractmethod
    def save_kv_layer(self, layer_idx, stream): ...

    @abstractmethod
    def wait_for_save(self, stream): ...

    @abstractmethod
    def get_finished(self, finished_gen_req_ids, started_loading_req_ids): ...


def modules(path: str = NEW_PATH) -> dict[str, types.ModuleType]:
    names = path.split(".")
    made = {}
    for count in range(1, len(names) + 1):
        module = types.ModuleType(".".join(names[:count]))
        module.__path__ = []
        made[module.__name__] = module
    made["tensorrt_llm"].__version__ = "1.3.0-stand-in"
    made[path].KvCacheConnectorScheduler = KvCacheConnectorScheduler
    made[path].KvCacheConnectorWorker = KvCacheConnectorWorker
    utils = types.ModuleType("tensorrt_llm._utils")
    utils.mpi_rank = lambda: 0
    made[utils.__name__] = utils
    return made


def install(path: str = NEW_PATH) -> None:
    """cairn.trtllm.adapter then imports these."""
    for name in [name for name in sys.modules if name.startswith("tensorrt_llm")]:
        del sys.modules[name]
    sys.modules.pop("cairn.trtllm.adapter", None)
    sys.modules.update(modules(path))
