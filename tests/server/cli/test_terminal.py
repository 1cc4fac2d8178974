"""What the commands write to a terminal, and that they write it nowhere else."""

import re

import pytest
from conftest import CAIRN, plain_environment
from pseudo_terminal import COLOR, ESCAPE, Terminal

HOME = "\x1b[H"
CTRL_C = "\x03"


@pytest.fixture
def terminal(tmp_path):
    def start(*words, size=(24, 120), **environment):
        command = [CAIRN, *words]
        return Terminal(command, plain_environment(**environment), tmp_path, size)

    return start


def frames(text):
    """The pictures that top drew, without colours and line ends."""
    return [ESCAPE.sub("", frame).replace("\r", "") for frame in text.split(HOME)[1:]]


def test_top_draws_over_itself_until_ctrl_c(terminal, admin):
    with terminal("top", *admin, "--interval", "100ms") as top:
        top.expect(r"(?s)(cluster .*GETS/S.*){2}every 100ms; Ctrl-C ends")
        top.type(CTRL_C)
        assert top.wait() == 0
    first, *others = frames(top.text)
    assert "GETS/S" not in first and "ready" in first, "the first look needs no second"
    assert all("GETS/S" in frame for frame in others)
    assert COLOR.search(top.text)


def test_top_fits_into_a_small_terminal(terminal, admin):
    with terminal("top", *admin, "--rounds", 2, "--interval", "100ms", size=(5, 40)) as top:
        assert top.wait() == 0
    for frame in frames(top.text):
        lines = frame.rstrip("\n").split("\n")
        assert len(lines) <= 4, frame
        assert max(len(line) for line in lines) <= 40, frame
        assert "more lines" in lines[-1]


def test_top_elsewhere_writes_plain_lines(run, admin):
    text = run("top", *admin, "--rounds", 2, "--interval", "100ms").stdout
    assert "\x1b" not in text and "Ctrl-C" not in text
    assert text.count("cluster ") == 2


@pytest.mark.parametrize("command", ["status", "top"])
def test_no_color_leaves_the_words(terminal, admin, command):
    words = ["--rounds", 1, "--interval", "100ms"] if command == "top" else []
    with terminal(command, *admin, *words, NO_COLOR="1") as plain:
        assert plain.wait() == 0
    assert not COLOR.search(plain.text)
    assert "ready" in plain.text


@pytest.mark.parametrize(
    "environment", [{"NO_COLOR": "1"}, {"CLICOLOR": "0"}, {"TERM": "dumb"}], ids=str
)
def test_colours_can_be_turned_off(terminal, environment):
    with terminal("doctor", **environment) as plain:
        plain.wait()
    assert "\x1b" not in plain.text


def test_colours_can_be_forced_into_a_pipe(run):
    assert COLOR.search(run("doctor", CLICOLOR_FORCE="1").stdout)
    assert "\x1b" not in run("doctor").stdout
    assert "\x1b" not in run("doctor", CLICOLOR_FORCE="1", NO_COLOR="1").stdout


def test_json_has_no_colour_on_a_terminal(terminal, admin):
    with terminal("status", *admin, "--json") as status:
        assert status.wait() == 0
    assert "\x1b" not in status.text


def test_progress_redraws_one_line_on_a_terminal(terminal, tenant):
    words = ["--seconds", 1, "--working-set", "1MiB"]
    with terminal("bench", *tenant, *words) as bench:
        assert bench.wait() == 0
    progress, summary = bench.text.split("done", 1)
    assert progress.count("\r[") >= 3 and "\n" not in progress
    assert COLOR.search(progress)
    assert re.match(r"\x1b\[K\r?\nmoved ", summary.lstrip()) or "moved" in summary


def test_progress_without_colour_still_redraws(terminal, tenant):
    words = ["--seconds", 1, "--working-set", "1MiB"]
    with terminal("bench", *tenant, *words, NO_COLOR="1") as bench:
        assert bench.wait() == 0
    assert "\r[" in bench.text and not COLOR.search(bench.text)


def test_progress_in_a_log_is_a_line_a_tenth(run, tenant):
    log = run("bench", *tenant, "--seconds", 1, "--working-set", "1MiB").stderr
    lines = log.splitlines()
    assert 3 <= len(lines) <= 11
    assert all(re.match(r"bench: \[[#.]{24}\] +\d+ %", line) for line in lines), log
    assert "\r" not in log and "\x1b" not in log


def test_a_mistake_before_any_progress_stands_alone(terminal, tenant):
    with terminal("replay", *tenant, "--trace", "absent.jsonl") as replay:
        assert replay.wait() == 2
    assert replay.text.startswith("cairn: ")


def test_ctrl_c_ends_a_load_with_its_summary(terminal, tenant):
    with terminal("bench", *tenant, "--seconds", 60, "--working-set", "1MiB") as bench:
        bench.expect(r"[KMG]B moved")
        bench.type(CTRL_C)
        assert bench.wait() == 0
    assert "wrong bytes    0" in bench.text
