"""What is known of an experiment, as arrays, and how to compare its arms."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec
import numpy as np

from croupier.core.absences import Absences, Away
from croupier.core.arms.design_effect import pooled
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.barred import in_play
from croupier.core.estimate.adaptive import adaptive_mean
from croupier.core.estimate.anytime import difference_sequence
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import Between
from croupier.core.estimate.doubted import Doubted
from croupier.core.estimate.draws import Draws
from croupier.core.estimate.lift import Interval, Lift, Terms
from croupier.core.estimate.offers import Offers
from croupier.core.estimate.pair import Pair
from croupier.core.estimate.returning import side
from croupier.core.estimate.spread import spread
from croupier.core.estimate.verdict import Rival
from croupier.core.learn import IMPORTED
from croupier.core.records import ArmSet, Declaration
from croupier.core.signals import Doubt, signal_column
from croupier.core.snapshot import Snapshot


class Known(msgspec.Struct, frozen=True):
    """What estimates are made of: declaration, arms and their history, sums, what is served."""

    declaration: Declaration
    arms: ArmSet
    rows: Mapping[StateKey, Sums]
    watermark: int = 0
    snapshot: Snapshot | None = None
    history: Sequence[ArmSet] = ()


class Panel:
    """The sums as arrays, and what follows from the declaration."""

    def __init__(self, known: Known) -> None:
        self.known, self.arms = known, known.arms.arms
        spec, version = known.declaration.spec, known.declaration.reward_version
        rows = {key: sums for key, sums in known.rows.items() if key.reward_version == version}
        strata = [(s, arm.number) for s in ("policy", "holdout", IMPORTED) for arm in self.arms]
        self.rows, count = rows, len(self.arms)
        kinds = [f":{signal_column(kind)}" for kind in spec.signals]
        shown = [(f"{s}{of}", arm) for of in ("", *kinds) for s, arm in strata[: 2 * count]]
        columns = [*shown, *strata[2 * count :]]
        self.periods, both = Cells.periods(rows, columns), Cells.of(rows, columns)
        self.policy = both.arms(slice(count))
        self.imported = both.arms(slice(len(shown), None))
        compared = both.lines(Cells.slot_by_slot(self.periods))
        imported = compared.arms(slice(len(shown), None))
        self.compared, *self.signals = (
            compared.arms(slice(first, first + 2 * count))
            for first in range(0, len(shown), 2 * count)
        )
        policy = self.compared.arms(slice(count))
        self.draws = Draws.of(policy.without(imported))._replace(visits=policy.n.sum(axis=-1))
        self.doubt = Doubt.of(spec.signals)
        self.groups = Cells.by_group(rows, strata[: 2 * count])
        self.grouped = bool(self.groups.n.any())
        names = [arm.name for arm in self.arms]
        self.default = [names.index(name) for name in spec.defaults if name in names]
        self.spread = spread(self.policy)
        self.terms = Terms(
            comparisons=len(self.arms) - len(self.default),
            dispersion=self.spread.factor,
            bounds=spec.reward.bounds,
        )

    @cached_property
    def served(self) -> dict[int, tuple[float, float]]:
        """By arm's number, its weight and P(arm is best), as they are published."""
        snapshot = self.known.snapshot
        if snapshot is None:
            return {}
        shares = zip(snapshot.weights, snapshot.posterior.best().tolist(), strict=True)
        return dict(zip(snapshot.arms, shares, strict=True))

    @cached_property
    def barred(self) -> dict[int, int]:
        """Since when arms are barred by guardrails, by their numbers, as it is published."""
        found: dict[int, int] = {}
        for each in self.known.snapshot.barred if self.known.snapshot else ():
            found[each.arm] = min(each.since, found.get(each.arm, each.since))
        return found

    @cached_property
    def in_play(self) -> frozenset[int]:
        """The places of arms that are active, and did not break a guardrail."""
        numbers = {arm.number for arm in in_play(self.known.arms, self.barred)}
        return frozenset(place for place, arm in enumerate(self.arms) if arm.number in numbers)

    def there(self, starts: Sequence[int], out: Sequence[Away] = ()) -> FloatArray:
        """1 where an arm could be shown from a period's start to its end, else 0, shape (T, K).

        By the history of the arms, and not while it was `out`.
        """
        known, away = self.known, Absences()
        for one in known.history:
            away.take(one)
        spells = [*away.spells(), *out]
        offers = Offers(spells, known.declaration.spec.period, known.watermark)
        return offers.whole(starts, [arm.number for arm in self.arms])

    @property
    def slots(self) -> int:
        """How many trials a decision makes within a row: where slots are pooled, one a slot."""
        spec = self.known.declaration.spec
        return spec.slots if spec.ranking == "pooled" else 1

    def lift(self, place: int) -> Lift | None:
        """Over the default; None for the default itself."""
        if place in self.default:
            return None
        return Lift.of(self.default_name, self._pair([place], self.default), self.terms)

    def over_holdout(self, places: Sequence[int]) -> Lift | None:
        """An arm, or several as they were shown, over the held-out units; None without any."""
        held = range(len(self.arms), 2 * len(self.arms))
        if not self.compared.arms(held).n.sum():
            return None
        pair = self._pair(places, held, plain=(len(places) > 1, True))
        return Lift.of("holdout", pair, self.terms, propensities=False)

    @property
    def returning(self) -> float | None:
        """The design effect of units that return, over all arms; None where no groups are kept."""
        count, (n, r, r2, *_) = len(self.arms), self.groups
        return pooled(np.stack([n, r, r2])[..., :count]) if self.grouped else None

    def mean(self, place: int) -> Between:
        """What an arm earns, as unsure as trials and the weights of its reward leave it."""
        still = self.draws.still
        x = [float(adaptive_mean(each.arm(place), still=still).value) for each in self.signals]
        doubt = float(self.doubt.variance(np.array(x))) if self.compared.arm(place).n.any() else 0.0
        arm, (least, most) = self.compared.arm(place), self.terms.bounds
        found = adaptive_mean(arm, positive=self.terms.positive, doubt=doubt, still=still)
        if doubt or not np.isfinite(found.high):
            return found  # what was fitted, or is not known, may be anything
        return found._replace(low=np.maximum(found.low, least), high=np.minimum(found.high, most))

    def _pair(
        self,
        one: Sequence[int],
        other: Sequence[int],
        plain: tuple[bool, bool] = (False, False),
    ) -> Pair:
        """Both sides, each several columns together; `plain`, as they came, where these mix."""

        def sides(cells: Cells) -> tuple[Cells, Cells]:
            first, second = (cells.arms(places).together() for places in (one, other))
            return first.plain() if plain[0] else first, second.plain() if plain[1] else second

        arm, rival = sides(self.compared)
        draws = (
            Draws.as_they_came(arm) if plain[0] else self.draws,
            Draws.as_they_came(rival) if plain[1] else self.draws,
        )
        sums = [Pair(*sides(each), draws).contrast().total() for each in self.signals]
        return Pair(
            arm,
            rival,
            draws,
            (side(self.groups, one), side(self.groups, other)) if self.grouped else None,
            Doubted.of(self.doubt, [(each.gained, each.base) for each in sums]),
        )

    @property
    def default_name(self) -> str:
        """The default, or the arms of the default slate."""
        return ", ".join(self.known.declaration.spec.defaults)

    def rivals(self, leader: int) -> list[Rival]:
        """Every other arm in play, and how much more than the leader it may earn."""
        active = sorted(self.in_play)
        pairs = max(len(active) * (len(active) - 1) // 2, 1)
        low, high = self.terms.bounds
        found = []
        for place in active:
            if place != leader:
                pair = self._pair([place], [leader])
                total = pair.contrast().total()
                _, factor = pair.factors(total, self.spread.factor)
                more = difference_sequence(total, self.terms.alpha / pairs, factor, pair.doubted)
                if np.isfinite(more.high):  # no trial earns more than the reward can
                    more = more._replace(high=np.minimum(more.high, high - low))
                found.append(Rival(self.arms[place].name, Interval.of(more)))
        return found
