"""The gate: every door asks for a key unless it is said to be open; pages, rates, impersonation."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from croupier.apps.serve.doors import make_app
from croupier.apps.serve.routes import EVENTS, METRICS, OPEN
from tests.apps.guarded import GUARDED, KEYS, NARROW, OTHER, OVER, bearer
from tests.apps.house import NAME, SINGLE, House, a_house

DECIDE, ARMS = f"/v1/experiments/{NAME}/decide", f"/v1/experiments/{NAME}/arms"
PAGES = ("/v1/experiments", f"/v1/experiments/{NAME}", ARMS)
SHOP = "https://shop.example"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with keys, for tests that leave no trace but counts."""
    with a_house(tmp_path_factory.mktemp("guarded") / "croupier.db", GUARDED) as house:
        yield house


def ask(house: House, method: str, path: str, key: str | None = None, **headers: str) -> int:
    sent = headers | (bearer(key) if key else {})
    body: Any = '{"unit":"u"}' if path.endswith("decide") else "[]"
    answer = house.client.request(
        method, path, headers=sent, content=body if method == "POST" else None
    )
    return int(answer.status_code)


# --- keys -----------------------------------------------------------------------------------------


def doors(house: House) -> set[tuple[str, str]]:
    """Method and path of every route of the app, also those that OpenAPI does not show."""
    found = {("POST", DECIDE), ("POST", EVENTS)}
    for route in make_app(house.embedded.service).routes:
        path = str(getattr(route, "path", "")).replace("{name}", NAME)
        methods = getattr(route, "methods", None)
        assert path, route
        assert methods or not isinstance(route, APIRoute), route
        found |= {(method, path) for method in methods or ("GET",)}
    return found


def test_every_door_is_closed_or_on_the_list_of_open_ones(guarded: House) -> None:
    listed = {*OPEN, METRICS, EVENTS}
    found = doors(guarded)
    assert listed <= {path for _, path in found}
    for method, path in found:
        status = ask(guarded, method, path)
        assert (status == 401) == (path not in listed), (method, path, status)
        if path not in listed:
            assert ask(guarded, method, path, "cr_adm_forged") == 401
            assert ask(guarded, method, path, OVER) == 401
            assert ask(guarded, method, path, KEYS["admin"]) not in {401, 403}
    assert ask(guarded, "GET", "/v1/a-door-of-tomorrow") == 401
    assert ask(guarded, "POST", "/healthz/") == 401


def test_each_key_opens_its_own_doors(guarded: House) -> None:
    for scope, key in KEYS.items():
        allowed = 200 if scope in {"decide", "admin"} else 403
        assert ask(guarded, "POST", DECIDE, key) == allowed
        assert {ask(guarded, "GET", path, key) for path in PAGES} == {200}
        assert ask(guarded, "GET", "/v1/audit", key) == (200 if scope == "admin" else 403)
        assert (ask(guarded, "POST", ARMS, key) == 403) == (scope != "admin")
        assert ask(guarded, "POST", EVENTS, key) == 202
    assert ask(guarded, "POST", DECIDE, **{"x-api-key": KEYS["decide"]}) == 200
    both = {"x-api-key": KEYS["decide"], "authorization": "Bearer of-a-gateway"}
    assert ask(guarded, "POST", DECIDE, **both) == 200
    assert ask(guarded, "POST", EVENTS, "cr_ing_unknown") == 401


def test_a_restricted_key_is_for_its_experiments_only(guarded: House) -> None:
    assert ask(guarded, "POST", "/v1/experiments/other/decide", NARROW) == 200
    assert ask(guarded, "GET", "/v1/experiments/other", NARROW) == 200
    for path in (DECIDE, "/v1/experiments/other/../top-button/decide"):
        assert ask(guarded, "POST", path, NARROW) == 403
    assert {ask(guarded, "GET", path, NARROW) for path in PAGES} == {403}


def test_a_refusal_says_why_and_is_counted(guarded: House) -> None:
    guarded.mark()
    answer = guarded.post(DECIDE, {"unit": "u"}, **bearer(OVER))
    assert answer.json() == {"error": "the API key over has expired"}
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ask(guarded, "POST", DECIDE, KEYS["ingest"]) == 403
    assert guarded.rise("croupier_refused_total", reason="expired") == 1
    assert guarded.rise("croupier_refused_total", reason="scope") == 1
    assert guarded.rise("croupier_http_errors_total", status="403") == 1


def test_tokens_need_no_key(guarded: House) -> None:
    token = guarded.post(DECIDE, {"unit": "u"}, **bearer(KEYS["decide"])).json()["token"]
    assert guarded.report({"kind": "impression", "token": token})["accepted"] == 1


