"""The page of docs/howto/wire-a-page.md, in a real Chromium."""

from pathlib import Path

import pytest

from tests.apps.house import House, arms
from tests.browser.shop import Shop, gap, stats
from tests.docs.test_documents import blocks

pytestmark = pytest.mark.browser
PAGE = "docs/howto/wire-a-page.md"


def test_the_page_of_the_manual_reports_each_slot_by_itself(house: House, shop: Shop) -> None:
    (html,) = blocks(PAGE, "html")
    wired = html.replace("AQEB…", shop.token()).replace("AQIB…", shop.token("carousel"))
    page = shop.open(wired.replace("<li", f"{gap(1_500)}<li"))
    shop.delivered(page, impression=1)
    page.locator("li").nth(0).scroll_into_view_if_needed()
    shop.delivered(page, impression=2)
    page.locator("li").nth(2).scroll_into_view_if_needed()
    page.click("button")
    page.locator("li").nth(0).click()
    shop.delivered(page, impression=3, click=1, save=1)
    assert house.settle()["observations"] == 1
    learned = arms(house.until(lambda page: page["open"] == 0, "carousel"))
    assert {name: (arm["n"], arm["reward_sum"]) for name, arm in learned.items()} == {
        "soups": (1, 1.0),
        "salads": (0, 0.0),
        "cakes": (1, 2.0),
    }


def test_a_page_that_decides_by_itself(house: House, shop: Shop) -> None:
    (script,) = blocks(PAGE, "js")
    page = shop.open('<b id="a">the default</b><b id="b">the default</b>')
    page.evaluate(f"{{ {script}; window.show = show; }}")
    page.evaluate("show(document.getElementById('a'), 'top-button', 'u-1')")
    page.evaluate("show(document.getElementById('b'), 'unheard-of', 'u-1')")
    assert page.inner_text("#a") in arms(house.page())
    assert page.inner_text("#b") == "the default"
    shop.delivered(page, impression=1)
    assert stats(page)["skipped"] == 0


def test_the_manual_names_what_the_script_counts(shop: Shop) -> None:
    text = (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in stats(shop.open()))
