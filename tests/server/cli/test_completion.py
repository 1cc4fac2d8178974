"""The completions in the shells themselves."""

import shutil
import subprocess

import pytest
from conftest import CAIRN, plain_environment
from pseudo_terminal import Terminal

COMMANDS = {
    "up",
    "node",
    "coordinator",
    "status",
    "top",
    "bench",
    "replay",
    "demo",
    "forget",
    "tenant",
    "doctor",
    "config",
    "completion",
}

# Lines and what stands at their ends: words that must be offered, words that must not.
CASES = [
    ("cairn ", COMMANDS, {"replay-worker", "--help"}),
    ("cairn st", {"status"}, {"top"}),
    ("cairn -", {"--help", "--version"}, {"status"}),
    ("cairn tenant ", {"add", "list", "rm"}, {"status"}),
    ("cairn tenant add --o", {"--out"}, {"--json", "--help"}),
    ("cairn tenant list --", {"--json", "--admin-file"}, {"--out", "--weight"}),
    ("cairn node --dram", {"--dram-bytes"}, {"--node.dram-bytes"}),
    ("cairn up --node.d", {"--node.dram-bytes", "--node.drain-timeout"}, {"--node.reactors"}),
    ("cairn up --node.huge-pages ", {"true", "false"}, {"--help"}),
    ("cairn up --node.huge-pages f", {"false"}, {"true"}),
    ("cairn config check --for ", {"up", "node", "coordinator"}, {"status"}),
    ("cairn node --config no", {"node.yaml"}, {"other"}),
    ("cairn node --state-folder st", {"state"}, {"still.txt"}),
    ("cairn completion f", {"fish"}, {"bash", "zsh"}),
]


@pytest.fixture
def folder(tmp_path):
    """With files to complete, and `cairn` in bin/."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cairn").symlink_to(CAIRN)
    for name in ("node.yaml", "other", "still.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "state").mkdir()
    return tmp_path


def environment(folder):
    path = plain_environment()["PATH"]
    return plain_environment(PATH=f"{folder}/bin:{path}", HOME=str(folder), PS1="$ ")


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def output_of(shell, script, folder):
    return subprocess.run(
        [*shell, script],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=environment(folder),
        timeout=60,
    ).stdout


# The function is called as bash calls it; compopt alone needs the line editor.
BASH = """
source <(cairn completion bash)
compopt() { :; }
read -ra COMP_WORDS <<< "$LINE"
[[ $LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_cairn cairn
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(("line", "offered", "not_offered"), CASES)
def test_bash(folder, line, offered, not_offered):
    script = f"LINE='{line}'\n{BASH}"
    words = set(output_of(["bash", "--norc", "-c"], script, folder).split())
    assert offered <= words and not not_offered & words, words


def test_bash_takes_a_value_behind_an_equals_sign(folder):
    # As bash splits the line: = is a word of its own.
    script = BASH.replace('read -ra COMP_WORDS <<< "$LINE"', "COMP_WORDS=($LINE)")
    script = f"LINE='cairn up --node.huge-pages = t'\n{script}"
    assert output_of(["bash", "--norc", "-c"], script, folder).split() == ["true"]


def test_bash_completes_at_the_tab_key(folder):
    with Terminal(["/bin/bash", "--norc", "-i"], environment(folder), folder) as bash:
        bash.type("source <(cairn completion bash); echo load''ed\n")
        bash.expect("loaded")
        bash.type("cairn stat\t--admin-f\tno\t\n")
        bash.expect(r"cairn status --admin-file node\.yaml")


@needs("fish")
@pytest.mark.parametrize(("line", "offered", "not_offered"), CASES)
def test_fish(folder, line, offered, not_offered):
    script = f"cairn completion fish | source; complete -C '{line}'"
    lines = output_of(["fish", "--no-config", "-c"], script, folder).splitlines()
    words = {line.split("\t")[0].rstrip("/") for line in lines}
    assert offered <= words and not not_offered & words, words


@needs("fish")
def test_fish_describes(folder):
    script = "cairn completion fish | source; complete -C 'cairn stat'"
    assert "status\tShow what the cluster holds, once\n" in output_of(
        ["fish", "--no-config", "-c"], script, folder
    )


# Collects what the function hands to the completion system instead of listing it.
ZSH = """
autoload -Uz compinit && compinit -u -D
source <(cairn completion zsh)
compdef() { :; }
_describe() {
  while [[ $1 == -* ]]; do shift; done
  local -a both; both=("${(@P)2}")
  local word; for word in $both; do print -r -- "${${word//\\\\:/@}%%:*}"; done
}
compadd() { shift; print -rl -- "$@"; }
_files() { [[ $1 == -/ ]] && print -rl -- *(N/) || print -rl -- *(N); }
_message() { :; }
compset() { PREFIX=${PREFIX#*=}; }
words=("${(@s. .)LINE}")
CURRENT=$#words
PREFIX=$words[CURRENT]
_cairn | grep -- "^$PREFIX"
true
"""


@needs("zsh")
@pytest.mark.parametrize(("line", "offered", "not_offered"), CASES)
def test_zsh(folder, line, offered, not_offered):
    script = f"LINE='{line}'\n{ZSH}"
    words = set(output_of(["zsh", "-f", "-c"], script, folder).split())
    assert offered <= words and not not_offered & words, words


@needs("zsh")
def test_zsh_completes_at_the_tab_key(folder):
    with Terminal(["/bin/zsh", "-f", "-i"], environment(folder), folder) as zsh:
        zsh.type("autoload -Uz compinit && compinit -u -D; source <(cairn completion zsh)\n")
        zsh.type("echo load''ed\n")
        zsh.expect("loaded")
        zsh.type("echo cairn; cairn stat\t--admin-f\tno\t --help\n")
        zsh.expect(r"Usage: cairn status")
        zsh.type("cairn up --node.huge-pages=f\t\x01echo \n")
        zsh.expect(r"\ncairn up --node\.huge-pages=false")


@needs("zsh")
def test_zsh_finds_it_in_fpath(folder):
    (folder / "functions").mkdir()
    (folder / "functions" / "_cairn").write_text(
        subprocess.run([CAIRN, "completion", "zsh"], capture_output=True, text=True).stdout
    )
    with Terminal(["/bin/zsh", "-f", "-i"], environment(folder), folder) as zsh:
        zsh.type("fpath=($PWD/functions $fpath); autoload -Uz compinit && compinit -u -D\n")
        zsh.type("echo load''ed\n")
        zsh.expect("loaded")
        zsh.type("cairn completion zs\t--help\n")
        zsh.expect(r"Usage: cairn completion zsh")
