"""The estimates of one experiment: every arm, checks, and a verdict."""

from collections.abc import Sequence

import msgspec

from croupier.core.estimate.anytime import ripe
from croupier.core.estimate.balance import Balance
from croupier.core.estimate.checked import checked
from croupier.core.estimate.guarded import GuardrailEstimate, guarded
from croupier.core.estimate.lift import Interval, Lift
from croupier.core.estimate.panel import Known, Panel
from croupier.core.estimate.verdict import Verdict, decide


class ArmEstimate(msgspec.Struct, frozen=True):
    """One arm: trials, the mean of one with its interval, lifts, and where traffic goes.

    `best` is P(this arm is best), by which traffic is allocated: it is no verdict. `balance_z`
    says how far Σ 1/propensity is from the number of trials.
    """

    arm: str
    status: str
    n: int
    mean: Interval
    lift: Lift | None
    lift_holdout: Lift | None
    weight: float
    best: float | None
    balance_z: float | None


class Estimates(msgspec.Struct, frozen=True):
    """The answer of GET /v1/experiments/{name}/estimates, about the current reward version.

    `holdout` compares the policy as a whole with the holdout. `dispersion` is φ over
    periods, `returning` φ over groups of units (None where none are kept), `widened` the most that
    the variance of a lift was multiplied by. `balance_p` is the anytime-valid p of the
    sample-ratio check over all arms, `balance_alarm` whether it is below 1e-4. `guardrails` are
    there where any are declared.
    """

    name: str
    reward_version: int
    periods: int
    trials: int
    arms: list[ArmEstimate]
    holdout: Lift | None
    dispersion: float
    returning: float | None
    widened: float
    balance_p: float | None
    balance_alarm: bool
    verdict: Verdict
    guardrails: list[GuardrailEstimate] | msgspec.UnsetType = msgspec.UNSET


def estimates(known: Known, worth: float = 0.0) -> Estimates:
    """Everything that the sums say; `worth` is what a trial must earn more to be worth a change."""
    panel = Panel(known)
    shares = checked(panel)
    lines = [_line(panel, shares, place) for place in range(len(panel.arms))]
    held = panel.over_holdout(range(len(panel.arms)))
    lifts = [held, *(each for line in lines for each in (line.lift, line.lift_holdout))]
    return Estimates(
        name=known.declaration.spec.name,
        reward_version=known.declaration.reward_version,
        periods=len({start for start, _ in panel.periods}),
        trials=round(float(panel.policy.n.sum())),
        arms=lines,
        holdout=held,
        dispersion=panel.spread.phi,
        returning=panel.returning,
        widened=max([panel.spread.factor, *(each.widened for each in lifts if each)]),
        balance_p=None if shares is None else shares.least,
        balance_alarm=shares is not None and shares.alarm,
        verdict=_verdict(panel, lines, shares, worth),
        guardrails=guarded(panel) or msgspec.UNSET,
    )


def _line(panel: Panel, shares: Balance | None, place: int) -> ArmEstimate:
    arm, cells = panel.arms[place], panel.compared.arm(place)
    weight, best = panel.served.get(arm.number, (0.0, None))
    return ArmEstimate(
        arm=arm.name,
        status=arm.status,
        n=round(float(cells.n.sum())),
        mean=Interval.of(panel.mean(place)),
        lift=panel.lift(place),
        lift_holdout=panel.over_holdout([place]) if panel.slots == 1 else None,
        weight=weight,
        best=best,
        balance_z=None if shares is None else float(shares.z[place]),
    )


def _verdict(
    panel: Panel, lines: Sequence[ArmEstimate], shares: Balance | None, worth: float
) -> Verdict:
    if shares is not None and shares.alarm:
        return Verdict(f"no verdict: {shares.words([arm.name for arm in panel.arms])}")
    tried = {
        place: 0.0 if line.lift is None else line.lift.difference.value
        for place, line in enumerate(lines)
        if line.n and place in panel.in_play
    }
    known = {place: value for place, value in tried.items() if value is not None}
    lifts = [
        (line.arm, line.lift)
        for place, line in enumerate(lines)
        if line.lift and place in panel.in_play
    ]
    if len(known) < 2:
        return decide(panel.default_name, None, [], lifts, worth)
    leader = max(known, key=lambda place: known[place])
    first = panel.policy.arm(leader)
    rivals, judged = panel.rivals(leader), bool(ripe(first, first, panel.terms.bounds))
    return decide(panel.default_name, lines[leader].arm, rivals, lifts, worth, judged=judged)
