"""A shop's pages in a browser, and the books that its events are held against."""

import json
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.browser.gateway import HOST, Gateway
from tests.ring.recount import read_data

NAME = "top-button"
PATIENCE = 20.0
HEAD = '<!doctype html><script src="/beacon.js" defer></script><body style="margin:0">'


def box(token: str, text: str = "a", height: int = 100, **marks: str) -> str:
    """An element that shows a decision."""
    said = "".join(f' data-croupier-{name}="{value}"' for name, value in marks.items())
    look = f'id="{text}" style="height:{height}px"'
    return f'<div {look} data-croupier-token="{token}"{said}>{text}</div>'


def gap(height: int = 3000) -> str:
    """Nothing, to scroll past."""
    return f'<div style="height:{height}px"></div>'


class Shop:
    """One visitor's browser; everything is told by the log of the server behind the gateway."""

    def __init__(self, context: Any, gateway: Gateway, data: Path) -> None:
        self.context, self.gateway, self._data = context, gateway, data
        self.units = 0

    def token(self, name: str = NAME) -> str:
        """A fresh decision's token."""
        self.units += 1
        link = HTTPConnection(HOST, self.gateway.backend, timeout=10)
        link.request(
            "POST", f"/v1/experiments/{name}/decide", json.dumps({"unit": f"u-{self.units}"})
        )
        token: str = json.loads(link.getresponse().read())["token"]
        link.close()
        return token

    def open(self, *parts: str, path: str = "/shop") -> Any:
        """A page with these parts, in a new tab, its beacon at work."""
        self.gateway.pages[path] = HEAD + "".join(parts)
        page = self.context.new_page()
        page.goto(self.gateway.url + path)
        page.wait_for_function("window.croupier && window.croupier.stats")
        return page

    def events(self) -> Counter[str]:
        """What is on the log, by kind; repetitions count."""
        return Counter(one["kind"] for one in self._log())

    def stories(self) -> Counter[tuple[str, bytes, int, str]]:
        """What is on the log, by kind, decision, slot and id."""
        return Counter(
            (one["kind"], one["decision"]["tracking_id"], one.get("slot", 0), one.get("id", ""))
            for one in self._log()
        )

    def until(self, holds: Callable[[], Any], page: Any) -> None:
        """Wait until it is so; the browser goes on meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, (stats(page), self.events())
            page.wait_for_timeout(20)

    def delivered(self, page: Any, **kinds: int) -> None:
        """Wait until nothing waits; the log then holds exactly these, each once or more often."""
        self.until(lambda: not stats(page)["waiting"] and not stats(page)["rejected"], page)
        self.until(lambda: self.kinds() == kinds, page)

    def kinds(self) -> Counter[str]:
        """How many different events of each kind are on the log."""
        return Counter(kind for kind, *_ in self.stories())

    def _log(self) -> list[dict[str, Any]]:
        return [one for _, one in read_data(self._data).events if one["type"] == "event"]


def stats(page: Any) -> dict[str, int]:
    """What the page's beacon has counted."""
    found: dict[str, int] = page.evaluate("croupier.stats()")
    return found
