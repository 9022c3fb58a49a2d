"""Units that return: intervals hold whether they are alike or not, whatever shares do."""

import numpy as np
import pytest
from msgspec.structs import replace

from croupier.core.arms.groups import group_stratum, split_stratum
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.arms.table import ArmTable, totals
from croupier.core.declarations import Declarations
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import Contrast
from croupier.core.estimate.page import Estimates, estimates
from croupier.core.estimate.panel import Known
from croupier.core.estimate.returning import factors
from croupier.core.experiment import Experiment
from croupier.core.learn import absorb
from croupier.core.policies.thompson import Thompson
from croupier.core.records import Observation
from croupier.core.reward import MICRO, Reward, Term
from croupier.core.worlds.returning import Returning, play_returning

RUNS = 250
BASE = np.linspace(0.05, 0.3, 24)
RATES = np.stack([BASE, 1.1 * BASE], axis=1)


def held(world: Returning, floor: float | None) -> tuple[float, float]:
    """How often 95 % intervals of the ratio hold: plain, and with groups."""
    cells, hourly = play_returning(RATES, world, RUNS, np.random.default_rng(5), floor=floor)
    total = Contrast.of(cells.arm(1), cells.arm(0)).total()
    groups = Cells(*(each.sum(axis=1) for each in hourly))
    once, _ = factors(total, (groups.arm(1), groups.arm(0)), 1.0)
    found = [total.ratio(), total.ratio(dispersion=once)]
    plain, wide = (float(np.mean((each.low < 1.1) & (each.high > 1.1))) for each in found)
    return plain, wide


@pytest.mark.parametrize("floor", [None, 0.01], ids=["even", "thompson"])
def test_intervals_hold_where_units_return_and_are_alike(floor: float | None) -> None:
    """Design effect 1.9. A true 95 % falls below 90.5 % for 1 of 500 seeds; this one is fixed."""
    plain, wide = held(Returning(600, 10 / 24, 0.1), floor)
    assert plain < 0.9
    assert wide > 0.905


def test_intervals_hold_where_they_are_not_alike() -> None:
    plain, wide = held(Returning(600, 10 / 24, 0.0), None)
    assert min(plain, wide) > 0.905


# --- what learning keeps, and the page says -------------------------------------------------------

SPEC = Experiment("b", ("a", "b"), "a", Reward({"click": Term(1.0)}), sticky="unit", holdout=0.1)


