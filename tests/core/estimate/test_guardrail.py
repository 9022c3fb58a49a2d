"""Guardrails: who breaks them, how seldom a sound arm is said to, and that it stays so."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from croupier.adapters.memory import MemorySnapshots
from croupier.apps.learn import Learn
from croupier.core import arm_changes, codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.barred import Freed, kept_out, still, without
from croupier.core.decide import Decider
from croupier.core.declarations import Declarations
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.guardrail import Against, judge
from croupier.core.estimate.page import estimates
from croupier.core.estimate.panel import Known
from croupier.core.experiment import Experiment
from croupier.core.guardrail import Guardrail
from croupier.core.records import ArmSet
from croupier.core.reward import Reward, Term
from croupier.core.snapshot import Snapshot
from croupier.core.worlds.batches import play
from croupier.core.worlds.harm import second
from tests.core.estimate.played import HOUR, broken_by, one, rows, steady

LOSS = Guardrail(Reward({"loss": Term(1.0)}), margin=0.005)
COLUMN = LOSS.column("loss")
SPEC = Experiment("b", ("a", "b", "c"), "a", Reward({"click": Term(1.0)}), guardrail={"loss": LOSS})
PLAIN = msgspec.structs.replace(SPEC, guardrail=msgspec.UNSET)


def looks(harm: list[float]) -> NDArray[np.bool_]:
    """100 runs of two arms alike in clicks, 500 visitors an hour for 14 days, judged each hour."""
    dice = np.random.default_rng(5)
    cells = second(play(steady([0.05, 0.05], 336), 500, 100, dice), np.array(harm), dice)
    rule = msgspec.structs.replace(LOSS, margin=0.0)
    return broken_by(Against(cells.arm(1), cells.arm(0)), rule)


def test_a_sound_arm_is_seldom_removed_over_a_fortnight_of_hourly_looks() -> None:
    """5 % is the promise, 0.5 % what long runs show; 6 of 100 at 5 % have a chance of 38 %."""
    assert looks([0.01, 0.01]).any(axis=-1).mean() <= 0.05


def test_a_harmful_arm_is_found_within_days() -> None:
    found = looks([0.01, 0.02])
    assert found.any(axis=-1).mean() > 0.9
    assert np.median(found.argmax(axis=-1)) < 72


@pytest.mark.parametrize("worse", ["more", "less"])
def test_only_the_worse_side_breaks_it(worse: str) -> None:
    n, less, more = np.array([[4_000.0, 4_000.0]]), 80.0, 320.0
    for harmed in (0, 1):
        y = np.array([[less, more] if harmed else [more, less]])
        rule = msgspec.convert(
            {"reward": {"terms": {"loss": {"weight": 1.0}}}, "margin": 0.01, "worse": worse},
            Guardrail,
        )
        stands = judge(Cells(n, y, y, n, n, *[y] * 3), [0], rule, 1).stands(1)
        assert stands == ("broken" if (worse == "more") == bool(harmed) else "kept")


def test_few_outcomes_are_no_proof() -> None:
    """24 losses of 24 trials against none of many: too few to be judged, however bad it looks."""
    n, y = np.array([[9_000.0, 24.0]]), np.array([[0.0, 24.0]])
    assert judge(Cells(n, y, y, n, n, *[y] * 3), [0], LOSS, 1).stands(1) == "open"


@pytest.mark.parametrize(
    ("shown", "sold", "back", "stands"),
    [
        (4_000.0, 80.0, 320.0, "broken"),
        (4_000.0, 0.0, 0.0, "broken"),
        (4_000.0, 400.0, 200.0, "open"),
        (4_000.0, 1_200.0, 800.0, "kept"),
        (40.0, 2.0, 22.0, "open"),
    ],
)
def test_an_outcome_of_both_signs_is_judged(
    shown: float, sold: float, back: float, stands: str
) -> None:
    """Sales less returns, 0.05 of the default: nothing sold is proof, 24 of few shown are not."""
    rule = Guardrail(Reward({"sale": Term(1.0), "back": Term(-1.0)}), 0.01, worse="less")
    n = np.array([[4_000.0, shown]])
    y, squares = np.array([[200.0, sold - back]]), np.array([[600.0, sold + back]])
    cells = Cells(n, y, squares, n, n, y, y, squares)
    assert judge(cells, [0], rule, 1).stands(1) == stands


def test_an_arm_that_always_fails_is_found_though_nothing_scatters() -> None:
    n, y = np.array([[70.0, 70.0]]), np.array([[0.0, 70.0]])
    assert judge(Cells(n, y, y, n, n, *[y] * 3), [0], LOSS, 1).stands(1) == "broken"


def test_three_trials_of_the_default_are_no_proof() -> None:
    n, y = np.array([[3.0, 70.0]]), np.array([[0.0, 69.0]])
    assert judge(Cells(n, y, y, n, n, *[y] * 3), [0], LOSS, 1).stands(1) == "open"


# --- what learning makes of it --------------------------------------------------------------------


def learned(spec: Experiment = SPEC) -> tuple[Learn, Declarations, dict[StateKey, Sums]]:
    """Three arms that earn alike; c loses 6 % against 1 %."""
    book = Declarations()
    for record in book.changes(spec, 0):
        book.apply(record)
    dice = np.random.default_rng(3)
    cells = play(steady([0.05] * 3, 24), 1_500, 1, dice, floor=0.1)
    harm = second(cells, np.array([0.01, 0.01, 0.06]), dice)
    both = rows(one(cells)) | rows(one(harm), f"policy:{COLUMN}")
    learn = Learn(book, MemorySnapshots())
    learn.take(both)
    return learn, book, both


def refresh(learn: Learn, at: int) -> Snapshot:
    (snapshot,) = learn.refresh(["b"], at, 24 * HOUR)
    return snapshot


def test_a_harmful_arm_is_shown_no_more_and_history_says_why() -> None:
    learn, _, _ = learned()
    snapshot = refresh(learn, 10**8)
    assert snapshot.names == ("a", "b")
    assert sum(snapshot.weights) == pytest.approx(1.0)
    (barred,) = snapshot.barred
    assert (barred.arm, barred.name, barred.guardrail, barred.since) == (2, "c", "loss", 10**8)
    assert barred.low > LOSS.margin
    assert codec.decode(codec.encode(snapshot)) == snapshot


def test_what_broke_a_guardrail_stays_out_until_the_guardrail_changes() -> None:
    learn, book, _ = learned()
    before = refresh(learn, 10**8)
    many = Sums(*(10**6 * each for each in Sums.of(0, 0.5)))
    learn.take({StateKey("b", 2, 0, 1, f"policy:{COLUMN}", 0): many})
    assert learn.refresh(["b"], 2 * 10**8, 24 * HOUR) == []
    again = Learn(book, learn._cache)  # another process, that has not read the sums
    assert refresh(again, 2 * 10**8).barred == before.barred
    learn = again
    wider = {"loss": msgspec.structs.replace(LOSS, margin=0.5)}
    for record in book.changes(msgspec.structs.replace(SPEC, guardrail=wider), 3 * 10**8):
        assert record.version == 1  # the same stories, the same sums
        book.apply(record)
    learn.touch("b")
    after = refresh(learn, 3 * 10**8)
    assert after.names == ("a", "b", "c")
    assert after.barred == ()


def apply(learn: Learn, book: Declarations, changed: ArmSet) -> None:
    book.apply(msgspec.structs.replace(changed, version=changed.version + 1))
    learn.touch("b")


def guarded_arms(learn: Learn, book: Declarations, both: dict[StateKey, Sums]) -> dict[str, bool]:
    """Which arms the page calls barred."""
    snapshot = learn.published[0].snapshot
    page = estimates(Known(book.latest("b"), book.arms("b"), both, 0, snapshot))
    assert page.guardrails is not msgspec.UNSET
    return {arm.arm: arm.barred is not None for arm in page.guardrails[0].arms}


def test_a_removed_arm_is_not_called_barred_and_still_is_when_it_comes_back() -> None:
    learn, book, both = learned()
    barred = refresh(learn, 10**8).barred
    assert guarded_arms(learn, book, both) == {"b": False, "c": True}
    assert kept_out(barred, book.arms("b")) == [*barred]
    apply(learn, book, arm_changes.remove(book.arms("b"), "c", ["a"]))
    learn.refresh(["b"], 2 * 10**8, 24 * HOUR)
    assert guarded_arms(learn, book, both) == {"b": False, "c": False}
    assert kept_out(barred, book.arms("b")) == []
    apply(learn, book, arm_changes.put(book.arms("b"), ["c"]))
    learn.refresh(["b"], 3 * 10**8, 24 * HOUR)
    assert learn.published[0].snapshot.names == ("a", "b")
    assert learn.published[0].snapshot.barred == barred
    assert guarded_arms(learn, book, both) == {"b": False, "c": True}


def test_against_another_default_arms_are_judged_anew() -> None:
    """c loses 6 %, as the new default does: what it lost more than a says nothing any more."""
    learn, book, both = learned()
    assert [each.against for each in refresh(learn, 10**8).barred] == [(0,)]
    many = {**both}
    for key in both:  # b is as bad as c
        if key.stratum != "policy" and key.arm == 1:
            many[key] = both[key._replace(arm=2)]
    again = Learn(book, learn._cache)
    again.take(many)
    for at, default, barred in ((2, "b", ()), (3, "a", (1, 2)), (4, "c", ())):
        for record in book.changes(msgspec.structs.replace(SPEC, default=default), at * 10**8):
            book.apply(record)
        again.touch("b")
        snapshot = refresh(again, at * 10**8)
        assert tuple(each.arm for each in snapshot.barred) == barred
        assert set(snapshot.names) == {"abc"[arm] for arm in {0, 1, 2} - {*barred}}


def test_a_bar_of_an_older_program_stays() -> None:
    """It did not tell the default; it is not forgotten when the program is newer."""
    learn, _, _ = learned()
    snapshot = refresh(learn, 10**8)
    old = msgspec.structs.replace(snapshot.barred[0], against=())
    assert still([old], SPEC.guardrails, (1,)) == [old]
    assert still([old], SPEC.guardrails, (2,)) == []


def test_a_pinned_arm_is_its_owners_business() -> None:
    learn, book, _ = learned()
    barred = refresh(learn, 10**8).barred
    pinned = msgspec.structs.replace(book.arms("b"), pinned=2)
    assert without(pinned, barred, 10**9) is pinned


def test_when_its_pin_is_over_a_barred_arm_is_shown_no_more() -> None:
    """Nothing else changes meanwhile: time alone makes the next snapshot due."""
    learn, book, _ = learned()
    refresh(learn, 10**8)
    until = 3 * 10**8
    pinned = arm_changes.pin(book.arms("b"), "c", until)
    book.apply(msgspec.structs.replace(pinned, version=pinned.version + 1))
    learn.touch("b")
    shown = refresh(learn, 2 * 10**8)
    assert shown.names == ("a", "b", "c")
    assert learn.refresh(["b"], until - 1, 24 * HOUR) == []
    decider = Decider(shown, book.latest("b"))
    for at, names in ((until - 1, {"c"}), (until, {"a", "b"})):
        units = (number.to_bytes(16, "big") for number in range(300))
        found = [decider.decide(unit, at, bytes(15)) for unit in units]
        assert {each.arm for each in found} == names
    assert decider.decide(bytes(16), until, bytes(15), ["a", "c"]).names == ("a",)
    assert decider.decide(bytes(16), until, bytes(15), exclude=["a"]).names == ("b",)
    after = refresh(learn, until + 10**7)
    assert (after.names, [each.arm for each in after.barred]) == (("a", "b"), [2])
    assert learn.refresh(["b"], until + 10**8, 24 * HOUR) == []


def test_the_verdict_names_no_barred_arm() -> None:
    """c earns most by far, and broke the guardrail."""
    learn, book, _ = learned()
    snapshot = refresh(learn, 10**8)
    dice = np.random.default_rng(4)
    cells = one(play(steady([0.05, 0.06, 0.30], 40), 2_000, 1, dice, floor=0.1))
    free = Known(book.latest("b"), book.arms("b"), rows(cells))
    assert estimates(free).verdict.leader == "c"
    found = estimates(msgspec.structs.replace(free, snapshot=snapshot)).verdict
    assert found.leader in ("a", "b")
    assert "c" not in (*found.better, *found.text.split())


def away_from(hour: int, hours: int, back: int = 0) -> Cells:
    """Hours in which c was not drawn, from this hour on; it is `back` for some at the end."""
    dice = np.random.default_rng(4)
    parts = [
        one(play(steady([0.05] * arms, length), 2_000, 1, dice, floor=0.1))
        for arms, length in ((3, hour), (2, hours), (3, back))
        if length
    ]
    wide = [Cells(*(np.pad(each, ((0, 0), (0, 3 - each.shape[1]))) for each in p)) for p in parts]
    return Cells(*(np.concatenate(each) for each in zip(*wide, strict=True)))


def test_a_bar_is_no_alarm_of_the_sample_ratio_check() -> None:
    """From hour 20 on c is not drawn; without the snapshot that would be lost impressions."""
    learn, book, _ = learned()
    snapshot = refresh(learn, 20 * HOUR - 1)
    known = Known(book.latest("b"), book.arms("b"), rows(away_from(20, 20)))
    assert estimates(known).balance_alarm
    assert not estimates(msgspec.structs.replace(known, snapshot=snapshot)).balance_alarm


@pytest.mark.parametrize("how", ["margin", "guardrail"])
def test_nor_is_it_one_when_it_is_over(how: str) -> None:
    """From hour 40 on c is drawn again: its owner allows more, or asks no more."""
    learn, book, _ = learned()
    refresh(learn, 20 * HOUR - 1)
    wider = {"loss": msgspec.structs.replace(LOSS, margin=0.5)}
    after = msgspec.structs.replace(SPEC, guardrail=wider) if how == "margin" else PLAIN
    for record in book.changes(after, 40 * HOUR):
        book.apply(record)
    learn.touch("b")
    snapshot = refresh(learn, 40 * HOUR)
    assert (snapshot.barred, snapshot.freed) == ((), (Freed(2, 20 * HOUR - 1, 40 * HOUR),))
    assert codec.decode(codec.encode(snapshot)) == snapshot
    known = Known(book.latest("b"), book.arms("b"), rows(away_from(20, 20, 5)), snapshot=snapshot)
    assert not estimates(known).balance_alarm
    forgotten = msgspec.structs.replace(snapshot, freed=())
    assert estimates(msgspec.structs.replace(known, snapshot=forgotten)).balance_alarm
    many = Sums(*(10**6 * each for each in Sums.of(0, 0.5)))
    learn.take({StateKey("b", 1, 0, 1, "policy", 0): many})
    assert refresh(learn, 50 * HOUR).freed == snapshot.freed


def test_a_bar_that_begins_anew_is_remembered_from_its_beginning() -> None:
    learn, book, _ = learned()
    refresh(learn, 10**8)
    narrower = {"loss": msgspec.structs.replace(LOSS, margin=0.004)}
    for record in book.changes(msgspec.structs.replace(SPEC, guardrail=narrower), 2 * 10**8):
        book.apply(record)
    learn.touch("b")
    snapshot = refresh(learn, 2 * 10**8)
    assert [each.since for each in snapshot.barred] == [2 * 10**8]
    assert snapshot.freed == (Freed(2, 10**8, 2 * 10**8),)


def test_the_last_arm_stays() -> None:
    learn, book, _ = learned()
    barred = refresh(learn, 10**8).barred
    arms = book.arms("b")
    alone = tuple(
        msgspec.structs.replace(arm, status="active" if arm.number == 2 else "paused")
        for arm in arms.arms
    )
    left = msgspec.structs.replace(arms, arms=alone)
    assert without(left, barred, 10**9) is left


def test_without_a_guardrail_nothing_changes_byte_for_byte() -> None:
    """Declaration, snapshot and estimates are those of a program that knew no guardrails."""
    learn, book, both = learned(PLAIN)
    snapshot = refresh(learn, 10**8)
    found = estimates(Known(book.latest("b"), book.arms("b"), both, 0, snapshot))
    for record in (book.latest("b"), snapshot):
        told = msgspec.msgpack.decode(codec.encode(record))
        assert not {"guardrail", "barred", "freed"} & {*told, *told.get("spec", {})}
    assert "guardrails" not in msgspec.to_builtins(found)
    assert snapshot.names == ("a", "b", "c")


def test_the_page_shows_every_arm_also_when_nothing_is_broken() -> None:
    learn, book, both = learned()
    snapshot = refresh(learn, 10**8)
    page = estimates(Known(book.latest("b"), book.arms("b"), both, 0, snapshot))
    assert page.guardrails is not msgspec.UNSET
    (loss,) = page.guardrails
    sound, harmful = loss.arms
    assert (sound.arm, sound.barred, harmful.arm, harmful.stands) == ("b", None, "c", "broken")
    assert sound.difference_anytime.low is not None
    assert sound.stands in ("open", "kept")
    assert harmful.barred == snapshot.barred[0].reason
    assert loss.holdout is None


def test_another_reward_of_a_guardrail_begins_other_sums() -> None:
    _, book, _ = learned()
    harder = msgspec.structs.replace(LOSS, reward=Reward({"loss": Term(2.0)}))
    (record,) = book.changes(msgspec.structs.replace(SPEC, guardrail={"loss": harder}), 1)
    assert record.version == 2
    assert getattr(record, "reward_version", None) == 1
    assert harder.column("loss") != COLUMN
