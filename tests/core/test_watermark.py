"""Log time: the least that any declared partition has reached."""

import pytest

from croupier.core.watermark import Watermark


def test_a_partition_that_is_behind_holds_time() -> None:
    time = Watermark([0, 1, 2])
    for partition, stamp in ((0, 50), (1, 70), (2, 20), (2, 60)):
        time.reach(partition, stamp)
    assert time.value == 50


def test_time_never_goes_back() -> None:
    time = Watermark([0], start=10)
    for stamp, value in ((5, 10), (30, 30), (20, 30)):
        time.reach(0, stamp)
        assert time.value == value


def test_a_partition_that_was_not_declared_is_refused() -> None:
    with pytest.raises(KeyError):
        Watermark([0]).reach(1, 5)
    assert Watermark([]).value == 0
