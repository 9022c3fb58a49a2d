"""Whatever is sent to the hot doors, the answer is an answer: never a 5xx, always JSON."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.apps.house import NAME, House

DECIDE = f"/v1/experiments/{NAME}/decide"
ARMS = st.sampled_from(["install", "free-trial", "see-recipes", "buy", "", "\x00"])
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, 2**63, 2**64, -(2**63), 10**30, 1763750000123])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def either(*usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Something usual, or anything at all."""
    return st.one_of(*usual, ANYTHING)


REQUESTS = st.fixed_dictionaries(
    {"unit": either(st.text(min_size=1, max_size=600))},
    optional={
        "eligible": either(st.lists(ARMS, max_size=4)),
        "exclude": either(st.lists(ARMS, max_size=4)),
        "exposed": either(st.booleans()),
        "extra": ANYTHING,
    },
)
EVENTS = st.fixed_dictionaries(
    {"kind": either(st.sampled_from(["impression", "click", "buy"])), "token": st.just("TOKEN")},
    optional={
        "arm": either(ARMS),
        "at": either(st.integers(), st.floats(allow_nan=False)),
        "value": either(st.floats(0, 10)),
        "id": either(st.text(max_size=130)),
        "extra": ANYTHING,
    },
)


@given(request=either(REQUESTS))
def test_any_json_is_answered_by_decide(house_of_all: House, request: Any) -> None:
    answer = house_of_all.ask(request)
    assert answer.status_code in {200, 422}, answer.text
    if answer.status_code == 200:
        (shown,) = answer.json()["slate"]
        assert shown["arm"] not in (request.get("exclude") or [])
        assert shown["arm"] in (request.get("eligible") or [shown["arm"]])
        assert 0 < shown["propensity"] <= 1


@given(events=st.lists(either(EVENTS), max_size=6), share=st.floats(0, 1))
def test_any_json_is_answered_by_events(
    house_of_all: House, events: list[Any], share: float
) -> None:
    token = house_of_all.decide()["token"]
    cut = token[: math.ceil(len(token) * share)]
    text = json.dumps(events).replace('"TOKEN"', f'"{token if share > 0.3 else cut}"')
    answer = house_of_all.post("/v1/events", text.replace("Infinity", "1e999"))
    assert answer.status_code == 202, answer.text
    told = answer.json()
    refused = [each["index"] for each in told["rejected"]]
    assert refused == sorted(set(refused))
    assert told["accepted"] == len(events) - len(refused)
    assert all(each["reason"] for each in told["rejected"])


FRAGMENTS = ['{"kind":"click"}', '{"unit":"u"}', "[", "]", "{", "}", '"', "1e", "\\ud800", ",", ":"]
BYTES = st.lists(st.sampled_from(FRAGMENTS).map(str.encode) | st.binary(max_size=3), max_size=8)


@pytest.mark.parametrize(
    ("path", "opening", "end"),
    [(DECIDE, b'{"unit":"', b'"}'), ("/v1/events", b'[{"kind":"', b'"}]')],
)
@given(parts=BYTES, framed=st.booleans())
def test_any_bytes_are_answered(
    house_of_all: House, path: str, opening: bytes, end: bytes, parts: list[bytes], framed: bool
) -> None:
    body = b"".join(parts)
    answer = house_of_all.post(path, opening + body + end if framed else body)
    assert answer.status_code in {200, 202, 400, 422}
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()
