"""Rows of `believed` about outcomes that take days: who is shown, and what is foretold."""

from collections.abc import Iterator

import numpy as np

from benchmarks.report import Row, at_least
from croupier.core.arms.panels import FloatArray
from croupier.core.worlds.late import held, told
from croupier.core.worlds.slow import Counting, delays, play_slow


def slow() -> Iterator[Row]:
    """Last week's share of a better arm whose outcomes take days."""
    laws = np.stack([delays(0.0, 14), delays(4.0, 14)])

    def last_week(counting: Counting, scale: float = 1.0, laws: FloatArray = laws) -> float:
        rates = scale * np.array([0.04, 0.05])
        return float(play_slow(rates, laws, 30, 1_000, counting, seed=1)[:, -7:, 1].mean())

    note = (
        "300 runs, 1,000 a day, window 14 days, 4 % at once against 5 % after 4 days; waiting "
        f"{last_week('when over'):.2f}, silence taken for failure {last_week('all at once'):.2f}"
    )
    yield at_least(
        "last week's share of the better, slow arm", "share", last_week("as exposed"), 0.95, note
    )
    told_at_once = last_week("all at once", 0.1, np.stack([delays(0.0, 14)] * 2))
    yield Row(
        "the same of 0.4 % and 0.5 %: what can be known",
        "share",
        last_week("as exposed", 0.1),
        "both arms' outcomes at once",
        told_at_once,
        "at least",
        0.97,
        note=f"waiting {last_week('when over', 0.1):.2f}",
    )


def late(runs: int) -> Iterator[Row]:
    """A reward that matures late, foretold from earlier signals: its means, and its lifts."""
    certain, published = held(runs, 400, seed=1)
    note = (
        f"{runs} runs, weights of two signals fitted on 400 matured trials, 4,000 trials an arm; "
        f"weights taken as certain: {certain:.1%}"
    )
    what = "late means within 95 % intervals of what is published"
    yield at_least(what, "share", float(published), 0.93, note)
    sure, found = told(runs, 400, seed=1)[:, 2]
    note = f"the same; weights taken as certain: {sure:.1%}"
    yield at_least("late differences within 95 % intervals", "share", float(found), 0.93, note)
