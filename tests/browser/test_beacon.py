"""The beacon in a real Chromium: what counts as seen, what is told, and that nothing is lost."""

from pathlib import Path
from typing import Any

import pytest

from tests.apps.house import House, a_house, listening
from tests.browser.conftest import TOML
from tests.browser.gateway import Answer, Gateway
from tests.browser.shop import Shop, box, gap, stats

pytestmark = pytest.mark.browser


def learned(house: House) -> tuple[int, float, int]:
    """Observations, rewards and late records, when every story is over."""
    page = house.settle()
    return page["observations"], sum(arm["reward_sum"] for arm in page["arms"]), page["late"]


# --- what counts as seen --------------------------------------------------------------------------


def test_what_is_in_view_for_a_second_is_seen_once(house: House, shop: Shop) -> None:
    page = shop.open(box(shop.token(), "a"), gap(), box(shop.token(), "b"))
    began = page.evaluate("performance.now()")
    shop.delivered(page, impression=1)
    assert page.evaluate("performance.now()") - began > 700
    for _ in range(2):
        page.evaluate("scrollTo(0, 5000)")
        page.wait_for_timeout(100)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(100)
    page.wait_for_timeout(1_200)
    assert stats(page)["queued"] == 1
    assert learned(house) == (1, 0.0, 0)


def test_a_third_in_view_is_not_seen_and_a_half_is(shop: Shop) -> None:
    page = shop.open(gap(530), box(shop.token(), "a", 200))
    page.wait_for_timeout(1_500)
    assert stats(page)["queued"] == 0
    page.evaluate("scrollTo(0, 40)")
    shop.delivered(page, impression=1)


def test_what_is_scrolled_past_is_not_seen(shop: Shop) -> None:
    page = shop.open(box(shop.token(), "a"), gap())
    for _ in range(3):
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(400)
        page.evaluate("scrollTo(0, 2000)")
        page.wait_for_timeout(400)
    assert stats(page)["queued"] == 0


def test_nothing_is_seen_in_a_hidden_tab(shop: Shop) -> None:
    page = shop.open(gap(), box(shop.token(), "a"))
    hide(page, hidden=True)
    page.evaluate("scrollTo(0, 5000)")
    page.wait_for_timeout(1_500)
    assert stats(page)["queued"] == 0
    hide(page, hidden=False)
    page.wait_for_timeout(500)
    hide(page, hidden=True)
    page.wait_for_timeout(700)
    assert stats(page)["queued"] == 0
    hide(page, hidden=False)
    shop.delivered(page, impression=1)


def hide(page: Any, *, hidden: bool) -> None:
    """What a browser does when another tab covers this one, and no more."""
    state = "hidden" if hidden else "visible"
    page.evaluate(
        "state => { Object.defineProperty(document, 'visibilityState', {value: state, "
        "configurable: true}); document.dispatchEvent(new Event('visibilitychange')); }",
        state,
    )


def test_what_is_taller_than_the_window_is_seen_when_it_fills_half_of_it(shop: Shop) -> None:
    page = shop.open(gap(320), box(shop.token(), "a", 4_000))
    page.wait_for_timeout(1_500)
    assert stats(page)["queued"] == 0
    page.evaluate("scrollTo(0, 40)")
    shop.delivered(page, impression=1)


def test_what_is_transparent_or_empty_is_not_seen(shop: Shop) -> None:
    clear = box(shop.token(), "a").replace('style="', 'style="opacity:0;')
    page = shop.open(clear, box(shop.token(), "b", 0).replace(">b<", "><"))
    page.wait_for_timeout(1_500)
    assert stats(page)["queued"] == 0
    page.evaluate("document.getElementById('a').style.opacity = 1")
    shop.delivered(page, impression=1)


