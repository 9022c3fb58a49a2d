"""What an all-knowing observer would have counted, to hold learning against."""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.experiment import Experiment
from croupier.core.reward import MICRO
from croupier.core.worlds.attention import Views
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
    """What was decided and what came of it, a row a visit; a column a slot, where there are some.

    `succeeded` says where who looked at the slot acted, or would have.
    """

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


def account(spec: Experiment, visits: Visits, shown: Shown, views: Views | None = None) -> Account:
    """Count what must have been learned once every story has closed.

    Written on whole columns and with hindsight, so that it shares no line with the folds: a
    report counts iff a copy came by decision + horizon; an impression must be seen within
    `expose_within`, an outcome happen within `window` of it; the first seen of a session is its
    trial, of each arm that was seen in it, and outcomes of the session count for these arms.
    Without `views`, of one slot.
    """
    views = views or visits.alone
    shown = shown._replace(
        arm=shown.arm.reshape(views.looks.shape),
        succeeded=shown.succeeded.reshape(views.looks.shape),
    )
    deadline = (visits.at + spec.horizon)[:, None, None]
    impressions, outcomes = views.lags[:, :, 0], views.lags[:, :, 1]
    came_in = visits.seen[:, None, None] + impressions
    came_out = (visits.seen[:, None] + views.acts)[:, :, None] + outcomes
    sent_in = (impressions != ABSENT) & views.looks[:, :, None]
    sent_out = (outcomes != ABSENT) & (shown.succeeded & views.looks)[:, :, None]
    in_time = (visits.sees <= spec.expose_within)[:, None]
    seen = (sent_in & (came_in <= deadline)).any(2) & in_time
    acted = (sent_out & (came_out <= deadline)).any(2) & (views.acts <= spec.window) & seen
    late = (sent_in & (came_in > deadline)).any(2).sum()
    late += (sent_out & (came_out > deadline)).any(2).sum()
    trial, successes = _trials(spec, visits, shown, seen, acted)
    counted = seen[trial]
    trains = counted & ~shown.held_out[trial][:, None]
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
        repeats=int(seen.any(1).sum() - len(trial)),
        held_out=int((counted & ~trains).sum()),
    )


def _trials(
    spec: Experiment, visits: Visits, shown: Shown, seen: Flags, acted: Flags
) -> tuple[Whole, Whole]:
    """The visit that is each session's trial, and how often its arms succeeded in the session."""
    rows, arms = np.flatnonzero(seen.any(1)), len(spec.arms)
    order = rows[np.lexsort((rows, visits.seen[rows], shown.session[rows], visits.unit[rows]))]
    starts = np.ones(len(order), dtype=bool)
    if spec.session is not None:
        unit, session = visits.unit[order], shown.session[order]
        starts[1:] = (unit[1:] != unit[:-1]) | (session[1:] != session[:-1])
    group = np.cumsum(starts) - 1
    trial = order[starts]
    key = group[:, None] * arms + shown.arm[order]
    successes = np.bincount(key[acted[order]], minlength=len(trial) * arms)
    return trial, successes[np.arange(len(trial))[:, None] * arms + shown.arm[trial]]
