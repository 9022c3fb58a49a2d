"""Guardrails where shares, base rates and arms move within the hour."""

import msgspec
import numpy as np
import pytest

from croupier.adapters.memory import MemorySnapshots
from croupier.apps.learn import Learn
from croupier.core import arm_changes
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.arms.table import ArmTable
from croupier.core.declarations import Declarations
from croupier.core.estimate.barring import bar
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.draws import Draws
from croupier.core.estimate.guardrail import Against, judge
from croupier.core.estimate.page import estimates
from croupier.core.estimate.panel import Known
from croupier.core.experiment import Experiment
from croupier.core.guardrail import Guardrail
from croupier.core.reward import Reward, Term
from croupier.core.worlds.batches import merged, play
from croupier.core.worlds.harm import second
from tests.core.estimate.played import HOUR, broken_by, one, rows

LOSS = Guardrail(Reward({"loss": Term(1.0)}), margin=0.002)
COLUMN = LOSS.column("loss")
SPEC = Experiment("b", ("a", "b", "c"), "a", Reward({"click": Term(1.0)}), guardrail={"loss": LOSS})


def drawn(visits: float, shares: list[float], rates: list[float]) -> Cells:
    """Part of an hour: what it is on average; an arm with a share of 0 is not there."""
    share, rate = np.array([shares]), np.array([rates])
    n, w = visits * share, np.where(share > 0, 1.0 / np.maximum(share, 1e-9), 0.0)
    y = n * rate
    return Cells(n, y, y, w * n, w * w * n, w * y, w * w * y, w * w * y)


def hour(*parts: Cells) -> Cells:
    """Parts of one hour, added up."""
    return Cells(*(np.sum(each, axis=0) for each in zip(*parts, strict=True)))


def hours(*several: Cells) -> Cells:
    """Hours one below the other."""
    return Cells(*(np.concatenate(each) for each in zip(*several, strict=True)))


def test_an_arm_shown_mostly_in_the_bad_half_of_the_hour_breaks_nothing() -> None:
    """1 % and 5 % in both arms alike; b has a tenth of the good half, nine tenths of the bad."""
    both = hour(drawn(1e5, [0.9, 0.1], [0.01] * 2), drawn(1e5, [0.1, 0.9], [0.05] * 2))
    assert judge(both.plain(), [0], LOSS, 1).stands(1) == "broken"
    found = judge(both, [0], LOSS, 1)
    assert found.stands(1) == "open"
    assert float(found.once.value[1]) == pytest.approx(0.0)


def test_worse_by_more_than_the_margin_is_broken_there_too() -> None:
    halves = drawn(1e5, [0.9, 0.1], [0.01, 0.02]), drawn(1e5, [0.1, 0.9], [0.05, 0.06])
    found = judge(hour(*halves), [0], LOSS, 1)
    assert found.stands(1) == "broken"
    assert float(found.once.value[1]) == pytest.approx(0.01)


def test_a_winner_is_not_barred_for_what_is_lost_late_in_each_hour() -> None:
    """5 % is the promise, none of 300 runs of 48 hours was seen; plain sums bar most."""
    dice = np.random.default_rng(5)
    cells = play(np.tile([0.05, 0.075], (240, 1)), 2_000, 100, dice)
    lost = second(cells, np.tile(np.linspace(0.01, 0.05, 10), 24)[:, None], dice)
    both = merged(lost, 10)
    plain, found = (
        broken_by(Against(each.arm(1), each.arm(0), draws=draws), LOSS)
        for each, draws in ((both.plain(), Draws.as_they_came(both.arm(0))), (both, None))
    )
    assert plain.any(axis=-1).mean() > 0.3
    assert found.any(axis=-1).mean() <= 0.05


@pytest.mark.parametrize("first", ["joins", "leaves"])
def test_the_hour_that_an_arm_was_there_for_half_of_counts_nothing(first: str) -> None:
    """c is there for the half of an hour with 5 %, the others for that with 1 % too."""
    none, all_three = [0.5, 0.5, 0.0], [1 / 3] * 3
    half = hour(drawn(1e5, none, [0.01] * 3), drawn(1e5, all_three, [0.05] * 3))
    whole = hour(drawn(1e5, [0.4, 0.3, 0.3], [0.05] * 3), drawn(1e5, all_three, [0.05] * 3))
    without = drawn(1e5, none, [0.01] * 3)
    told = hours(without, half, whole) if first == "joins" else hours(whole, half, without)
    for cells in (told, hours(half)):
        found = judge(cells, [0], LOSS, 2)
        assert found.stands(2) != "broken"
    assert float(judge(told, [0], LOSS, 2).once.value[2]) == pytest.approx(0.0)


