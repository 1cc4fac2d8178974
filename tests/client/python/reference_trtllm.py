"""A TensorRT-LLM connector over a dictionary that keeps every rule, and for each rule one that
breaks it and no other."""

import hashlib
import time
from collections import defaultdict
from dataclasses import dataclass, field

from cairn.conformance import World
from reference_stores import over

STORES: dict[str, "Store"] = defaultdict(lambda: Store())


@dataclass
class Store:
    pages: dict = field(default_factory=dict)  # (rank, group, key) -> bytes
    frozen: bool = False


@dataclass
class Meta:
    number: int = 0
    loads: list = field(default_factory=list)  # (request, group, page, key)
    saves: list = field(default_factory=list)
    extra: object = None


class Scheduler:
    def __init__(self, world: World) -> None:
        self.world = world
        self.store = STORES[world.name]
        self.requests: dict = {}
        self.next = Meta(1)

    def keys(self, request, tokens) -> list[bytes]:
        size, last = self.world.block_tokens, self.root(request)
        keys = []
        for at in range(0, len(tokens) - size + 1, size):
            last = hashlib.sha256(last + repr(tokens[at : at + size]).encode()).digest()
            keys.append(last)
        return keys

    def root(self, request) -> bytes:
        return repr((request.cache_salt, request.lora_task_id)).encode()

    def held(self, key: bytes) -> bool:
        return all((rank, 0, key) in self.store.pages for rank in range(self.world.ranks))

    def usable(self, tokens) -> int:
        return (len(tokens) - 1) // self.world.block_tokens

    def get_num_new_matched_tokens(self, request, num_computed_tokens):
        tokens = request.get_tokens(0)
        keys = self.keys(request, tokens)
        blocks = 0
        while blocks < min(self.usable(tokens), len(keys)) and self.held(keys[blocks]):
            blocks += 1
        first = num_computed_tokens // self.world.block_tokens
        more = max(0, blocks - first)
        state = {"keys": keys, "first": first, "more": more, "saved": max(blocks, first)}
        self.requests[request.request_id] = {**state, "pages": [], "request": request}
        return self.answer(more * self.world.block_tokens)

    def answer(self, tokens):
        return tokens, tokens > 0

    def update_state_after_alloc(self, request, block_ids):
        self.update_state_after_alloc_by_layer_group(request, [block_ids])

    def update_state_after_alloc_by_layer_group(self, request, block_ids_by_layer_group):
        state = self.requests[request.request_id]
        for group, ids in enumerate(block_ids_by_layer_group):
            for block in range(state["first"], state["first"] + state["more"]):
                load = (request.request_id, group, ids[block], state["keys"][block])
                self.next.loads.append(load)

    def build_connector_meta(self, scheduler_output):
        meta, self.next = self.next, Meta(self.next.number + 1)
        for data in scheduler_output.new_requests:
            self.begin(self.requests[data.request_id])
        for data in self.planned(scheduler_output):
            state = self.requests[data.request_id]
            groups = data.new_block_ids_by_layer_group or [data.new_block_ids]
            state["pages"] = state["pages"] or [[] for _ in groups]
            for ids, new in zip(state["pages"], groups, strict=True):
                ids += new
            full = (data.computed_position + data.num_scheduled_tokens) // self.world.block_tokens
            for block in range(state["saved"], min(full, len(state["pages"][0]))):
                for group, ids in enumerate(state["pages"]):
                    meta.saves.append((group, ids[block], state["keys"][block]))
            state["saved"] = max(state["saved"], full)
        return meta

    def begin(self, state) -> None:
        state["pages"] = []

    def planned(self, output):
        return [*output.new_requests, *output.cached_requests]

    def request_finished(self, request, cache_block_ids):
        self.requests.pop(request.request_id, None)
        return False

    def request_finished_by_layer_group(self, request, cache_block_ids_by_layer_group):
        return self.request_finished(request, [])


