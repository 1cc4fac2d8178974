"""The page of commands is what the program says of itself."""

from cli_reference import PAGE, commands, page


def test_the_reference_is_the_help_of_each_command():
    assert page() == PAGE.read_text(), "run tests/server/cli/cli_reference.py"


def test_the_reference_reaches_the_commands_below_commands():
    names = [" ".join(words) for words, _ in commands()]
    assert len(names) == len(set(names))
    assert {"up", "tenant add", "slo set", "config check", "completion fish"} <= set(names)