def test_an_hour_in_which_an_arm_joined_counts_nothing_though_it_looks_steady() -> None:
    """c joins when losses of all rise to 5 %, and leads at once; a stands at its floor."""
    before = drawn(1e5, [0.01, 0.99, 0.0], [0.01] * 3)
    joins = hour(before, drawn(1e5, [0.01, 0.01, 0.98], [0.05] * 3))
    cells = hours(before, before, joins)
    assert cells.arms([0, 2]).steady().all()  # by luck: only b was shown at two propensities
    assert judge(cells, [0], LOSS, 2).stands(2) == "open"


def test_hours_in_which_an_arm_was_paused_count_nothing_as_its_history_says() -> None:
    """c was there while all lost 60 %, and paused from 2:30 to 3:45; else it loses 5 against 1 %.

    Without the history those hours look like dispersion, that hides all harm.
    """
    rates, without, all_three = [0.01, 0.01, 0.05], [0.5, 0.5, 0.0], [1 / 3] * 3
    usual, away = drawn(1e4, all_three, rates), drawn(1e4, without, rates)
    half = hour(drawn(1e4, all_three, [0.6] * 3), away)
    sums = rows(hours(usual, usual, half, hour(away, usual), usual), f"policy:{COLUMN}")
    for told in (False, True):
        book = Declarations()
        for record in book.changes(SPEC, 0):
            book.apply(record)
        history = [book.arms("b")]
        changes = [("paused", 5 * HOUR // 2), ("active", 15 * HOUR // 4)] if told else []
        for version, (status, at) in enumerate(changes, 2):
            changed = arm_changes.set_status(history[-1], status, ["c"])  # type: ignore[arg-type]
            history.append(msgspec.structs.replace(changed, version=version, at=at))
            book.apply(history[-1])
        learn = Learn(book, MemorySnapshots())
        learn.take(sums)
        (snapshot,) = learn.refresh(["b"], 5 * HOUR, 5 * HOUR)
        assert [each.name for each in snapshot.barred] == (["c"] if told else [])
        page = estimates(Known(book.latest("b"), book.arms("b"), sums, 5 * HOUR, history=history))
        assert page.guardrails is not msgspec.UNSET
        c = page.guardrails[0].arms[1]
        assert (c.stands, c.difference.value == pytest.approx(0.04)) == (
            ("broken", True) if told else ("open", False)
        )


def test_the_first_hour_of_all_counts() -> None:
    first = hour(drawn(1e5, [0.9, 0.1], [0.01, 0.03]), drawn(1e5, [0.1, 0.9], [0.05, 0.07]))
    assert judge(first, [0], LOSS, 1).stands(1) == "broken"


def test_a_caller_that_never_offers_an_arm_to_some_is_judged_but_at_its_edges() -> None:
    """c is offered to every other visitor; twice as many visits are not its own."""
    both = [[0.6, 0.2, 0.2], [0.4, 0.3, 0.3]]
    each = hour(*(drawn(5e4, share, [0.01, 0.01, 0.05]) for share in both))
    never = hour(*(drawn(5e4, share, [0.01] * 3) for share in ([0.5, 0.5, 0.0], [0.6, 0.4, 0.0])))
    found = judge(hours(*[hour(each, never)] * 4), [0], LOSS, 2)
    assert found.stands(2) == "broken"


def test_learning_and_the_page_find_the_same_numbers() -> None:
    """Two slots, ten refreshes an hour, hours learnt in any order: all to the last digits."""
    book = Declarations()
    for record in book.changes(SPEC, 0):
        book.apply(record)
    dice = np.random.default_rng(3)
    known: dict[StateKey, Sums] = {}
    for slot in range(2):
        cells = play(np.tile([0.05, 0.06, 0.07], (60, 1)), 2_000, 1, dice)
        rates = np.tile(np.linspace(0.01, 0.03, 10), 6)[:, None] + np.array([0.0, 0.02, 0.04])
        harm = merged(second(cells, rates, dice), 10)
        known |= {
            key._replace(slot=slot): sums
            for stratum, each in (("policy", merged(cells, 10)), (f"policy:{COLUMN}", harm))
            for key, sums in rows(one(each), stratum).items()
        }
    tables: dict[str, dict[int, ArmTable]] = {COLUMN: {}}
    several = [each for each in known.items() if each[0].stratum.endswith(COLUMN)]
    for place in dice.permutation(len(several)):
        key, sums = several[place]
        tables[COLUMN].setdefault(key.slot, ArmTable()).add(key.period, key.arm, sums)
    barred = bar(SPEC, book.arms("b"), tables, 1)
    page = estimates(Known(book.latest("b"), book.arms("b"), known))
    assert page.guardrails is not msgspec.UNSET
    assert [each.name for each in barred] == ["b", "c"]
    for found, shown in zip(barred, page.guardrails[0].arms, strict=True):
        told = msgspec.structs.astuple(shown.difference_anytime)
        assert (found.value, found.low, found.high) == pytest.approx(told, rel=1e-9)