class Worker:
    def __init__(self, world: World, rank: int) -> None:
        self.world, self.rank = world, rank
        self.store = STORES[world.name]
        self.groups: list = []
        self.meta: Meta | None = None
        self.done = 0
        self.failed: set[int] = set()
        self.asked: set[int] = set()

    def register_kv_caches(self, tensor):
        self.groups = [tensor]

    def register_kv_cache_layout(self, layout):
        self.groups = [group.regions[0].as_tensor() for group in layout.groups]

    def bind_connector_meta(self, meta):
        self.meta = meta

    def get_connector_meta(self):
        return self.meta

    def start_load_kv(self, stream):
        if self.meta is not None and self.meta.number > self.done:
            self.done = self.meta.number
            self.load(self.meta.loads)

    def load(self, loads) -> None:
        for request_id, group, page, key in loads:
            if self.store.frozen:
                self.failed.add(request_id)
            elif page >= 0:
                self.write(group, page, self.store.pages[self.rank, self.stored(group), key])

    def write(self, group, page, content) -> None:
        self.groups[group][page] = content

    def stored(self, group):
        return group

    def wait_for_layer_load(self, layer_idx, stream): ...

    def save_kv_layer(self, layer_idx, stream): ...

    def wait_for_save(self, stream):
        meta, self.meta = self.meta, Meta(self.meta.number)
        self.save(meta.saves)

    def save(self, saves) -> None:
        for group, page, key in saves:
            if page >= 0:
                self.store.pages[self.rank, group, key] = self.groups[group][page].copy()

    def get_finished(self, finished_gen_req_ids, started_loading_req_ids):
        self.asked.update(started_loading_req_ids)
        loaded = [request_id for request_id in self.asked if request_id not in self.failed]
        self.asked.difference_update(loaded)
        return finished_gen_req_ids, loaded


def factory(scheduler=Scheduler, worker=Worker):
    return over(STORES, scheduler, worker)


make = factory()


class LoadsOneBatch(Worker):
    def load(self, loads):
        super().load(loads[:12])


class KeysOfBlocksAlone(Scheduler):
    def keys(self, request, tokens):
        size, root = self.world.block_tokens, self.root(request)
        blocks = [tokens[at : at + size] for at in range(0, len(tokens) - size + 1, size)]
        return [hashlib.sha256(root + repr(block).encode()).digest() for block in blocks]


class AsynchronousMiss(Scheduler):
    def answer(self, tokens):
        return tokens, True


class SlowQuery(Scheduler):
    def get_num_new_matched_tokens(self, request, num_computed_tokens):
        time.sleep(0.06)
        return super().get_num_new_matched_tokens(request, num_computed_tokens)


class OffersTheWholePrompt(Scheduler):
    def usable(self, tokens):
        return len(tokens) // self.world.block_tokens


class IndexesWithMinusOne(Worker):
    def load(self, loads):
        for _, group, page, key in loads:
            if page < 0 and not self.store.frozen:
                self.write(group, page, self.store.pages[self.rank, group, key])
        super().load(loads)


class ForgetsSalts(Scheduler):
    def root(self, request):
        return repr(request.lora_task_id).encode()


class ForgetsAdapters(Scheduler):
    def root(self, request):
        return repr(request.cache_salt).encode()


class ReportsTwice(Worker):
    def get_finished(self, finished_gen_req_ids, started_loading_req_ids):
        saved, loaded = super().get_finished(finished_gen_req_ids, started_loading_req_ids)
        return saved, loaded + loaded


class AsksRankZeroAlone(Scheduler):
    def held(self, key):
        return (0, 0, key) in self.store.pages


class SendsALambda(Scheduler):
    def build_connector_meta(self, scheduler_output):
        meta = super().build_connector_meta(scheduler_output)
        meta.extra = lambda: None
        return meta


class SkipsEmptySteps(Scheduler):
    def build_connector_meta(self, scheduler_output):
        meta = super().build_connector_meta(scheduler_output)
        if not scheduler_output.new_requests and not scheduler_output.cached_requests:
            self.requests_lost(meta.loads)
        return meta

    def requests_lost(self, loads):
        for request_id in {load[0] for load in loads}:
            loads.append((request_id, 0, -1, b"never"))


class WaitsForNever(Worker):
    def load(self, loads):
        never = {load[0] for load in loads if load[3] == b"never"}
        self.failed |= never
        super().load([load for load in loads if load[3] != b"never"])