def test_what_is_added_later_is_found_and_a_changed_token_is_another(shop: Shop) -> None:
    first, second, third = shop.token(), shop.token(), shop.token()
    page = shop.open("<main></main>")
    page.evaluate("html => { document.querySelector('main').innerHTML = html }", f"<p>{box(first)}")
    shop.delivered(page, impression=1)
    page.evaluate("t => { document.getElementById('a').dataset.croupierToken = t }", second)
    shop.delivered(page, impression=2)
    page.evaluate("t => { document.querySelector('main').dataset.croupierToken = t }", third)
    shop.delivered(page, impression=3)


def test_a_default_is_not_reported(shop: Shop) -> None:
    page = shop.open(box("", "a"))
    page.click("#a")
    page.wait_for_timeout(1_300)
    assert (stats(page)["queued"], shop.gateway.sent()) == (0, [])


# --- what visitors do -----------------------------------------------------------------------------


def test_a_click_is_an_outcome_and_a_proof_of_sight(house: House, shop: Shop) -> None:
    page = shop.open(box(shop.token(), "a"))
    page.click("#a")
    page.click("#a")
    shop.delivered(page, impression=1, click=2)
    assert learned(house) == (1, 2.0, 0)


def test_a_part_of_it_may_have_a_kind_of_its_own(shop: Shop) -> None:
    inner = '<b id="s" data-croupier-click="save">save</b><i id="t">this</i>'
    page = shop.open(box(shop.token(), "a").replace(">a<", f">{inner}<"))
    page.evaluate(
        "document.getElementById('t').addEventListener('click', event => event.stopPropagation())"
    )
    page.click("#s")
    page.click("#t")
    shop.delivered(page, impression=1, click=1, save=1)


def test_other_outcomes_are_told_by_the_page(house: House, shop: Shop) -> None:
    token = shop.token()
    page = shop.open(box(token, "a"))
    shop.delivered(page, impression=1)
    page.evaluate("croupier.outcome(document.getElementById('a'), 'buy', {value: 20, id: 'o-1'})")
    page.evaluate("t => croupier.outcome(t, 'buy', {value: 20, id: 'o-1'})", token)
    page.evaluate("t => croupier.outcome(t, 'buy', {value: 5.5, id: 'o-2'})", token)
    shop.delivered(page, impression=1, buy=2)
    assert learned(house) == (1, 25.5, 0)


def test_who_clicks_and_leaves_at_once_has_clicked(house: House, shop: Shop) -> None:
    token = shop.token()
    link = f'<a id="a" href="/next" data-croupier-token="{token}">go</a>'
    shop.gateway.pages["/next"] = "<!doctype html>without a beacon"
    page = shop.open(link)
    page.click("#a")
    page.wait_for_url("**/next")
    shop.until(lambda: shop.kinds() == {"impression": 1, "click": 1}, shop.open())
    assert learned(house) == (1, 1.0, 0)


# --- nothing is lost, nothing doubled -------------------------------------------------------------


def test_offline_for_a_while(house: House, shop: Shop) -> None:
    page = shop.open(*(box(shop.token(), f"n{n}", 20) for n in range(20)))
    shop.until(lambda: stats(page)["queued"] == 20, page)
    shop.context.set_offline(True)
    for n in range(20):
        page.click(f"#n{n}")
    page.wait_for_timeout(1_500)
    assert stats(page)["waiting"] >= 20
    shop.context.set_offline(False)
    shop.delivered(page, impression=20, click=20)
    assert learned(house) == (20, 20.0, 0)


def test_closed_while_offline_and_opened_again(house: House, shop: Shop) -> None:
    page = shop.open(box(shop.token(), "a"), box(shop.token(), "b"))
    shop.context.set_offline(True)
    page.click("#a")
    page.click("#b")
    page.close()
    shop.context.set_offline(False)
    page = shop.open("another page", path="/other")
    shop.delivered(page, impression=2, click=2)
    assert learned(house) == (2, 2.0, 0)


