"""Every command of *.md, docs/**/*.md and of the examples in --help is run as it stands there.

An indented block whose first word is a program is a block of commands. Daemons are started and kept
until the page ends; everything else must end with 0, `doctor --engine` with what it finds. `./dev`
builds, so it is only looked up in its own help. A block `# NAME.yaml` becomes that file. Addresses,
system folders and sizes are replaced by ones that a test may have.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from daemons import CAIRN, READY_S, ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
DAEMONS = ("up", "coordinator", "node")
COMMAND_S = 120
TRACE = '{"timestamp": 0, "input_length": 1000, "output_length": 1, "hash_ids": [1, 2]}\n'
# What would never end, or takes longer than a test may.
ENDINGS = {"top": "--rounds 1", "bench": "--seconds 0.5 --working-set 1MiB"}
# On a page's own cluster no engine ever comes and no node was taken away: that is bad, and said so.
FINDINGS = {"cairn doctor --engine": 1, "cairn forget": 1}
BLOCK = re.compile(r"^    .*\n(?:    .*\n|\n(?=    ))*", re.MULTILINE)
INLINE = re.compile(r"`(cairn [^`\n]+)`")


def blocks(text):
    """The indented blocks outside of fences, as lists of lines with continuations joined."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for match in BLOCK.finditer(text):
        lines = [line[4:] for line in match.group().rstrip("\n").split("\n")]
        yield "\n".join(lines).replace("\\\n", " ").split("\n")


def is_program(word):
    return word in ("cairn", "./dev", "export", "source") or shutil.which(word) is not None


