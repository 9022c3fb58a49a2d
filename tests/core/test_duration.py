"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("15m", 900_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        (" 90s ", 90_000),
        ("250ms", 250),
        ("0.5s", 500),
        ("1.5ms", 2),
        ("2w1d", 15 * 86_400_000),
        ("0s", 0),
        ("1m1m", 120_000),
        ("10m5ms", 600_005),
    ],
)
def test_a_duration_is_read(text: str, millis: int) -> None:
    assert parse_duration(text) == millis


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "15",
        "m",
        "-5m",
        "+5m",
        "5 minutes",
        "1h-5m",
        "1e3s",
        ".5s",
        "5.s",
        "1,5s",
        "５m",
        "٣h",
    ],
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match='such as "15m"'):
        parse_duration(text)


@given(st.integers(0, 10**13))
def test_a_written_duration_reads_back(millis: int) -> None:
    assert parse_duration(format_duration(millis)) == millis


@pytest.mark.parametrize(
    ("millis", "text"),
    [(0, "0s"), (1, "1ms"), (5_400_000, "1h30m"), (604_800_000, "1w"), (90_061_001, "1d1h1m1s1ms")],
)
def test_a_duration_is_written_short(millis: int, text: str) -> None:
    assert format_duration(millis) == text