def test_two_tabs_share_a_queue(house: House, shop: Shop) -> None:
    one = shop.open(*(box(shop.token(), f"n{n}", 20) for n in range(10)), path="/one")
    two = shop.open(*(box(shop.token(), f"n{n}", 20) for n in range(10)), path="/two")
    shop.gateway.always = (503, b"{}", {})
    for n in range(10):
        one.click(f"#n{n}")
        two.click(f"#n{n}")
    shop.until(lambda: stats(one)["waiting"] == 40, one)
    one.close()
    shop.gateway.always = None
    shop.delivered(two, impression=20, click=20)
    assert learned(house) == (20, 20.0, 0)


@pytest.mark.parametrize("hours", [0, 3])
def test_a_page_of_another_origin_reports_where_the_script_came_from(
    chromium: Any, tmp_path: Path, hours: int
) -> None:
    with Gateway(0) as pages:
        toml = f'[server]\ncors = ["{pages.url}"]\n{TOML}'
        with a_house(tmp_path / "croupier.db", toml) as house, listening(house) as port:
            pages.backend, server = port, f"http://127.0.0.1:{port}"
            pages.csp = f"default-src 'none'; script-src {server}; connect-src {server}"
            context = chromium.new_context(viewport={"width": 800, "height": 600})
            context.add_init_script(
                f"const real = Date.now; Date.now = () => real() + {hours} * 3600000"
            )
            shop = Shop(context, pages, house.data)
            script = f'<!doctype html><script src="{server}/beacon.js" defer></script>'
            pages.pages["/page"] = script + box(shop.token(), "a")
            pages.pages["/end"] = script
            page = context.new_page()
            page.goto(f"{pages.url}/page")
            page.wait_for_function("window.croupier && window.croupier.stats")
            page.click("#a")
            shop.delivered(page, impression=1, click=1)
            page.evaluate("croupier.outcome(document.getElementById('a'), 'click')")
            page.goto(f"{pages.url}/end")
            shop.until(lambda: shop.kinds() == {"impression": 1, "click": 2}, page)
            assert pages.sent() == []
            context.close()
            assert learned(house) == (1, 2.0, 0)
        pages.shutdown()


def test_a_storage_that_is_forbidden_costs_only_its_memory(house: House, shop: Shop) -> None:
    shop.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden') }})"
    )
    page = shop.open(box(shop.token(), "a"))
    shop.context.set_offline(True)
    page.click("#a")
    page.wait_for_timeout(700)
    shop.context.set_offline(False)
    shop.delivered(page, impression=1, click=1)
    assert learned(house) == (1, 1.0, 0)


def test_too_many_for_the_queue_cost_the_oldest_and_are_counted(shop: Shop) -> None:
    page = shop.open()
    shop.gateway.always = (503, b"{}", {})
    page.evaluate(
        "t => { for (let n = 0; n < 520; n++) croupier.outcome(t, 'k' + n) }", shop.token()
    )
    assert (stats(page)["waiting"], stats(page)["dropped"]) == (500, 20)
    shop.gateway.always = None
    shop.until(lambda: not stats(page)["waiting"], page)
    assert sorted(shop.kinds()) == sorted(f"k{n}" for n in range(20, 520))
    assert max(map(len, shop.gateway.sent())) < 65_536


# --- bad answers ----------------------------------------------------------------------------------

GARBAGE: tuple[Answer, ...] = (
    (200, b"<html>welcome to the hotel's network</html>", {"content-type": "text/html"}),
    (202, b'{"accepted":1}', {}),
    (202, b'{"accepted":1,"rejected":[null]}', {}),
    (202, b"[]", {}),
    (204, b"", {}),
    (404, b"<h1>not here</h1>", {}),
    (403, b"null", {}),
    (403, b'{"error":"no key for this door"}', {}),
    (404, b'{"error":"moved"}', {}),
    (500, b'{"error":"internal error"}', {}),
    (429, b'{"error":"slow down"}', {}),
    (503, b"{}", {"retry-after": "1"}),
)


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda answer: f"{answer[0]} {answer[1][:12]!r}")
def test_garbage_is_no_answer(house: House, shop: Shop, garbage: Any) -> None:
    shop.gateway.script.append(garbage)
    page = shop.open(box(shop.token(), "a"))
    page.click("#a")
    shop.delivered(page, impression=1, click=1)
    assert len(shop.gateway.sent()) >= 2


