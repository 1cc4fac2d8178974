"""A HiCache backend over a dictionary that keeps every rule, and for each rule one that breaks it
and no other."""

import threading
import time
from collections import defaultdict
from types import SimpleNamespace

from cairn.conformance import World
from reference_stores import over

STORES: dict[str, SimpleNamespace] = defaultdict(lambda: SimpleNamespace(pages={}, frozen=False))


class Backend:
    def __init__(self, world: World, rank: int) -> None:
        self.world, self.rank = world, rank
        self.store = STORES[world.name]

    def register_mem_pool_host(self, pool):
        self.pool = pool

    def key(self, key):
        return self.rank, key

    def has(self, key) -> bool:
        return self.key(key) in self.store.pages

    def page(self, host_indices, number):
        size = self.world.block_tokens
        first = int(host_indices[number * size])
        return self.pool.kv_buffer.array[:, first : first + size]

    def batch_exists(self, keys, extra_info=None):
        count = 0
        while count < len(keys) and self.has(keys[count]):
            count += 1
        return count

    def batch_set_v1(self, keys, host_indices, extra_info=None):
        return [self.set(key, self.page(host_indices, i)) for i, key in enumerate(keys)]

    def set(self, key, page) -> bool:
        self.store.pages.setdefault(self.key(key), page.copy())
        return True

    def batch_get_v1(self, keys, host_indices, extra_info=None):
        if self.store.frozen:
            return self.frozen(keys, host_indices)
        return [self.get(key, host_indices, i) for i, key in enumerate(keys)]

    def frozen(self, keys, host_indices):
        return [False] * len(keys)

    def get(self, key, host_indices, number) -> bool:
        if not self.has(key):
            return False
        self.page(host_indices, number)[:] = self.store.pages[self.key(key)]
        return True


def factory(backend=Backend):
    """HiCache has no scheduler's side."""
    return over(STORES, lambda world: None, backend)


make = factory()


class LandsOneBatch(Backend):
    def get(self, key, host_indices, number):
        return super().get(key, host_indices, number) if number < 12 else self.has(key)


class TakesPagesInOrder(Backend):
    def page(self, host_indices, number):
        size = self.world.block_tokens
        first = int(host_indices[0]) + number * size
        return self.pool.kv_buffer.array[:, first : first + size]


class CountsOneMore(Backend):
    def batch_exists(self, keys, extra_info=None):
        count = super().batch_exists(keys)
        return count + (count == len(keys))


class CountsAll(Backend):
    def batch_exists(self, keys, extra_info=None):
        return sum(self.has(key) for key in keys)


class KnowsWholeChains(Backend):
    begun: frozenset = frozenset()

    def batch_set_v1(self, keys, host_indices, extra_info=None):
        self.begun |= {keys[0]}
        return super().batch_set_v1(keys, host_indices)

    def batch_exists(self, keys, extra_info=None):
        is_known = not self.begun or keys[0] in self.begun
        return super().batch_exists(keys) if is_known else 0


class ClaimsWhatIsAbsent(Backend):
    def get(self, key, host_indices, number):
        super().get(key, host_indices, number)
        return True


class AnswersEachPiece(Backend):
    def batch_get_v1(self, keys, host_indices, extra_info=None):
        answers = super().batch_get_v1(keys, host_indices)
        return answers + answers


class RefusesWhatIsThere(Backend):
    def set(self, key, page):
        return not self.has(key) and super().set(key, page)


class OneCallAtATime(Backend):
    def __init__(self, world, rank):
        super().__init__(world, rank)
        self.lock = threading.Lock()

    def batch_set_v1(self, keys, host_indices, extra_info=None):
        if not self.lock.acquire(blocking=False):
            raise RuntimeError("in use")
        time.sleep(0.02)
        self.lock.release()
        return super().batch_set_v1(keys, host_indices)


class ForgetsRanks(Backend):
    def key(self, key):
        return key


class WaitsForTheStore(Backend):
    def frozen(self, keys, host_indices):
        time.sleep(0.5)
        return super().frozen(keys, host_indices)


class ClaimsWhatDidNotCome(Backend):
    def frozen(self, keys, host_indices):
        return [True] * len(keys)


class LandsLate(Backend):
    late: tuple = ()

    def frozen(self, keys, host_indices):
        self.late = (keys, host_indices)
        return super().frozen(keys, host_indices)

    def batch_exists(self, keys, extra_info=None):
        if self.late and not self.store.frozen:
            late, self.late = self.late, ()
            self.batch_get_v1(*late)
        return super().batch_exists(keys)


class KeysOfOneProcess(Backend):
    def key(self, key):
        return id(self), key


# By rule: the backend that breaks it, and nothing else.
WRONG = {
    "what_was_set_comes_back": factory(LandsOneBatch),
    "pages_land_where_their_tokens_lie": factory(TakesPagesInOrder),
    "exists_counts_no_more_than_it_was_asked": factory(CountsOneMore),
    "exists_counts_leading_pages": factory(CountsAll),
    "a_lookup_begins_anywhere": factory(KnowsWholeChains),
    "a_page_that_is_absent_is_false": factory(ClaimsWhatIsAbsent),
    "there_is_one_answer_for_each_key": factory(AnswersEachPiece),
    "setting_what_is_there_is_true": factory(RefusesWhatIsThere),
    "four_threads_call_at_once": factory(OneCallAtATime),
    "ranks_do_not_share": factory(ForgetsRanks),
    "a_get_ends_though_the_store_does_not_answer": factory(WaitsForTheStore),
    "a_page_that_did_not_come_is_false": factory(ClaimsWhatDidNotCome),
    "after_a_get_nothing_lands_late": factory(LandsLate),
    "another_process_finds_what_this_one_stored": factory(KeysOfOneProcess),
}
