"""A command line, and a folder in which something has been learned."""

from pathlib import Path

import pytest

from tests.apps.house import SINGLE, a_house
from tests.cli.command import CommandLine


@pytest.fixture
def croupier(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """`croupier …`, in this process."""
    for variable in ("CROUPIER_TOKEN_KEYS", "CROUPIER_UNIT_KEY"):
        monkeypatch.delenv(variable, raising=False)
    return CommandLine(monkeypatch, capsys)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with croupier.toml, and croupier.db in which ten trials were learned."""
    (tmp_path / "croupier.toml").write_text(SINGLE)
    with a_house(tmp_path / "croupier.db", SINGLE) as house:
        for number in range(10):
            house.trial(f"u-{number}", "click" if number % 2 else "enrol")
        house.settle()
    return tmp_path
