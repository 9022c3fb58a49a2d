"""What holds for every command."""

import re

import pytest
import typer.main

from croupier.cli import app
from tests.cli.command import CommandLine

COMMANDS = sorted(typer.main.get_group(app).commands)
PLAIN = re.compile(r"\x1b\[[0-9;]*m")


def test_without_a_command_the_commands_are_named(croupier: CommandLine) -> None:
    found = croupier()
    assert all(command in found.out + found.err for command in COMMANDS)
    assert {"up", "demo", "replay", "doctor"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "version"])
def test_every_command_explains_itself_with_an_example(croupier: CommandLine, command: str) -> None:
    found = croupier(command, "--help")
    text = PLAIN.sub("", found.out)
    assert found.code == 0
    assert re.search(r"Examples?:|For example:", text)
    assert f"croupier {command}" in text
    assert not re.search(f"croupier {command} .* croupier {command} ", text)  # an example a line
    assert "Traceback" not in text


def test_the_version_is_one_line(croupier: CommandLine) -> None:
    import croupier as package

    for word in ("version", "--version"):
        found = croupier(word)
        assert (found.code, found.out) == (0, f"{package.__version__}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frobnicate"], "No such command"),
        (["up", "--prot", "1"], "No such option"),
        (["up", "--port", "http"], "valid integer"),
        (["up", "--log-level", "loud"], "'loud' is none of debug, info, warning, error"),
        (["demo", "--visitors", "5"], "100"),
    ],
)
def test_a_wrong_word_ends_with_2_and_says_why(
    croupier: CommandLine, words: list[str], said: str
) -> None:
    found = croupier(*words)
    assert found.code == 2
    assert said in " ".join(PLAIN.sub("", found.err).replace("│", " ").split())
    assert "Traceback" not in found.err
