"""The few instructions of a Dockerfile that ours has, read and carried out in folders.

A stage is a folder that begins as a copy of a base. RUN is /bin/sh in a chroot of it. Anything else
than what is known here is an error, so that nothing is skipped in silence.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Instruction:
    name: str
    text: str


@dataclass
class Stage:
    base: str
    name: str
    steps: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> str:
        return next((step.text for step in reversed(self.steps) if step.name == name), "")


def instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(" ", 1)) for line in joined.splitlines() if line.strip()]


def stages(text: str) -> list[Stage]:
    """With the values of ARGs, which here come before the first FROM."""
    found: list[Stage] = []
    values: dict[str, str] = {}
    for step in instructions(text):
        if step.name == "ARG":
            assert not found, "an ARG inside of a stage is not known"
            name, value = step.text.split("=", 1)
            values[name] = value
        elif step.name == "FROM":
            base, _, name = step.text.partition(" AS ")
            base = re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], base)
            found.append(Stage(base, name or str(len(found))))
        else:
            assert step.name in ("WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD"), step
            found[-1].steps.append(step)
    return found


class Build:
    """Carries out the stages. make_base(FOLDER) puts what FROM names into a folder."""

    def __init__(self, context: Path, work: Path, make_base: Callable[[Path], None]) -> None:
        self.context = context
        self.work = work
        self.make_base = make_base
        ignore = context / ".dockerignore"
        self.ignored = ignore.read_text().split() if ignore.exists() else []

    def root(self, stage: str) -> Path:
        return self.work / stage

    def run(self, stage: Stage) -> None:
        root = self.root(stage.name)
        self.make_base(root)
        folder = "/"
        for step in stage.steps:
            if step.name == "WORKDIR":
                folder = step.text
                (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif step.name == "COPY":
                self.copy(step.text, root, folder)
            elif step.name == "RUN":
                print(f"RUN {step.text}", flush=True)
                inside(root, ["/bin/sh", "-c", step.text], folder=folder)

    def copy(self, text: str, root: Path, folder: str) -> None:
        *options, source, target = text.split()
        target_path = root / os.path.join(folder, target).lstrip("/")
        if options:
            (stage,) = (option.removeprefix("--from=") for option in options)
            origin, ignored = self.root(stage) / source.lstrip("/"), []
        else:
            origin, ignored = self.context / source, self.ignored

        def leave_out(where, names):
            top = Path(where) == origin
            return [n for n in names if top and any(fnmatch.fnmatch(n, p) for p in ignored)]

        shutil.copytree(origin, target_path, ignore=leave_out, symlinks=True, dirs_exist_ok=True)


def inside(root: Path, command: list[str], folder: str = "/", user: str = "", **more):
    """In a chroot, with nothing of our environment. user: number:number, without any capability."""
    words = ["chroot", *([f"--userspec={user}", "--groups="] if user else []), str(root)]
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    words += ["/usr/bin/env", "-i", f"--chdir={folder}", f"PATH={path}", *command]
    return subprocess.run(words, check=True, text=True, **more)


def command_of(stage: Stage) -> list[str]:
    return json.loads(stage.last("ENTRYPOINT"))