def test_the_server_says_when_to_come_again(shop: Shop, gateway: Gateway) -> None:
    gateway.always = (503, b"{}", {"retry-after": "60"})
    page = shop.open()
    page.evaluate("t => croupier.outcome(t, 'click')", shop.token())
    shop.until(gateway.sent, page)
    page.wait_for_timeout(1_500)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.evaluate("t => croupier.outcome(t, 'click')", shop.token())
    page.wait_for_timeout(500)
    assert len(gateway.sent()) == 1


def test_a_forged_token_is_refused_once_and_told(shop: Shop, gateway: Gateway) -> None:
    said: list[str] = []
    good = shop.token()
    page = shop.open(box(good, "a"))
    page.on("console", lambda message: said.append(message.text))
    page.evaluate(
        "window.told = []; "
        "document.addEventListener('croupier:rejected', event => told.push(event.detail))"
    )
    page.evaluate("t => croupier.outcome(t, 'click')", good[:-4] + "AAAA")
    page.evaluate("t => croupier.outcome(t, 'no kind')", good)
    shop.until(lambda: not stats(page)["waiting"] and stats(page)["queued"] == 3, page)
    page.wait_for_timeout(1_000)
    told = page.evaluate("told")
    assert [one["event"]["kind"] for one in told] == ["click", "no kind"]
    assert "signature" in told[0]["reason"]
    assert len([text for text in said if "croupier" in text]) == 1
    assert sum(body.count(b'"no kind"') for body in gateway.sent()) == 1
    assert (stats(page)["accepted"], stats(page)["rejected"]) == (1, 2)


def test_a_batch_that_is_refused_is_parted_until_the_bad_one_is_alone(
    house: House, shop: Shop, gateway: Gateway
) -> None:
    house.embedded.service.limits = house.embedded.service.limits._replace(events=3)
    page = shop.open()
    page.evaluate(
        "t => { for (let n = 0; n < 10; n++) croupier.outcome(t, 'k' + n) }", shop.token()
    )
    shop.until(lambda: len(shop.kinds()) == 10, page)
    assert stats(page)["rejected"] == 0


def test_a_batch_of_one_that_is_refused_is_given_up(shop: Shop, gateway: Gateway) -> None:
    gateway.always = (422, b'{"error":"not this one"}', {})
    page = shop.open()
    page.evaluate("t => { for (let n = 0; n < 3; n++) croupier.outcome(t, 'k' + n) }", shop.token())
    shop.until(lambda: not stats(page)["waiting"], page)
    assert (stats(page)["rejected"], stats(page)["accepted"]) == (3, 0)


def test_what_others_left_in_the_storage_harms_nobody(shop: Shop) -> None:
    page = shop.open()
    page.evaluate(
        "for (const [n, text] of ['', 'null', '{', '[]', '{\"token\": 7}'].entries()) "
        "localStorage.setItem('croupier ' + origin + '/v1/events ' + n, text)"
    )
    page.evaluate("t => croupier.outcome(t, 'click')", shop.token())
    shop.until(lambda: shop.kinds() == {"click": 1}, page)
    shop.until(lambda: not stats(page)["waiting"], page)


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_visitors_clock_may_be_wrong(house: House, shop: Shop, hours: int) -> None:
    shop.context.add_init_script(
        f"const real = Date.now; Date.now = () => real() + {hours} * 3600000"
    )
    page = shop.open(box(shop.token(), "a"))
    page.click("#a")
    shop.delivered(page, impression=1, click=1)
    assert learned(house) == (1, 1.0, 0)
