"""The fixtures of the contracts: `opened` is each technology, `reopen` each of those that last."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.adapters.backends import START, TECHNOLOGIES, Opened
from tests.laws.streams import HandClock

LASTING = [name for name, technology in TECHNOLOGIES.items() if technology.lasts]


@pytest.fixture(params=TECHNOLOGIES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    one = TECHNOLOGIES[request.param].open(tmp_path, HandClock(START))
    yield one
    one.close()


@pytest.fixture(params=LASTING)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[int], Opened]]:
    """Close what was opened before, and open it again with the wall clock at some time."""
    now: list[Opened] = []

    def again(wall: int) -> Opened:
        while now:
            now.pop().close()
        now.append(TECHNOLOGIES[request.param].open(tmp_path, HandClock(wall)))
        return now[0]

    yield again
    for one in now:
        one.close()
