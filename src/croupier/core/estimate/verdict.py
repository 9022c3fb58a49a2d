"""What may be concluded, at any time, with a stated error: in words."""

from collections.abc import Sequence

import msgspec

from croupier.core.estimate.lift import Interval, Lift


class Verdict(msgspec.Struct, frozen=True):
    """What is settled: arms that earn more or less than the default, the best arm, the regret.

    `regret` is the most that staying with the `leader` may cost a trial; `settled` when that is
    no more than was said to be worth anything. `text` says it in a sentence.
    """

    text: str
    settled: bool = False
    leader: str | None = None
    regret: float | None = None
    better: list[str] = []
    worse: list[str] = []


class Rival(msgspec.Struct, frozen=True):
    """How much more than the leader an arm may earn, at any time and for all pairs together."""

    arm: str
    more: Interval


def decide(
    default: str,
    leader: str | None,
    rivals: Sequence[Rival],
    lifts: Sequence[tuple[str, Lift]],
    worth: float = 0.0,
    *,
    judged: bool = True,
) -> Verdict:
    """The verdict on a leader, its rivals, and every arm's lift over the default.

    It stops when no rival can earn more than `worth` a trial above the leader, and the leader has
    earned often enough to be `judged` (a rival that never earns need not). Each interval holds
    at all times with its part of the error, so that a verdict is wrong with probability 5 % at
    most, however often one looks, and "when it looks good" is a fine time to look.

    >>> decide("a", "b", [Rival("a", Interval(-0.01, -0.02, -0.002))], [])
    Verdict(text='b is the best arm', settled=True, leader='b', regret=0.0, better=[], worse=[])
    >>> decide("a", None, [], []).text
    'no verdict yet: nothing to compare'
    """
    better = [arm for arm, lift in lifts if lift.side > 0]
    worse = [arm for arm, lift in lifts if lift.side < 0]
    open_ends = not rivals or any(rival.more.high is None for rival in rivals)
    most = None if open_ends else max(0.0, *(rival.more.high or 0.0 for rival in rivals), 0.0)
    settled = most is not None and most <= worth and judged
    if leader is None:
        return Verdict("no verdict yet: nothing to compare")
    if settled:
        text = f"{leader} is the best arm"
        text += f", to {worth:g} a trial" if most else ""
    else:
        text = _unsettled(default, lifts, better, worse)
        if most is not None:
            text += f"; staying with {leader} may cost up to {most:.3g} a trial"
    return Verdict(text, settled, leader, most, better, worse)


def _green(lifts: Sequence[tuple[str, Lift]]) -> list[str]:
    """Arms that have earned too seldom to be judged, or the default has."""
    return [arm for arm, lift in lifts if not lift.ripe]


def _unsettled(
    default: str, lifts: Sequence[tuple[str, Lift]], better: list[str], worse: list[str]
) -> str:
    if better or worse:
        found = [f"{', '.join(better)} earns more than {default}"] if better else []
        found += [f"{', '.join(worse)} earns less than {default}"] if worse else []
        return "; ".join(found)
    green = _green(lifts)
    if green:
        few = ", ".join(green[:3]) + (" and others" if len(green) > 3 else "")
        return f"no verdict yet: too few successes of {default} or of {few}"
    return f"no verdict yet: no arm is known to differ from {default}"
