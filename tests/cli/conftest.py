"""A command line, and a folder in which something has been learned."""

import shutil
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


@pytest.fixture(scope="session")
def first_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with croupier.toml, and croupier.db in which ten trials were learned."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "croupier.toml").write_text(SINGLE)
    with a_house(folder / "croupier.db", SINGLE) as house:
        for number in range(10):
            house.trial(f"u-{number}", "click" if number % 2 else "enrol")
        house.settle()
    return folder


@pytest.fixture
def shop(first_shop: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    shutil.copytree(first_shop, tmp_path, dirs_exist_ok=True)
    return tmp_path
