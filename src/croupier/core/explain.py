"""One decision again: what was published, and where the hashed draw fell."""

from typing import NamedTuple

from croupier.core.bag import Bag
from croupier.core.decide import Choice, Decider
from croupier.core.menus import NoArmLeftError
from croupier.core.records import Decision, Declaration
from croupier.core.snapshot import Snapshot


class Share(NamedTuple):
    """One arm of the snapshot: its stretch [`begins`, `ends`) of the unit interval, for one slot.

    For several slots both are None, and `weight` is the chance of being in any of them.
    """

    number: int
    name: str
    weight: float
    begins: float | None
    ends: float | None


class Explanation(NamedTuple):
    """Why a decision shows what it shows.

    `point` is None where the draw is not one point on a line: slates, and `sticky = "unit"`.
    `slate` is what an unrestricted request draws; `agrees` says that it is what was logged, with
    the same propensities. Else the request restricted the arms, which the log does not hold.
    """

    decision: Decision
    drawn_from: str
    point: float | None
    shares: tuple[Share, ...]
    slate: tuple[str, ...]
    agrees: bool


def explain(decision: Decision, snapshot: Snapshot, declaration: Declaration) -> Explanation:
    """Decide again, from the snapshot and the declaration that were in force.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> from croupier.core.experiment import Experiment
    >>> from croupier.core.policies.thompson import Thompson
    >>> from croupier.core.reward import Reward
    >>> spec = Experiment("b", ("x", "y"), "x", Reward({}))
    >>> told = Declaration(version=1, reward_version=1, at=0, spec=spec)
    >>> published = Snapshot(
    ...     experiment="b", version=1, at=0, declaration=1, reward_version=1, watermark=0,
    ...     arms=(0, 1), names=("x", "y"), weights=(0.25, 0.75),
    ...     posterior=Beta((1.0, 1.0), (1.0, 1.0)), policy=Thompson(),
    ... )
    >>> made = Decider(published, told).decide(bytes(16), 0, bytes(15))
    >>> found = explain(made.decision, published, told)
    >>> found.slate, round(found.point, 4), found.agrees
    (('y',), 0.955, True)
    """
    decider = Decider(snapshot, declaration)
    again = _again(decider, decision)
    text = decider.text(decision.unit, decision.session, decision.tracking_id)
    drawn_from = _words(decider, decision)
    on_a_line = drawn_from == "weights"
    return Explanation(
        decision=decision,
        drawn_from=drawn_from,
        point=decider.point(text) if on_a_line else None,
        shares=tuple(_shares(snapshot, on_a_line=on_a_line)),
        slate=again.names if again else (),
        agrees=again is not None
        and (again.decision.slate, again.decision.propensities, again.decision.reason)
        == (decision.slate, decision.propensities, decision.reason),
    )


def _again(decider: Decider, decision: Decision) -> Choice | None:
    try:
        return decider.decide(decision.unit, decision.at, decision.tracking_id)
    except NoArmLeftError:
        return None


def _words(decider: Decider, decision: Decision) -> str:
    if decision.reason != "policy":
        return decision.reason
    if isinstance(decider.menu, Bag):
        return "bag of rankings"
    return "weighted rendezvous" if decider.spec.sticky == "unit" else "weights"


def _shares(snapshot: Snapshot, *, on_a_line: bool) -> list[Share]:
    shares, begins = [], 0.0
    for number, name, weight in zip(snapshot.arms, snapshot.names, snapshot.weights, strict=True):
        ends = begins + weight
        line = (begins, ends) if on_a_line else (None, None)
        shares.append(Share(number, name, weight, *line))
        begins = ends
    return shares
