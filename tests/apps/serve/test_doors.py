"""The ordinary doors: pages, health, OpenAPI."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import meta

from tests.apps.house import NAME, House, arms


def test_the_page_says_where_learning_stands(house: House) -> None:
    learned = house.trial("u", "click")["slate"][0]["arm"]
    house.settle()
    house.trial("v")
    page = house.page()
    assert page["name"] == NAME
    assert page["version"] == 2
    numbers = ("observations", "open", "late", "not_learned")
    assert [page[key] for key in numbers] == [1, 1, 0, 0]
    assert [arm["arm"] for arm in page["arms"]] == ["install", "free-trial", "see-recipes"]
    assert sum(arm["weight"] for arm in page["arms"]) == pytest.approx(1, abs=1e-9)
    for arm in page["arms"]:
        n = int(arm["arm"] == learned)
        assert arm == {
            "arm": arm["arm"],
            "status": "active",
            "weight": arm["weight"],
            "n": n,
            "reward_sum": float(n),
            "mean": 1.0 if n else None,
        }


def test_whoever_has_just_reported_finds_it_on_the_page(house: House) -> None:
    for number in range(5):
        house.trial(f"u-{number}")
        assert house.page()["open"] == number + 1


def test_the_list_holds_each_page(house: House) -> None:
    assert house.client.get("/v1/experiments").json() == [house.page()]


def test_an_unknown_page_is_not_found(shared: House) -> None:
    answer = shared.client.get("/v1/experiments/top-buton")
    assert answer.status_code == 404
    assert answer.json() == {"error": "no experiment 'top-buton' is declared"}


def test_a_weight_is_the_propensity_of_the_next_decision(house: House) -> None:
    for number in range(9):
        house.trial(f"u-{number}", *(["click"] if number % 2 else []))
    page = house.settle()
    house.until(lambda page: page["version"] == 2)
    weights = {name: arm["weight"] for name, arm in arms(house.page()).items()}
    for number in range(9):
        (shown,) = house.decide(f"v-{number}")["slate"]
        assert shown["propensity"] == weights[shown["arm"]]
    assert page["observations"] == 9


def test_health_and_readiness(shared: House) -> None:
    assert shared.client.get("/healthz").json() == {"ok": True, "error": None}
    assert shared.client.get("/readyz").json() == {"ready": True}
    assert shared.client.get("/readyz").status_code == 200


def test_a_server_is_not_ready_before_its_first_snapshots(shared: House) -> None:
    from starlette.testclient import TestClient

    from croupier.apps.serve.doors import make_app
    from croupier.apps.serve.service import Service

    made = shared.embedded.service
    fresh = Service(
        made.clock, made.log, made.states, made.cache, made.declarations, made.experiments,
        made.signer, bytes(32), made.limits,
    )  # fmt: skip
    client = TestClient(make_app(fresh))
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/v1/experiments/{NAME}"),
        ("POST", "/healthz"),
        ("DELETE", "/metrics"),
        *(
            (method, path)
            for method in ("GET", "PUT")
            for path in ("/v1/events", f"/v1/experiments/{NAME}/decide")
        ),
    ],
)
def test_a_wrong_method_is_told_the_right_one(shared: House, method: str, path: str) -> None:
    answer = shared.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/event", "/v1/experiments/a/b/c", "/favicon.ico"])
def test_what_is_not_there_is_not_found(shared: House, path: str) -> None:
    assert shared.client.get(path).status_code == 404
    assert shared.client.post(path, content="{}").status_code == 404


# --- OpenAPI --------------------------------------------------------------------------------------


def test_the_documentation_is_served(shared: House) -> None:
    page = shared.client.get("/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text


def test_openapi_is_valid_and_knows_every_door(shared: House) -> None:
    document = shared.client.get("/openapi.json").json()
    for schema in document["components"]["schemas"].values():
        meta.validate(schema)
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= named
    assert {
        "/v1/experiments/{name}/decide",
        "/v1/events",
        "/v1/experiments",
        "/v1/experiments/{name}",
        "/healthz",
        "/readyz",
        "/metrics",
    } <= document["paths"].keys()


def references(part: Any) -> Iterator[str]:
    """Every `$ref` in a part of the document."""
    if isinstance(part, dict):
        yield from (part["$ref"],) if isinstance(part.get("$ref"), str) else ()
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def test_openapi_knows_bodies_answers_and_refusals_of_the_hot_doors(shared: House) -> None:
    document = shared.client.get("/openapi.json").json()
    decide = document["paths"]["/v1/experiments/{name}/decide"]["post"]
    events = document["paths"]["/v1/events"]["post"]
    schemas = document["components"]["schemas"]
    assert schemas["DecideRequest"]["required"] == ["unit"]
    assert {"eligible", "exclude", "exposed"} < schemas["DecideRequest"]["properties"].keys()
    assert set(schemas["Report"]["required"]) == {"kind", "token"}
    assert events["requestBody"]["content"].keys() == {"application/json", "text/plain"}
    assert {"200", "400", "404", "413", "422"} <= decide["responses"].keys()
    assert {"202", "400", "413", "503"} <= events["responses"].keys()


def test_openapi_promises_no_refusal_that_a_door_never_gives(shared: House) -> None:
    paths = shared.client.get("/openapi.json").json()["paths"]
    assert "503" not in paths["/v1/experiments/{name}/decide"]["post"]["responses"]
    assert not {"404", "422"} & paths["/v1/events"]["post"]["responses"].keys()


def test_openapi_knows_the_page(shared: House) -> None:
    document: dict[str, Any] = shared.client.get("/openapi.json").json()
    page = document["paths"]["/v1/experiments/{name}"]["get"]["responses"]
    assert "$ref" in page["200"]["content"]["application/json"]["schema"]
    assert "404" in page


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_a_page_of_another_origin_changes_nothing_also_without_keys(
    house: House, kind: str
) -> None:
    change, path = {"change": "pin", "arm": "install"}, f"/v1/experiments/{NAME}/arms"
    foreign = {"origin": "https://evil.example", "content-type": kind}
    assert house.post(path, change, **foreign).status_code == 403
    assert house.page()["pinned"] is None
    own = {"origin": str(house.client.base_url).rstrip("/")}
    assert house.post(path, change, **own).status_code == 200