def seen(place: int, reason: str = "policy", version: int = 1) -> Observation:
    """Units 0 to 39, each of one arm; those of odd tens always click."""
    unit = place % 40
    return Observation(
        id=place.to_bytes(16, "big"), experiment="b", arm=unit % 2, slot=0,
        unit=bytes([unit]) * 16, declaration=version, reward_version=1, reason=reason,  # type: ignore[arg-type]
        propensity=0.25, reward=MICRO * (unit // 10 % 2), at=place * 900_000, measured={"loss": 7},
    )  # fmt: skip


def book(*specs: Experiment) -> Declarations:
    found = Declarations()
    for at, spec in enumerate(specs):
        for record in [*found.changes(spec, at)]:
            found.apply(record)
    return found


def test_a_trial_stands_in_its_units_group_too() -> None:
    learned = absorb([seen(3), seen(3, "holdout"), seen(3, "pinned")], book(SPEC))
    groups = {key: sums for key, sums in learned.sums.items() if key.stratum.startswith("group.")}
    for stratum, value in (("policy", 0), ("policy:loss", 7), ("holdout", 0), ("holdout:loss", 7)):
        place = StateKey("b", 1, 0, 1, group_stratum(bytes([3]), stratum), 0)
        assert groups.pop(place) == Sums.of(value, 0.5)  # weighed by 1/√0.25
    assert not groups


def test_groups_add_up_to_what_they_are_groups_of() -> None:
    trials = [seen(place, ("policy", "holdout")[place % 3 == 0]) for place in range(300)]
    found = totals(absorb(trials, book(SPEC)).sums.items())
    whole = {place: sums for place, sums in found.items() if not place[2].startswith("group.")}
    parts = totals(
        (StateKey("b", arm, 0, 1, split_stratum(stratum)[1], 0), sums)
        for (_, _, stratum, arm), sums in found.items()
        if stratum.startswith("group.")
    )
    assert {place: sums[:3] for place, sums in parts.items()} == {
        place: sums[:3] for place, sums in whole.items()
    }


@pytest.mark.parametrize(
    ("changes", "grouped"),
    [
        ({"sticky": "unit"}, True),
        ({"holdout": 0.1}, True),
        ({"sticky": "decision"}, False),
        ({}, False),
    ],
)
def test_only_where_a_unit_meets_the_same_again(changes: dict[str, object], grouped: bool) -> None:
    plain = replace(SPEC, sticky="session", holdout=0.0)
    learned = absorb([seen(1)], book(replace(plain, **changes)))
    assert any(key.stratum.startswith("group.") for key in learned.sums) == grouped


def test_it_is_as_declared_when_the_trial_was_decided() -> None:
    declared = book(SPEC, replace(SPEC, sticky="session", holdout=0.0))
    assert len(absorb([seen(1, version=1)], declared).sums) == 4
    assert len(absorb([seen(1, version=2)], declared).sums) == 2


def page(spec: Experiment) -> Estimates:
    declared = book(spec)
    sums = absorb([seen(place) for place in range(4_000)], declared).sums
    return estimates(Known(declared.latest("b"), declared.arms("b"), sums))


def test_the_page_says_how_far_units_that_return_scatter_and_counts_no_trial_twice() -> None:
    sticky, fresh = page(SPEC), page(replace(SPEC, sticky="session", holdout=0.0))
    assert sticky.trials == fresh.trials == 4_000
    assert [arm.n for arm in sticky.arms] == [arm.n for arm in fresh.arms] == [2_000, 2_000]
    assert sticky.periods == fresh.periods
    assert fresh.returning is None
    assert sticky.returning is not None
    assert sticky.returning > 50.0  # a unit's 100 trials are one
    wide, narrow = sticky.arms[1].lift, fresh.arms[1].lift
    assert wide is not None
    assert narrow is not None
    assert sticky.widened == wide.widened > 50.0
    for of in ("difference", "difference_anytime"):
        lengths = [getattr(each, of).high - getattr(each, of).low for each in (wide, narrow)]
        assert lengths[0] > 3.0 * lengths[1]


def test_a_posterior_is_as_unsure_as_groups_scatter() -> None:
    table = ArmTable()
    learned = absorb([seen(place) for place in range(400)], book(SPEC))
    for key, sums in learned.sums.items():
        if key.stratum == "policy":
            table.add(key.period, key.arm, sums)
        elif key.stratum.endswith(".policy"):
            table.groups.add(int(key.stratum.split(".")[1]), key.arm, sums)
    plain, wide = (
        Thompson(overdispersed=on).reading(table, (0, 1), 10**9, 3_600_000, (0.0, 1.0)).n[0]
        for on in (False, True)
    )
    assert plain == 200.0
    assert wide < 50.0


def test_a_holdout_that_returns_widens_what_is_said_of_it() -> None:
    """Draws are fresh, but who is held out always is, and clicks always or never."""
    declared = book(replace(SPEC, sticky="session"))
    drawn = [replace(seen(place), arm=place // 40 % 2) for place in range(2_000)]
    out = [replace(seen(place, "holdout"), arm=0) for place in range(2_000)]
    out = [replace(each, unit=bytes([each.unit[0] + 128 + 40]) * 16) for each in out]
    sums = absorb(drawn + out, declared).sums
    plain = {key: each for key, each in sums.items() if not key.stratum.startswith("group.")}
    wide, narrow = (
        estimates(Known(declared.latest("b"), declared.arms("b"), rows)).holdout
        for rows in (sums, plain)
    )
    assert wide is not None
    assert narrow is not None
    assert (wide.difference.value, narrow.widened) == (narrow.difference.value, 1.0)
    assert wide.widened > 20.0
