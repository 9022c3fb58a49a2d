"""A real Chromium, a real ring, and a gateway between them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.house import House, a_house, listening
from tests.browser.gateway import Gateway
from tests.browser.shop import Shop

TOML = Path(__file__).with_name("shop.toml").read_text(encoding="utf-8")
CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests; each gets a profile of its own."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The ring."""
    with a_house(tmp_path / "croupier.db", TOML) as opened:
        yield opened


@pytest.fixture
def gateway(house: House) -> Iterator[Gateway]:
    """The way to the ring."""
    with listening(house) as port, Gateway(port) as made:
        yield made
        made.shutdown()


@pytest.fixture
def shop(chromium: Any, house: House, gateway: Gateway) -> Iterator[Shop]:
    """A visitor's browser at the shop."""
    context = chromium.new_context(viewport={"width": 800, "height": 600})
    yield Shop(context, gateway, house.data)
    context.close()
