"""A house for every test of the doors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.house import House, a_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The ring of DESIGN §5 with its doors open."""
    with a_house(tmp_path / "croupier.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def house_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for many tests."""
    with a_house(tmp_path_factory.mktemp("shared") / "croupier.db") as opened:
        yield opened


@pytest.fixture
def shared(house_of_all: House) -> House:
    """A house that other tests use too: for what leaves no trace but counts (see `rise`)."""
    house_of_all.mark()
    return house_of_all
