"""The picture is well-formed, honest, and readable."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from croupier.runners.picture import COLOURS, fewer, share_picture, share_pictures
from tests.worlds import played

SVG = "{http://www.w3.org/2000/svg}"


def polygons(text: str) -> list[list[tuple[float, float]]]:
    """The corners of every area, in the order drawn."""
    found = []
    for area in ET.fromstring(text).iter(f"{SVG}polygon"):
        points = (point.split(",") for point in area.attrib["points"].split())
        found.append([(float(x), float(y)) for x, y in points])
    return found


def texts(text: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(text).iter(f"{SVG}text")]


def test_areas_lie_on_one_another_and_fill_the_plot() -> None:
    one = played("stationary")
    areas = polygons(share_picture("t", one.times, one.arms, one.runs[0].shares))
    assert len(areas) == len(one.arms)
    for lower, upper in pairwise(areas):
        middle = len(lower) // 2
        assert lower[:middle] == upper[:middle:-1] + upper[middle : middle + 1]
    assert {y for _, y in areas[0][len(areas[0]) // 2 :]} == {292.0}
    assert {y for _, y in areas[-1][: len(areas[-1]) // 2]} == {82.0}


@pytest.mark.parametrize("world", ["stationary", "cyclic"])
def test_shares_sum_to_one(world: str) -> None:
    for row in played(world).runs[0].shares:
        assert sum(row) == pytest.approx(1.0, abs=1e-12)


def test_names_are_escaped_and_long_ones_cut() -> None:
    text = share_picture("<b> & co", [1], ["<&>", "x" * 40], [[0.5, 0.5]])
    assert "<b> & co" in texts(text)
    assert "<&>" in texts(text)
    assert "x" * 13 + "…" in texts(text)


def test_several_policies_are_small_multiples_with_axes() -> None:
    shares = [[0.5, 0.5], [0.25, 0.75]]
    text = share_pictures(
        "t",
        [86_400_000, 172_800_000],
        ["a", "b"],
        {"one": shares, "two": shares},
        "time",
        ["a", "b"],
    )
    found = texts(text)
    assert len(polygons(text)) == 4
    assert {"one", "two", "0 d", "time", "best", "0 %", "100 %"} <= set(found)
    strip = [one for one in ET.fromstring(text).iter(f"{SVG}rect") if "height" in one.attrib]
    assert len([one for one in strip if one.attrib["height"] == "6"]) == 4


def test_many_arms_become_eight() -> None:
    shares = [[0.5] + [0.05] * 10]
    names, ((title, rows),), colours = fewer([f"arm {n}" for n in range(11)], [("p", shares)])
    assert (len(names), names[0], names[-1], title) == (8, "arm 0", "4 others", "p")
    assert rows[0] == pytest.approx([0.5] + [0.05] * 6 + [0.2])
    assert colours[:-1] == list(COLOURS[:7])


def test_it_follows_light_and_dark() -> None:
    assert "prefers-color-scheme: dark" in share_picture("t", [1], ["a"], [[1.0]])
