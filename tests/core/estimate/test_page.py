"""A page of estimates: who is compared with whom, and when nothing may be concluded."""

import msgspec
import numpy as np
import pytest

from croupier.core.arms.sums import Sums
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.page import estimates
from croupier.core.estimate.panel import Panel
from croupier.core.records import Arm
from croupier.core.worlds.batches import play
from tests.core.estimate.played import HOUR, known, one, rows, steady


def run(
    rates: list[float], periods: int = 40, batch: int = 2_000, seed: int = 1, floor: float = 0.01
) -> Cells:
    dice = np.random.default_rng(seed)
    return one(play(steady(rates, periods), batch, 1, dice, floor=floor))


def test_a_clear_winner_is_named_and_settled() -> None:
    found = estimates(known(run([0.05, 0.15, 0.05])))
    assert found.verdict.settled
    assert found.verdict.text == "b is the best arm"
    assert (found.verdict.leader, found.verdict.better, found.verdict.regret) == ("b", ["b"], 0.0)
    assert found.trials == 80_000
    assert found.balance_p == pytest.approx(1.0, abs=0.9)
    assert not found.balance_alarm


def test_what_does_not_matter_may_be_settled_early() -> None:
    """No arm differs, and none can cost more than one in a hundred trials."""
    cells = run([0.05, 0.05])
    assert not estimates(known(cells)).verdict.settled
    found = estimates(known(cells), worth=0.1).verdict
    assert found.settled
    assert "to 0.1 a trial" in found.text


def test_too_few_successes_are_no_verdict() -> None:
    found = estimates(known(run([0.0, 0.5], periods=3, batch=200))).verdict
    assert found.text.startswith("no verdict yet: too few successes of a or of b")
    assert estimates(known(run([0.5, 0.5], periods=1, batch=1))).verdict.leader is None


def test_shares_that_do_not_fit_their_propensities_silence_the_verdict() -> None:
    cells = run([0.05, 0.15])
    lost = [np.where([False, True], np.floor(each * 0.8), each) for each in cells]
    found = estimates(known(Cells(*lost)))
    assert found.balance_alarm
    assert found.verdict.text.startswith("no verdict: ")
    assert not found.verdict.settled


def test_an_arm_that_joined_late_is_checked_and_compared_from_then_on() -> None:
    early, late = run([0.05, 0.06], 20, seed=3), run([0.05, 0.06, 0.07], 20, seed=4)
    cells = Cells(
        *(
            np.concatenate([np.pad(one_, ((0, 0), (0, 1))), other])
            for one_, other in zip(early, late, strict=True)
        )
    )
    now = known(cells)
    before = msgspec.structs.replace(now.arms, arms=now.arms.arms[:2])
    joined = msgspec.structs.replace(now.arms, version=2, at=20 * HOUR)
    told = msgspec.structs.replace(now, history=[before, joined])
    found = estimates(told)
    assert not found.balance_alarm
    lift = found.arms[2].lift
    assert lift is not None
    assert lift.periods == 20
    assert estimates(now).balance_alarm  # had it been there from the start


def test_the_holdout_is_compared_within_the_same_periods() -> None:
    cells = run([0.05, 0.10])
    apart = run([0.05, 0.05], seed=9)
    held = Cells(*(each[:, :1] for each in apart))
    found = estimates(known(cells, rows(held, "holdout")))
    assert found.holdout is not None
    assert found.holdout.ratio is not None
    assert found.holdout.weighted_ratio is None
    assert (found.holdout.ratio.low or 0.0) > 1.0
    assert found.arms[1].lift_holdout is not None


def test_arms_are_compared_slot_by_slot() -> None:
    """A contrast asks for the shares of the period before: those of the same slot."""
    cells = run([0.05, 0.06], periods=3)
    told = known(cells)
    second = {
        key._replace(slot=1): Sums(*(2 * each for each in sums)) for key, sums in told.rows.items()
    }
    panel = Panel(msgspec.structs.replace(told, rows={**told.rows, **second}))
    once = cells.n[:, 0].tolist()
    assert panel.compared.n[:, 0].tolist() == once + [2 * each for each in once]
    assert panel.policy.n[:, 0].tolist() == [k * each for each in once for k in (1, 2)]


def test_a_removed_arm_is_shown_and_judged_by_nobody() -> None:
    now = known(run([0.05, 0.15, 0.05]))
    arms = (*now.arms.arms[:1], Arm(1, "b", "removed"), *now.arms.arms[2:])
    found = estimates(
        msgspec.structs.replace(now, arms=msgspec.structs.replace(now.arms, arms=arms))
    )
    assert found.arms[1].status == "removed"
    assert found.verdict.leader != "b"
    assert found.verdict.better == []


def test_nothing_known_claims_nothing() -> None:
    empty = known(Cells(*np.zeros((8, 0, 2))))
    found = estimates(empty)
    assert (found.trials, found.periods, found.balance_p) == (0, 0, None)
    assert found.verdict.text == "no verdict yet: nothing to compare"


def test_an_arm_that_never_earns_does_not_hold_up_the_verdict() -> None:
    found = estimates(known(run([0.0, 0.2], floor=0.2))).verdict
    assert found.settled
    assert found.text == "b is the best arm"


def test_what_was_imported_is_believed_and_no_sign_of_lost_impressions() -> None:
    """2,000 trials of each, added up elsewhere within the hours of our own, and one hour before."""
    ours = known(run([0.05, 0.10, 0.08], 20))
    n = np.full((2, 3), 1_000.0)
    r = n * [0.05, 0.10, 0.08]
    past = rows(Cells(n, r, r, n, n, r, r, r))
    both = dict(ours.rows)
    for key, sums in past.items():
        both[key] = both[key] + sums
        both[key._replace(stratum="imported")] = sums
    found = estimates(msgspec.structs.replace(ours, rows=both))
    assert (found.trials, found.balance_alarm) == (46_000, False)
    assert found.balance_p == estimates(ours).balance_p
    alone = estimates(msgspec.structs.replace(ours, rows=past | {
        key._replace(stratum="imported"): sums for key, sums in past.items()
    }))  # fmt: skip
    assert [arm.mean.value for arm in alone.arms] == pytest.approx([0.05, 0.10, 0.08])
    assert not alone.balance_alarm