class Page:
    """One page's commands, their folder, environment and daemons."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.coordinator = f"127.0.0.1:{free.getsockname()[1]}"
        path = f"{CAIRN.parent}:{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CAIRN_")}
        self.environment = {**kept, "PATH": path, "HOME": str(folder)}
        # The default would be a port that another test may have.
        self.environment |= {"CAIRN_COORDINATOR": self.coordinator}
        self.environment |= {"CAIRN_COORDINATORS": self.coordinator}
        self.daemons: list[subprocess.Popen] = []
        # Nothing of a stopped node outlives the test.
        self.environment |= {"CAIRN_WARM_RESTART": "0s"}
        (folder / "trace.jsonl").write_text(TRACE)
        (folder / "var-lib-cairn-drive").mkdir()
        for shells_own in (".zfunc", ".config/fish/completions"):
            (folder / shells_own).mkdir(parents=True)

    def fit(self, text: str) -> str:
        text = re.sub(r"(127\.0\.0\.1|10\.0\.0\.1):7400", self.coordinator, text)
        text = re.sub(r"10\.0\.0\.2:\d+", "127.0.0.1:0", text)
        text = text.replace("/var/lib/", f"{self.folder}/var-lib-")
        text = re.sub(r"~(?=/)", str(self.folder), text)
        return re.sub(r"\b(8|64)GiB\b", "256MiB", text)

    def run(self, line: str) -> None:
        words = shlex.split(line, comments=True)
        if words[0] == "./dev":
            return known_to_dev(words)
        line = self.fit(line.split(" #")[0].rstrip())
        if words[0] == "export":
            self.environment |= dict(word.split("=", 1) for word in shlex.split(line)[1:])
        elif words[0] == "cairn" and words[1] in DAEMONS:
            self.start(line)
        elif words[0] == "openssl":
            self.finish(line)
        elif "cairn" in words or "<(cairn" in line:
            if words[1] not in ("config", "completion"):
                self.need_a_cluster()
            self.finish(f"{line} {ENDINGS.get(words[1], '')}")
        else:
            pytest.fail(f"nobody knows how to run this in a test: {line}")

    def finish(self, line: str) -> None:
        result = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        wanted = next((code for start, code in FINDINGS.items() if line.startswith(start)), 0)
        assert result.returncode == wanted, f"{line}\n{result.stdout}{result.stderr}"

    def start(self, line: str) -> None:
        """A daemon that brings a coordinator takes the place of one that is there."""
        if not line.startswith("cairn node"):
            self.stop()
        ready = self.folder / f"ready-{len(self.daemons)}"
        ready.unlink(missing_ok=True)
        listen = "--coordinator.listen" if line.startswith("cairn up") else ""
        line += f" {listen} {self.coordinator if listen else ''} --ready-file {ready}"
        log = self.folder / "log"
        with open(log, "a") as output:
            daemon = subprocess.Popen(
                shlex.split(line),
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        self.daemons.append(daemon)
        limit = time.monotonic() + READY_S
        while not ready.exists():
            assert daemon.poll() is None and time.monotonic() < limit, log.read_text()
            time.sleep(0.02)

    def need_a_cluster(self) -> None:
        if not self.daemons:
            self.start("cairn up --node.dram-bytes 256MiB")

    def stop(self) -> None:
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(60) == 0, (self.folder / "log").read_text()
        self.daemons.clear()


def known_to_dev(words):
    command = [ROOT / "dev", "help"]
    usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^  {words[1]}\b", usage, re.MULTILINE), f"./dev has no {words[1]}"
    for flag in (word for word in words[2:] if word.startswith("--")):
        assert flag in usage, f"./dev help does not know {flag}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of(page, tmp_path):
    running = Page(tmp_path)
    try:
        for lines in blocks(page.read_text()):
            if name := re.fullmatch(r"# (\w+\.yaml)", lines[0]):
                (tmp_path / name.group(1)).write_text(running.fit("\n".join(lines)) + "\n")
            elif is_program(lines[0].split(" ")[0]):
                for line in filter(None, lines):
                    running.run(line)
    finally:
        running.stop()


def helped(*words):
    """`cairn WORDS... --help`, and the same of every command below."""
    command = [CAIRN, *words, "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    yield words, text
    if "Subcommands:" in text:
        for name in re.findall(r"^  ([a-z]+)  ", text.split("Subcommands:")[1], re.MULTILINE):
            yield from helped(*words, name)


EXAMPLES = [
    (" ".join(words), example)
    for words, text in helped()
    for example in re.findall(r"Example: (cairn .*)", text)
]


@pytest.fixture(scope="module")
def shared_page(tmp_path_factory):
    """`cairn up` in its folder, a configuration and a trace: what the examples name."""
    running = Page(tmp_path_factory.mktemp("examples"))
    (running.folder / "node.yaml").write_text(
        running.fit("coordinators: [127.0.0.1:7400]\nstate_folder: node\n")
    )
    running.need_a_cluster()
    yield running
    running.stop()


@pytest.mark.parametrize(("command", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_the_example_in_the_help_of(command, example, shared_page, tmp_path):
    own = Page(tmp_path) if command in ("up", "coordinator") else shared_page
    try:
        own.run(example)
    finally:
        if own is not shared_page:
            own.stop()


def test_every_command_has_an_example():
    assert {name for name, _ in EXAMPLES} == {" ".join(words) for words, _ in helped() if words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_named_in_the_text_of(page):
    """Its words are commands, its flags are in their help."""
    for command in INLINE.findall(page.read_text()):
        words = command.split()
        path = [word for word in words[1:] if re.fullmatch(r"[a-z]+", word)]
        asked = [CAIRN, *path, "--help"]
        known = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert known.returncode == 0, f"{command}: {known.stderr}"
        for flag in (word.split("=")[0] for word in words if word.startswith("--")):
            assert re.search(rf"{flag}\b", known.stdout), f"{command}: no {flag}"


def test_the_pages_have_commands():
    commands = [
        line
        for page in PAGES
        for lines in blocks(page.read_text())
        if is_program(lines[0].split(" ")[0])
        for line in lines
    ]
    assert sum(line.startswith("cairn ") for line in commands) >= 12
    assert sum(line.startswith("./dev ") for line in commands) >= 2
