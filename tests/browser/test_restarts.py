"""The beacon and a real `croupier up` that is killed and started again: the accounts must agree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.house import a_house
from tests.browser.conftest import TOML
from tests.browser.gateway import Gateway
from tests.browser.shop import Shop, box, stats
from tests.ring.server import Server

pytestmark = pytest.mark.browser


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path, TOML)
    made.start()
    yield made
    made.close()


def test_killed_in_between_and_started_again(chromium: Any, server: Server) -> None:
    with Gateway(server.port) as gateway:
        context = chromium.new_context(viewport={"width": 800, "height": 600})
        shop = Shop(context, gateway, server.data)
        page = shop.open(*(box(shop.token(), f"n{n}", 20) for n in range(25)))
        for n in range(10):
            page.click(f"#n{n}")
            if n == 5:
                server.kill()  # while events are on their way
        shop.until(lambda: stats(page)["queued"] == 35, page)
        page.close()
        page = shop.open(*(box("", f"n{n}", 20) for n in range(2)), path="/while-it-is-away")
        assert stats(page)["waiting"] > 0
        server.start()
        shop.delivered(page, impression=25, click=10)
        context.close()
        gateway.shutdown()
    assert server.terminate() == 0
    with a_house(server.data, TOML) as house:
        found = house.settle()
    rewards = sum(arm["reward_sum"] for arm in found["arms"])
    assert (found["observations"], rewards, found["late"]) == (25, 10.0, 0)
