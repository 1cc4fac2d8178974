"""What the Dockerfile says. `./dev image` carries it out."""

import re

import pytest
from dockerfile import command_of, instructions, stages
from prove import ROOT

TEXT = (ROOT / "Dockerfile").read_text()


def test_every_stage_begins_from_one_pinned_base():
    (base,) = {stage.base for stage in stages(TEXT)}
    assert re.fullmatch(r"debian:bookworm-\d{8}-slim", base), "neither `latest` nor a moving tag"


def test_what_runs_is_not_root_and_is_the_program():
    last = stages(TEXT)[-1]
    user, group = last.last("USER").split(":")
    assert int(user) > 0 and int(group) > 0
    assert command_of(last) == ["cairn"]


def test_the_program_is_built_by_dev_in_a_stage_that_is_left_behind():
    first, last = stages(TEXT)
    assert "./dev build release server/cairn" in first.last("RUN")
    assert all("dev build" not in step.text for step in last.steps)
    assert f"--from={first.name} " in last.last("COPY")


def test_a_step_that_nobody_here_knows_is_an_error():
    with pytest.raises(AssertionError, match="ADD"):
        stages("FROM debian\nADD x y\n")


def test_comments_and_continued_lines_are_read_as_docker_does():
    (run,) = instructions("# first\nRUN a && \\\n    # between\n    b\n")
    assert run.text == "a && b"
