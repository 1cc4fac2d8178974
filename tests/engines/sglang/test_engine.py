"""The oracle: greedy tokens with Cairn are those without it, whatever happens to Cairn."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tiny_llama
from conftest import ROOT, extra_config
from daemons import running_cluster

HERE = Path(__file__).resolve().parent
PAGE_TOKENS = 16
# 300 tokens, of which the second shares 200: 18 pages; 12 of them, and 6 of its own.
PROMPTS = [list(range(3, 303)), list(range(3, 203)) + list(range(7, 107))]
PAGES = [18, 6]
ANSWER_S = 400  # a start takes 50 s alone on two cores
STORED_S = 60
DOWN_S = 60  # two prompts without Cairn, on a busy machine: far less than its deadlines' sum


class Engine:
    """A process of engine.py."""

    def __init__(self, folder, model, config=None):
        folder.mkdir()
        self.calls = folder / "calls"
        self.flip = folder / "flip"
        self._log = folder / "log"
        paths = [HERE / "shim", ROOT / "client" / "python"]
        environment = {
            **os.environ,
            "PYTHONPATH": ":".join(map(str, paths)),
            "HF_HUB_OFFLINE": "1",
            "CAIRN_SHIM_LOG": str(self.calls),
            "CAIRN_SHIM_FLIP": str(self.flip),
        }
        command = [sys.executable, str(HERE / "engine.py"), str(model)]
        command += [json.dumps(config)] if config else []
        with open(self._log, "w") as log:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def wait_until_ready(self):
        assert self._answer() == "ready"

    def generate(self, prompts=PROMPTS):
        return json.loads(self._ask({"generate": prompts}))

    def flush(self):
        until = time.monotonic() + ANSWER_S
        while not json.loads(self._ask({"flush": True})):
            assert time.monotonic() < until, self._log.read_text()[-2000:]
            time.sleep(0.02)

    def logged(self, call):
        if not self.calls.exists():
            return []
        lines = [json.loads(line) for line in self.calls.read_text().splitlines()]
        return [line for line in lines if line["call"] == call]

    def wait_until_stored(self, pages):
        until = time.monotonic() + STORED_S
        while sum(sum(line["result"]) for line in self.logged("batch_set_v1")) < pages:
            assert time.monotonic() < until, self._log.read_text()[-2000:]
            time.sleep(0.02)

    def count(self, name):
        """A counter of our backend, after its last call."""
        return json.loads(self.calls.read_text().splitlines()[-1])["statistics"].get(name, 0)

    def close(self):
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        self._process.kill()
        self._process.wait()

    def _ask(self, command):
        print(json.dumps(command), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        late = threading.Timer(ANSWER_S, self._process.kill)
        late.start()
        try:
            for line in self._process.stdout:
                if line.startswith("RESULT "):
                    return line.removeprefix("RESULT ").strip()
        finally:
            late.cancel()
        raise AssertionError(self._log.read_text()[-4000:])


def tokens(answers):
    return [answer["tokens"] for answer in answers]


def storage_pages(answers):
    return [answer["storage"] // PAGE_TOKENS for answer in answers]


@pytest.fixture(scope="module")
def cairn(tmp_path_factory):
    with running_cluster(tmp_path_factory.mktemp("cairn")) as running:
        yield running


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_llama.write(folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory, cairn, model):
    """What an engine without a cache says, and one that fills Cairn and then reads it."""
    folder = tmp_path_factory.mktemp("runs")
    engines = [Engine(folder / "plain", model), Engine(folder / "cold", model, extra_config(cairn))]
    try:
        for engine in engines:
            engine.wait_until_ready()
        plain, cold = (engine.generate() for engine in engines)
        engines[1].wait_until_stored(sum(PAGES))
        engines[1].flush()
        warm = engines[1].generate()
    finally:
        for engine in engines:
            engine.close()
    return {"plain": plain, "cold": cold, "warm": warm, "stored": engines[1].logged("batch_set_v1")}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, cairn, model, runs):
    """Another process, for all of the tests below: they leave it as they found it."""
    engine = Engine(tmp_path_factory.mktemp("fresh") / "run", model, extra_config(cairn))
    try:
        engine.wait_until_ready()
        yield engine
    finally:
        engine.close()


def test_filling_cairn_changes_no_token(runs):
    assert tokens(runs["cold"]) == tokens(runs["plain"])
    assert storage_pages(runs["cold"]) == [0, 0]


def test_reading_it_back_changes_no_token(runs):
    assert tokens(runs["warm"]) == tokens(runs["plain"])
    assert storage_pages(runs["warm"]) == PAGES


def test_a_fresh_process_reads_it_and_changes_no_token(runs, fresh):
    answers = fresh.generate()
    assert tokens(answers) == tokens(runs["plain"])
    assert storage_pages(answers) == PAGES


def test_the_tokens_depend_on_what_was_read(runs, fresh):
    """Else the tests here would pass with any bytes."""
    fresh.flush()
    fresh.flip.touch()
    spoiled = fresh.generate()
    fresh.flip.unlink()
    assert storage_pages(spoiled) == PAGES
    assert all(s != p for s, p in zip(tokens(spoiled), tokens(runs["plain"]), strict=True))


def test_a_stored_byte_that_rots_is_noticed_and_its_page_computed(runs, fresh, cairn):
    page = 5
    head = bytes.fromhex(runs["stored"][0]["heads"][page])
    assert flip_in_memory(cairn.process.pid, head) > 0
    fresh.flush()
    answers = fresh.generate()
    assert tokens(answers) == tokens(runs["plain"])
    assert storage_pages(answers)[0] == page
    assert fresh.count("wrong_bytes_blocks") > 0


def test_a_frozen_cairn_costs_its_deadline_and_no_token(runs, fresh, cairn):
    fresh.flush()
    cairn.freeze()
    begin = time.monotonic()
    answers = fresh.generate()
    seconds = time.monotonic() - begin
    cairn.process.send_signal(signal.SIGCONT)
    assert tokens(answers) == tokens(runs["plain"])
    assert storage_pages(answers) == [0, 0]
    assert seconds < DOWN_S


def test_it_is_used_again_when_it_answers_again(runs, fresh):
    until = time.monotonic() + 60
    while True:
        fresh.flush()
        answers = fresh.generate()
        assert tokens(answers) == tokens(runs["plain"])
        if storage_pages(answers) == PAGES:
            return
        assert time.monotonic() < until


def test_a_killed_cairn_costs_no_token(runs, fresh, cairn):
    fresh.flush()
    cairn.process.kill()
    cairn.process.wait()
    begin = time.monotonic()
    answers = fresh.generate()
    assert tokens(answers) == tokens(runs["plain"])
    assert storage_pages(answers) == [0, 0]
    assert time.monotonic() - begin < DOWN_S


def flip_in_memory(pid, needle):
    """One bit of each copy that the process has in memory that it may write."""
    found = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for line in maps:
            places, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            begin, end = (int(place, 16) for place in places.split("-"))
            try:
                memory.seek(begin)
                content = memory.read(end - begin)
            except (OSError, ValueError, OverflowError):
                continue
            at = content.find(needle)
            while at >= 0:
                memory.seek(begin + at)
                memory.write(bytes([needle[0] ^ 1]))
                found += 1
                at = content.find(needle, at + 1)
    return found
