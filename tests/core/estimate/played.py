"""Runs of a known world as the rows of sums that learning keeps."""

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.sums import StateKey, Sums
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.draws import Draws
from croupier.core.estimate.guardrail import Against, compare
from croupier.core.estimate.panel import Known
from croupier.core.experiment import Experiment
from croupier.core.guardrail import Guardrail
from croupier.core.records import Arm, ArmSet, Declaration
from croupier.core.reward import MICRO, Reward, Term

HOUR = 3_600_000
_UNITS = [MICRO**power for power in (0, 1, 2, 1, 2, 2, 3, 4)]


def rows(cells: Cells, stratum: str = "policy", arms: tuple[int, ...] = ()) -> dict[StateKey, Sums]:
    """Cells (T, K) of one run as rows: one an hour and arm that was shown."""
    found = {}
    periods, count = cells.n.shape
    for period in range(periods):
        for place in range(count):
            if cells.n[period, place]:
                arm = arms[place] if arms else place
                key = StateKey("b", arm, 0, 1, stratum, period * HOUR)
                values = [float(each[period, place]) for each in cells]
                found[key] = Sums(*(round(v * u) for v, u in zip(values, _UNITS, strict=True)))
    return found


def one(cells: Cells, run: int = 0) -> Cells:
    """A single run."""
    return Cells(*(each[run] for each in cells))


def known(cells: Cells, held_out: dict[StateKey, Sums] | None = None) -> Known:
    """What is known of an experiment with clicks as its rewards, after that run."""
    names = tuple("abcdefgh"[: cells.n.shape[-1]])
    spec = Experiment("b", names, names[0], Reward({"click": Term(1.0)}))
    arms = tuple(Arm(number, name) for number, name in enumerate(names))
    return Known(
        Declaration(version=1, reward_version=1, at=0, spec=spec),
        ArmSet(experiment="b", version=1, at=0, arms=arms),
        rows(cells) | (held_out or {}),
    )


def broken_by(pair: Against, declared: Guardrail) -> NDArray[np.bool_]:
    """Whether the arms of runs have broken a guardrail by the end of each period, (…, T)."""
    looks = []
    for end in range(1, pair.arms.n.shape[-1] + 1):
        draws = pair.draws and Draws(pair.draws.visits[..., :end], pair.draws.still[..., :end])
        arms, other = (Cells(*(each[..., :end] for each in side)) for side in pair[:2])
        looks.append(
            compare(pair._replace(arms=arms, other=other, draws=draws), declared, 1).broken
        )
    return np.stack(looks, axis=-1)


def steady(rates: list[float], periods: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The same rates in all periods, shape (T, K)."""
    return np.tile(np.array(rates), (periods, 1))
