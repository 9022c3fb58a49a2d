"""What an all-knowing observer would have counted, to hold learning against."""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.experiment import Experiment
from croupier.core.reward import MICRO
from croupier.core.worlds.delivery import ABSENT
from croupier.core.worlds.world import Visits, Whole

Flags = NDArray[np.bool_]


class Account(msgspec.Struct, frozen=True):
    """Trials and reward (millionths) of each arm, and what was counted beside them."""

    n: tuple[int, ...]
    reward: tuple[int, ...]
    late: int
    repeats: int
    held_out: int


class Shown(NamedTuple):
    """What was decided and what came of it, a row a visit."""

    arm: Whole
    session: Whole
    held_out: Flags
    succeeded: Flags


def outcome_kind(spec: Experiment) -> str:
    """The kind that a success is reported as: the one of the largest weight."""
    return max(spec.reward.terms, key=lambda kind: spec.reward.terms[kind].weight)


def worth(spec: Experiment, count: int) -> int:
    """The reward of so many successes in one trial, each of value 1, in millionths."""
    return spec.reward.of({outcome_kind(spec): (count, count * MICRO)})


def account(spec: Experiment, visits: Visits, shown: Shown) -> Account:
    """Count what must have been learned once every story has closed.

    Written on whole columns and with hindsight, so that it shares no line with the folds: a
    report counts iff a copy came by decision + horizon; an impression must be seen within
    `expose_within`, an outcome happen within `window` of it; the first seen of a session is its
    trial, and outcomes of the session count for the trial's arm.
    """
    deadline = (visits.at + spec.horizon)[:, None]
    impressions, outcomes = visits.lags[:, 0], visits.lags[:, 1]
    came_in = visits.seen[:, None] + impressions
    came_out = visits.acted[:, None] + outcomes
    sent_in, sent_out = impressions != ABSENT, (outcomes != ABSENT) & shown.succeeded[:, None]
    seen = (sent_in & (came_in <= deadline)).any(1) & (visits.sees <= spec.expose_within)
    acted = (sent_out & (came_out <= deadline)).any(1) & (visits.acts <= spec.window) & seen
    late = (sent_in & (came_in > deadline)).any(1).sum()
    late += (sent_out & (came_out > deadline)).any(1).sum()
    trial, successes = _trials(spec, visits, shown, seen, acted)
    trains = ~shown.held_out[trial]
    arms = len(spec.arms)
    arm, counts = shown.arm[trial][trains], successes[trains]
    rewards = [worth(spec, count) for count in range(int(counts.max(initial=0)) + 1)]
    totals = [0] * arms
    for place, count in zip(arm.tolist(), counts.tolist(), strict=True):
        totals[place] += rewards[count]
    return Account(
        n=tuple(np.bincount(arm, minlength=arms).tolist()),
        reward=tuple(totals),
        late=int(late),
        repeats=int(seen.sum() - len(trial)),
        held_out=int((~trains).sum()),
    )


def _trials(
    spec: Experiment, visits: Visits, shown: Shown, seen: Flags, acted: Flags
) -> tuple[Whole, Whole]:
    """The visit that is each session's trial, and how often its arm succeeded in the session."""
    rows = np.flatnonzero(seen)
    if spec.session is None:
        return rows, acted[rows].astype(np.int64)
    order = rows[np.lexsort((rows, visits.seen[rows], shown.session[rows], visits.unit[rows]))]
    unit, session = visits.unit[order], shown.session[order]
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (unit[1:] != unit[:-1]) | (session[1:] != session[:-1])
    group = np.cumsum(starts) - 1
    trial = order[starts]
    counts = acted[order] & (shown.arm[order] == shown.arm[trial][group])
    return trial, np.bincount(group, weights=counts, minlength=len(trial)).astype(np.int64)
