"""The fixtures of the contracts: `opened` is each technology, `reopen` each of those that last.

A file of contracts says which PORT it is about; a test may ask for more: `@only(ours=True)`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.adapters.backends import START, TECHNOLOGIES, Opened, members
from tests.laws.streams import HandClock
from tests.services.fixtures import Running, provide


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only: the technologies that a contract is about")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    port = getattr(metafunc.module, "PORT", None)
    only = metafunc.definition.get_closest_marker("only")
    wanted = only.kwargs if only else {}
    if port and "opened" in metafunc.fixturenames:
        metafunc.parametrize("opened", members(port, **wanted), indirect=True)
    if port and "reopen" in metafunc.fixturenames:
        metafunc.parametrize("reopen", members(port, lasts=True, **wanted), indirect=True)


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path, running: Running) -> Iterator[Opened]:
    technology = TECHNOLOGIES[request.param]
    if technology.service:
        provide(technology.service, running)
    one = technology.open(tmp_path, HandClock(START))
    yield one
    one.close()


@pytest.fixture
def reopen(
    request: pytest.FixtureRequest, tmp_path: Path, running: Running
) -> Iterator[Callable[[int], Opened]]:
    """Close what was opened before, and open it again with the wall clock at some time."""
    technology = TECHNOLOGIES[request.param]
    if technology.service:
        provide(technology.service, running)
    now: list[Opened] = []

    def again(wall: int) -> Opened:
        while now:
            now.pop().close()
        now.append(technology.open(tmp_path, HandClock(wall)))
        return now[0]

    yield again
    for one in now:
        one.close()
