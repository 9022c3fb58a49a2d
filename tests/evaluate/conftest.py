"""A command line."""

import pytest

from tests.cli.command import CommandLine


@pytest.fixture
def croupier(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """`croupier …`, in this process."""
    return CommandLine(monkeypatch, capsys)
