"""A thread that is held up anywhere while it reads the clock does not make it run ahead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier import clock


class HeldUp:
    """A wall that is right, and a thread that is held up for so many ms at each look at it."""

    def __init__(self, pauses: list[int]) -> None:
        self._pauses, self.at = iter(pauses), 1_000_000

    def monotonic(self) -> float:
        self.at += next(self._pauses, 0)
        return self.at / 1000

    time = monotonic


@given(st.lists(st.integers(0, 50), max_size=60))
def test_the_clock_is_never_ahead_of_a_wall_that_was_not_set_back(pauses: list[int]) -> None:
    """Else an event would be newer than the stamp that a broker gives it by the same wall."""
    held_up = HeldUp(pauses)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "time", held_up)
        ours = clock.Clock()
        told = [(ours.now(), held_up.at) for _ in range(20)]
    assert all(now <= at for now, at in told)
    assert [now for now, _ in told] == sorted(now for now, _ in told)
