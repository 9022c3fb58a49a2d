"""GET /beacon.js: whole, small, cacheable, and free of what a strict policy forbids."""

import re

import pytest

from croupier.apps.serve.beacon import ETAG
from tests.apps.house import House


def test_the_script_is_served_with_its_tag(shared: House) -> None:
    answer = shared.client.get("/beacon.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/javascript"
    assert answer.headers["etag"] == ETAG
    assert "max-age" in answer.headers["cache-control"]
    assert answer.text.startswith("/* Croupier's beacon")


@pytest.mark.parametrize("known", [ETAG, f'"old", W/{ETAG}', "*"])
def test_who_has_it_is_not_sent_it_again(shared: House, known: str) -> None:
    answer = shared.client.get("/beacon.js", headers={"if-none-match": known})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", ETAG)


def test_who_has_another_is(shared: House) -> None:
    assert shared.client.get("/beacon.js", headers={"if-none-match": '"old"'}).status_code == 200


def test_it_stays_small_and_needs_nothing(shared: House) -> None:
    text = shared.client.get("/beacon.js").text
    assert len(text.splitlines()) <= 200
    forbidden = (
        r"\beval\(|new Function|innerHTML|document\.(cookie|write)|\bimport\b|require\(|\?\.|\?\?"
    )
    assert not re.findall(forbidden, text)
