"""Reading records: paths, items, ids and times; the golden files show the rest."""

import json
from typing import Any

import pytest

from croupier.core.sources.declared import Moment, Source, Word
from croupier.core.sources.moment import millis
from croupier.core.sources.path import Path
from croupier.core.sources.reading import Reader, Reading


def read(record: Any, most: int = 10_000, **mapping: Any) -> Reading:
    source = Source("s", "t", **({"kind": "click", "token": "token"} | mapping))
    return Reader(source, most_items=most).read(json.dumps(record).encode(), "s/0/1")


def fields(record: Any, **mapping: Any) -> list[dict[str, Any]]:
    return [report.fields for report in read(record, **mapping).reports]


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("a.b", 1),
        (("a", "b"), 1),
        (("a", "c.d"), 2),
        ("a.c.d", None),
        ("list.1.x", 3),
        ("list.2.x", None),
        ("list.-1", None),
        ("list.x", None),
        ("a.b.c", None),
        (".b", "item"),
        (".", {"b": "item"}),
        (("", "b"), "item"),
        ("list." + "9" * 5_000, None),
    ],
)
def test_a_path_leads_to_what_stands_there(field: Any, found: Any) -> None:
    record = {"a": {"b": 1, "c.d": 2}, "list": [0, {"x": 3}]}
    assert Path(field).find(record, {"b": "item"}) == found


def test_the_id_is_the_records_own_or_its_place_and_its_item() -> None:
    record = {"token": "T", "id": 5, "items": [{"id": "a"}, {}]}

    def ids(**mapping: Any) -> list[str | None]:
        return [one.get("id") for one in fields(record, **mapping)]

    assert ids() == ["s/0/1"]
    assert ids(id="id") == ["5"]
    assert ids(id="other") == ["s/0/1"]
    assert ids(id="none") == [None]
    assert ids(each="items") == ["s/0/1/0", "s/0/1/1"]
    assert ids(each="items", id="id") == ["5/0", "5/1"]
    assert ids(each="items", id=".id") == ["a", "s/0/1/1"]


def test_where_knows_truth_from_one() -> None:
    for wanted, there, found in [
        (True, 1, 0),
        (1, True, 0),
        (1, 1.0, 1),
        ([1, 2], 2, 1),
        ("a", None, 0),
    ]:
        reading = read({"token": "T", "paid": there}, where={"paid": wanted})
        assert len(reading.reports) == found
        assert reading.skipped["where"] == 1 - found


def test_an_item_that_is_bad_leaves_the_others() -> None:
    record = {"token": "T", "items": [{"v": 1}, {"v": "x"}, {"v": 2}, {"v": 3, "off": True}]}
    reading = read(record, each="items", value=".v", where={"type": "none"})
    assert reading.skipped == {"where": 1}
    reading = read(record, each="items", value=".v", token="token")
    assert [one.fields["value"] for one in reading.reports] == [1, 2, 3]
    assert [(one.item, one.reason) for one in reading.refused] == [(1, "value: expected a number")]


def test_too_much_is_refused_whole() -> None:
    assert read({"token": "T", "items": [1, 2, 3]}, most=2, each="items").refused[0].code == "batch"
    large = Reader(Source("s", "t", "k", token="t"), most_bytes=3).read(b"{   }", "s/0/1")
    assert large.refused[0].reason == "5 bytes: at most 3 (max_body)"


def test_the_number_of_a_schema_is_passed_over() -> None:
    source = Source("s", "t", "click", token="token")
    assert Reader(source).read(b'\0\0\0\0\7{"token": "T"}', "s/0/1").reports
    assert Reader(source).read(b"\0", "s/0/1").refused[0].code == "malformed"


def test_names_come_from_a_map_or_as_they_stand() -> None:
    record = {"token": "T", "what": "Bought", "box": "N"}
    assert fields(record, kind=Word("what"))[0]["kind"] == "Bought"
    assert fields(record, kind=Word("what", {"Bought": "purchase"}))[0]["kind"] == "purchase"
    assert read(record, kind=Word("what", {})).skipped == {"kind": 1}
    assert fields(record, arm=Word("box", {"N": "news"}))[0]["arm"] == "news"
    assert read(record, arm=Word("box", {})).refused[0].reason == "arm: 'N' is not in the map"


@pytest.mark.parametrize(
    ("value", "unit", "found"),
    [
        (1_763_750_000, "s", 1_763_750_000_000),
        (1_763_750_000.1235, "s", 1_763_750_000_124),
        ("1763750000", "s", 1_763_750_000_000),
        (1_763_750_000_123_456, "us", 1_763_750_000_123),
        (1_763_750_000_123_456_789, "ns", 1_763_750_000_123),
        ("2025-11-21", "ms", 1_763_683_200_000),
        ("2025-11-21T18:33:20Z", "s", 1_763_750_000_000),
        ("2025-11-21 13:33:20,5-0500", "s", 1_763_750_000_500),
        ("1969-12-31T23:59:59.999z", "ms", -1),
    ],
)
def test_times_as_companies_write_them(value: Any, unit: Any, found: int) -> None:
    assert millis(value, unit) == found
    assert fields({"token": "T", "t": value}, time=Moment("t", unit))[0]["at"] == found


@pytest.mark.parametrize(
    "value",
    ["", "soon", "2025-13-01", "2025-02-29", "2025-11-21T25:00", "٣", "1e9", True, [], 1e300,
     1 << 90, float("nan"), float("inf"), "9" * 19],
)  # fmt: skip
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"time|expected"):
        millis(value)