def test_metrics_may_be_closed_too(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", GUARDED + "[server]\nopen_metrics = false\n") as house:
        assert ask(house, "GET", METRICS) == 401
        assert ask(house, "GET", METRICS, KEYS["ingest"]) == 200
        assert ask(house, "GET", "/healthz") == 200


def test_openapi_names_the_keys(guarded: House) -> None:
    document = guarded.client.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path in OPEN or path == METRICS:
                assert operation["security"] == []
            else:
                assert {"bearer": []} in operation["security"]
                assert "401" in operation["responses"]


# --- who did it -----------------------------------------------------------------------------------


def test_whoever_has_a_key_cannot_call_himself_another(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", GUARDED) as house:
        change = {"change": "pause", "arm": "install", "by": "config"}
        made = house.post(ARMS, change, **bearer(KEYS["admin"])).json()
        assert (made["by"], made["note"]) == ("admin", "config")
        audit = house.client.get("/v1/audit", headers=bearer(KEYS["admin"])).json()
        assert (audit[0]["by"], audit[0]["note"], audit[0]["change"]) == (
            "admin",
            "config",
            "pause install",
        )
        assert audit[0]["before"] == {"arms": {"install": "active"}}
        assert audit[0]["after"] == {"arms": {"install": "paused"}}
        assert [each["what"] for each in audit[1:]] == ["arms", "declaration"] * 2
        assert all(new["at"] >= old["at"] for new, old in itertools.pairwise(audit))


def test_the_audit_tells_a_changed_declaration_and_is_bounded(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", SINGLE) as house:
        house.reopen(SINGLE.replace("floor = 0.01", "floor = 0.02"))
        newest, *rest = house.client.get("/v1/audit?limit=2").json()
        assert newest["what"] == "declaration"
        assert newest["before"]["policy"]["floor"] == 0.01
        assert newest["after"]["policy"]["floor"] == 0.02
        assert newest["after"].keys() == {"policy"}
        assert len(rest) == 1
        assert house.client.get("/v1/audit?limit=0").status_code == 422
        assert house.client.get("/v1/audit?limit=9999").status_code == 422


# --- pages of other origins -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that answers the pages of one shop."""
    toml = f'{SINGLE}\n[server]\ncors = ["{SHOP}"]\n'
    with a_house(tmp_path_factory.mktemp("shop") / "croupier.db", toml) as house:
        yield house


@pytest.mark.parametrize(("path", "good"), [(DECIDE, 200), (EVENTS, 202)])
def test_a_listed_page_may_ask_and_read_a_foreign_one_may_not(
    shop: House, path: str, good: int
) -> None:
    body = '{"unit":"u"}' if path == DECIDE else "[]"
    shop.mark()
    for origin, status in ((SHOP, good), ("https://evil.example", 403), ("null", 403), ("", 403)):
        answer = shop.post(path, body, origin=origin, **{"content-type": "text/plain"})
        assert answer.status_code == status
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed == (origin if status == good else None)
    assert shop.rise("croupier_refused_total", reason="origin") == 3
    assert shop.post(path, body).status_code == good
    assert shop.post(path, body, origin="http://testserver").status_code == good


@pytest.mark.parametrize("path", [DECIDE, EVENTS, PAGES[1]])
def test_a_preflight_is_answered_without_a_key(shop: House, path: str) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    answer = shop.client.options(path, headers={"origin": SHOP} | asked)
    assert answer.status_code == 200
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-api-key" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert shop.client.options(path, headers={"origin": "https://e.example"} | asked).is_error


def test_a_refusal_can_be_read_by_a_listed_page(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", GUARDED + f'[server]\ncors = ["{SHOP}"]\n') as house:
        answer = house.post(DECIDE, {"unit": "u"}, origin=SHOP)
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == SHOP


def test_without_a_list_nobody_is_asked(shared: House) -> None:
    answer = shared.post(EVENTS, "[]", origin="https://evil.example")
    assert answer.status_code == 202
    assert "access-control-allow-origin" not in answer.headers


# --- rates ----------------------------------------------------------------------------------------

SLOW = '[limits]\ndecide = "2/h"\nevents = "5/h"\n[server]\ntrusted_proxies = ["127.0.0.0/8"]\n'


def test_each_key_has_its_own_rate_and_events_count_one_by_one(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", GUARDED + SLOW) as house:
        for key in (KEYS["decide"], KEYS["admin"]):
            assert [ask(house, "POST", DECIDE, key) for _ in range(3)] == [200, 200, 429]
        late = house.post(DECIDE, {"unit": "u"}, **bearer(KEYS["decide"]))
        assert 1_700 <= int(late.headers["retry-after"]) <= 1_800
        bad = [{"kind": "click", "token": "x"}]
        assert house.post(EVENTS, bad * 6).status_code == 413
        assert house.post(EVENTS, bad * 3).status_code == 202
        assert house.post(EVENTS, bad * 3).status_code == 429
        assert house.post(EVENTS, bad * 3, **bearer(KEYS["ingest"])).status_code == 202
        refused = {
            reason: house.metric("croupier_refused_total", reason=reason)
            for reason in ("decide_rate", "events_rate")
        }
        assert refused == {"decide_rate": 3, "events_rate": 2}


def test_an_address_is_the_peers_or_what_a_trusted_proxy_says(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    with a_house(tmp_path / "croupier.db", SINGLE + SLOW) as house:
        app = house.embedded.app()

        def visit(peer: str, forwarded: str = "") -> int:
            client = TestClient(app, client=(peer, 1))
            headers = {"x-forwarded-for": forwarded} if forwarded else {}
            return int(client.post(DECIDE, content='{"unit":"u"}', headers=headers).status_code)

        assert [visit("10.0.0.1") for _ in range(3)] == [200, 200, 429]
        assert [visit("10.0.0.2", f"6.6.6.{n}") for n in range(3)] == [200, 200, 429]
        assert [visit("127.0.0.1", f"6.6.6.{n}, 1.2.3.4") for n in range(3)] == [200, 200, 429]
        assert visit("127.0.0.1", "6.6.6.6, 1.2.3.5, 127.0.0.9") == 200
        assert visit("127.0.0.1", "rubbish") == 200
        six = [visit(f"2001:db8::{n}") for n in range(3)]
        assert six == [200, 200, 429]


def test_a_house_without_keys_lists_and_rates_has_no_gate(house: House) -> None:
    from croupier.apps.serve.hot import HotDoors

    assert isinstance(house.embedded.app(), HotDoors)
    assert OTHER != SINGLE
