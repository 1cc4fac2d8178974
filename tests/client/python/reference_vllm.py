"""A vLLM connector over a dictionary that keeps every rule, and for each rule one that breaks it
and no other."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace

from cairn.conformance import World
from reference_stores import over

STORES: dict[str, SimpleNamespace] = defaultdict(lambda: SimpleNamespace(blocks={}, frozen=False))


@dataclass
class Meta:
    loads: list = field(default_factory=list)  # (request, block, key)
    saves: list = field(default_factory=list)  # (block, key)
    written: list = field(default_factory=list)
    extra: object = None


class Scheduler:
    def __init__(self, world: World) -> None:
        self.world = world
        self.store = STORES[world.name]
        self.tables: dict[str, list[int]] = {}
        self.requests: dict = {}
        self.saved: dict[str, int] = {}
        self.known: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.next = Meta()

    def key(self, request, position) -> bytes:
        return request.block_hashes[position]

    def held(self, key: bytes) -> bool:
        return all((rank, key) in self.store.blocks for rank in range(self.world.ranks))

    def get_num_new_matched_tokens(self, request, num_computed_tokens):
        asked = self.asked.get(request.request_id, 0)
        self.asked[request.request_id] = asked + 1
        if asked == 0:
            return None, False
        usable = (request.num_tokens - 1) // self.world.block_tokens
        blocks = 0
        while blocks < usable and self.held(self.key(request, blocks)):
            blocks += 1
        first = num_computed_tokens // self.world.block_tokens
        self.known[request.request_id] = first
        return self.answer(request, self.beyond(blocks, first) * self.world.block_tokens)

    def beyond(self, blocks, first):
        return max(0, blocks - first)

    def answer(self, request, tokens):
        return tokens, tokens > 0

    def update_state_after_alloc(self, request, blocks, num_external_tokens):
        (ids,) = blocks.get_block_ids()
        first = self.known.get(request.request_id, 0)
        count = self.to_load(request, num_external_tokens) // self.world.block_tokens
        self.requests[request.request_id] = request
        if count:
            self.saved[request.request_id] = first + count
        for position in range(first, first + count):
            self.next.loads.append((request.request_id, ids[position], self.key(request, position)))

    def to_load(self, request, num_external_tokens):
        return num_external_tokens

    def build_connector_meta(self, scheduled):
        meta, self.next = self.next, Meta()
        computed = {}
        for new in scheduled.scheduled_new_reqs:
            self.tables[new.req_id] = list(new.block_ids[0])
            meta.written += new.block_ids[0]
            computed[new.req_id] = new.num_computed_tokens
        cached = scheduled.scheduled_cached_reqs
        for number, request_id in enumerate(cached.req_ids):
            self.take(cached, number, request_id, meta)
            computed[request_id] = cached.num_computed_tokens[number]
        for request_id, count in scheduled.num_scheduled_tokens.items():
            full = (computed[request_id] + count) // self.world.block_tokens
            table = self.tables[request_id]
            for position in range(self.saved.get(request_id, 0), min(full, len(table))):
                key = self.key(self.requests[request_id], position)
                meta.saves.append((table[position], key))
            self.saved[request_id] = max(self.saved.get(request_id, 0), full)
        return meta

    def take(self, cached, number, request_id, meta):
        new = cached.new_block_ids[number]
        if request_id in cached.resumed_req_ids:
            self.tables[request_id] = list(new[0])
        elif new:
            self.tables[request_id] += new[0]
        meta.written += new[0] if new else []

    def update_connector_output(self, output): ...

    def request_finished(self, request, block_ids):
        for known in (self.requests, self.tables, self.saved, self.known):
            known.pop(request.request_id, None)
        return False, None


class Worker:
    def __init__(self, world: World, rank: int) -> None:
        self.world, self.rank = world, rank
        self.store = STORES[world.name]
        self.caches: list = []
        self.meta = Meta()
        self.received: set[str] = set()
        self.bad: set[int] = set()

    def register_kv_caches(self, caches):
        self.caches = list(caches.values())

    def handle_preemptions(self, meta): ...

    def bind_connector_metadata(self, meta):
        self.meta = meta

    def start_load_kv(self, context):
        self.load(self.meta.loads)

    def load(self, loads):
        for request_id, block, key in loads:
            self.received.add(request_id)
            if self.store.frozen:
                self.bad.add(block)
                continue
            for layer, content in zip(self.caches, self.store.blocks[self.rank, key], strict=True):
                layer[block] = content

    def wait_for_layer_load(self, name): ...

    def save_kv_layer(self, name, layer, attention): ...

    def wait_for_save(self):
        self.save(self.meta.saves)

    def save(self, saves):
        for block, key in saves:
            self.store.blocks[self.rank, key] = [layer[block].copy() for layer in self.caches]

    def get_transfer_results(self, finished):
        received, self.received = self.received, set()
        return SimpleNamespace(
            finished_sending=None, finished_recving=received, failed_recving=set()
        )

    def get_block_ids_with_load_errors(self):
        bad, self.bad = self.bad, set()
        return bad


def factory(scheduler=Scheduler, worker=Worker):
    return over(STORES, scheduler, worker)


make = factory()


class LoadsOneBatch(Worker):
    def load(self, loads):
        super().load(loads[:12])


class AsynchronousMiss(Scheduler):
    def answer(self, request, tokens):
        return tokens, True


class AnswersOnce(Scheduler):
    def answer(self, request, tokens):
        return super().answer(request, tokens if self.asked[request.request_id] == 2 else 0)


class CountsFromTheStart(Scheduler):
    def beyond(self, blocks, first):
        return blocks


class Blocks(Scheduler):
    def get_num_new_matched_tokens(self, request, num_computed_tokens):
        time.sleep(0.06)
        return super().get_num_new_matched_tokens(request, num_computed_tokens)


class LoadsAtEachAllocation(Scheduler):
    def to_load(self, request, num_external_tokens):
        name = f"tokens of {request.request_id}"
        self.asked[name] = num_external_tokens or self.asked.get(name, 0)
        return self.asked[name]

    def update_state_after_alloc(self, request, blocks, num_external_tokens):
        before = len(self.next.loads)
        super().update_state_after_alloc(request, blocks, num_external_tokens)
        if not num_external_tokens:
            again = [("", block, key) for _, block, key in self.next.loads[before:]]
            self.next.loads[before:] = again


class ReportsNamedLoads(Worker):
    def load(self, loads):
        super().load(loads)
        self.received.discard("")


class KnowsAllocatedRequestsAlone(Scheduler):
    def request_finished(self, request, block_ids):
        del self.requests[request.request_id]
        return super().request_finished(request, block_ids)


class ForgetsAborted(Scheduler):
    def request_finished(self, request, block_ids):
        mine = [load for load in self.next.loads if load[0] == request.request_id]
        self.next.loads = [load for load in self.next.loads if load not in mine]
        return super().request_finished(request, block_ids)


class NeverFences(Worker):
    later: tuple = ()

    def wait_for_save(self):
        super().save(self.later)
        self.later = self.meta.saves if len(self.meta.saves) >= 6 else ()
        if not self.later:
            super().wait_for_save()

    def get_transfer_results(self, finished):
        if not self.meta.saves:
            super().save(self.later)
            self.later = ()
        return super().get_transfer_results(finished)


class AppendsResumed(Scheduler):
    def take(self, cached, number, request_id, meta):
        cached = SimpleNamespace(new_block_ids=cached.new_block_ids, resumed_req_ids=set())
        super().take(cached, number, request_id, meta)


class AsksRankZeroAlone(Scheduler):
    def held(self, key):
        return (0, key) in self.store.blocks


class HidesFailedLoads(Worker):
    def get_block_ids_with_load_errors(self):
        return set()


class SendsALambda(Scheduler):
    def build_connector_meta(self, scheduled):
        meta = super().build_connector_meta(scheduled)
        meta.extra = lambda: None
        return meta


class TakesTheListsAway(Scheduler):
    def build_connector_meta(self, scheduled):
        meta = super().build_connector_meta(scheduled)
        scheduled.scheduled_new_reqs.clear()
        return meta


class ReportsTwice(Worker):
    again: tuple = ()

    def get_transfer_results(self, finished):
        results = super().get_transfer_results(finished)
        results.finished_recving |= set(self.again)
        self.again = tuple(results.finished_recving - set(self.again))
        return results


class ReadsNewRequestsAlone(Scheduler):
    def take(self, cached, number, request_id, meta):
        if request_id in cached.resumed_req_ids:
            super().take(cached, number, request_id, meta)


class KeysOfOneProcess(Scheduler):
    def key(self, request, position):
        return repr(id(self)).encode() + super().key(request, position)


# By rule: the connector that breaks it, and nothing else.
WRONG = {
    "what_one_request_computed_another_loads": factory(worker=LoadsOneBatch),
    "a_miss_is_not_asynchronous": factory(AsynchronousMiss),
    "asking_again_gives_the_same_answer": factory(AnswersOnce),
    "the_answer_counts_from_the_local_hit": factory(CountsFromTheStart),
    "asking_does_not_block": factory(Blocks),
    "the_second_allocation_loads_nothing": factory(LoadsAtEachAllocation, ReportsNamedLoads),
    "a_request_may_end_before_it_has_blocks": factory(KnowsAllocatedRequestsAlone),
    "a_request_may_end_while_it_loads": factory(ForgetsAborted),
    "saves_are_fenced_before_their_blocks_are_written": factory(worker=NeverFences),
    "a_preempted_request_has_new_blocks": factory(AppendsResumed),
    "a_block_that_one_rank_lacks_is_a_miss": factory(AsksRankZeroAlone),
    "a_load_that_failed_is_reported": factory(worker=HidesFailedLoads),
    "metadata_can_be_pickled": factory(SendsALambda),
    "the_scheduler_output_is_left_alone": factory(TakesTheListsAway),
    "only_what_is_waited_for_is_reported": factory(worker=ReportsTwice),
    "blocks_of_later_steps_are_saved": factory(ReadsNewRequestsAlone),
    "another_process_finds_what_this_one_stored": factory(KeysOfOneProcess),
}