class WritesLate(Worker):
    late: tuple = ()

    def start_load_kv(self, stream):
        late, self.late = self.late, ()
        for group, page, content in late:
            self.groups[group][page] = content
        super().start_load_kv(stream)

    def write(self, group, page, content):
        super().write(group, page, content)
        self.late = (*self.late, (group, page, content))


class LoadsWhatIsBound(Worker):
    def start_load_kv(self, stream):
        if self.meta is not None:
            self.load(self.meta.loads)


class SavesMuchLater(Worker):
    later: tuple = ()

    def save(self, saves):
        if len(saves) >= 6:
            self.later = saves
        else:
            super().save(saves)

    def start_load_kv(self, stream):
        later, self.later = self.later, ()
        super().save(later)
        super().start_load_kv(stream)


class OneNumberForAllGroups(Scheduler):
    def update_state_after_alloc_by_layer_group(self, request, block_ids_by_layer_group):
        same = [block_ids_by_layer_group[0] for _ in block_ids_by_layer_group]
        super().update_state_after_alloc_by_layer_group(request, same)


class KeysOfOneProcess(Scheduler):
    def root(self, request):
        return repr(id(self)).encode() + super().root(request)


class ReadsNewRequestsAlone(Scheduler):
    def planned(self, output):
        return output.new_requests


class RemembersOldPages(Scheduler):
    def get_num_new_matched_tokens(self, request, num_computed_tokens):
        known = self.requests.get(request.request_id, {"pages": []})
        answer = super().get_num_new_matched_tokens(request, num_computed_tokens)
        self.requests[request.request_id]["pages"] = known["pages"]
        return answer

    def begin(self, state): ...


class ForgetsCancelled(Scheduler):
    def request_finished(self, request, cache_block_ids):
        loads = self.next.loads
        for load in [load for load in loads if load[0] == request.request_id]:
            loads.remove(load)
            loads.append((request.request_id, 0, -1, b"never"))
        return super().request_finished(request, cache_block_ids)


class ReportsFailedLoads(Worker):
    def get_finished(self, finished_gen_req_ids, started_loading_req_ids):
        return finished_gen_req_ids, started_loading_req_ids


# By rule: the connector that breaks it, and nothing else.
WRONG = {
    "what_one_request_computed_another_loads": factory(worker=LoadsOneBatch),
    "a_block_is_known_by_all_tokens_before_it": factory(KeysOfBlocksAlone),
    "a_miss_is_not_asynchronous": factory(AsynchronousMiss),
    "a_query_is_answered_at_once": factory(SlowQuery),
    "the_last_token_is_left_to_compute": factory(OffersTheWholePrompt),
    "pages_that_are_not_there_are_left_alone": factory(worker=IndexesWithMinusOne),
    "cache_salts_do_not_share": factory(ForgetsSalts),
    "adapters_do_not_share": factory(ForgetsAdapters),
    "finished_names_only_what_was_handed_in": factory(worker=ReportsTwice),
    "a_block_that_one_rank_lacks_is_a_miss": factory(AsksRankZeroAlone),
    "metadata_can_be_pickled": factory(SendsALambda),
    "a_load_begins_though_nothing_is_scheduled": factory(SkipsEmptySteps, WaitsForNever),
    "a_load_that_was_reported_writes_no_more": factory(worker=WritesLate),
    "the_same_metadata_twice_is_one_load": factory(worker=LoadsWhatIsBound),
    "pages_of_a_finished_request_are_not_read": factory(worker=SavesMuchLater),
    "layer_groups_have_pages_of_their_own": factory(OneNumberForAllGroups),
    "another_process_finds_what_this_one_stored": factory(KeysOfOneProcess),
    "pages_of_later_chunks_are_saved": factory(ReadsNewRequestsAlone),
    "a_replay_has_new_pages": factory(RemembersOldPages),
    "a_cancelled_request_ends_its_load": factory(ForgetsCancelled, WaitsForNever),
    "a_load_that_failed_is_not_reported_as_done": factory(worker=ReportsFailedLoads),
}
