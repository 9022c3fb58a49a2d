"""Rankings on Croupier's own slates: the truth is in the intervals, and what is unknown refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import typer

from croupier.cli.asked import Asked, warnings_of
from croupier.cli.slates import ranking_question
from croupier.config.backends import Backends, open_backends
from croupier.config.settings import parse_settings
from croupier.core import codec
from croupier.core.arms.bernoulli import Beta
from croupier.core.bag import Bag
from croupier.core.barred import Barred
from croupier.core.declarations import Declarations
from croupier.core.diversity import Diversity
from croupier.core.evaluate.answer import Answer
from croupier.core.evaluate.slates import RankingTarget
from croupier.core.menu import Menu
from croupier.core.policies.thompson import Thompson
from croupier.core.records import Decision, Funnel
from croupier.core.snapshot import Snapshot, pack_ranks
from croupier.ports import FUNNELS, Commit
from croupier.runners.declare import declare, read_declarations
from croupier.runners.own_slates import LIMITED, POOLED, OwnSlates
from croupier.runners.ranking_evaluation import LOGGED, evaluate_rankings
from tests.cli.command import CommandLine

TOML = """
[[experiment]]
name = "list"
arms = ["a", "b", "c", "d"]
default = ["a", "b"]
slots = 2
ranking = "slots"
session = "none"
reward = { click = 1.0 }
"""
RATES = np.array([[0.1, 0.2, 0.3, 0.4], [0.05, 0.3, 0.1, 0.2]])
ROUNDS = 3_000
FLOOR = 0.1  # a share of 0.4 is shuffled


def snapshot(**changes: Any) -> Snapshot:
    """1 ranking in 2 is a, b; the others c, a and d, c."""
    ranks = np.array([[0, 1, 2, 3], [0, 1, 2, 3], [2, 0, 1, 3], [3, 2, 0, 1]])
    belief = Beta((1.0,) * 4, (1.0,) * 4)
    made = Snapshot(
        experiment="list", version=1, at=1, declaration=1, reward_version=1, watermark=0,
        arms=(0, 1, 2, 3), names=("a", "b", "c", "d"), weights=(0.5,) * 4, posterior=belief,
        policy=Thompson(floor=FLOOR), slots=2, ranking="slots", rankings=pack_ranks(ranks),
        further=(belief,),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


MENU = snapshot().menu()


def funnel(
    number: int, dice: np.random.Generator, cascade: float, menu: Menu | Bag = MENU
) -> Funnel:
    """A slate that was drawn; below a click `cascade` of the second slot's rate is left."""
    assert isinstance(menu, Bag)
    arms, _, _, float32, _ = menu.draw(dice.bytes(64))
    first = dice.random() < RATES[0, arms[0]]
    second = dice.random() < RATES[1, arms[1]] * (cascade if first else 1.0)
    decision = Decision(
        tracking_id=(1_000 + number).to_bytes(6, "big") + number.to_bytes(9, "big"),
        experiment="list", unit=dice.bytes(16), session=0, declaration=1, snapshot=1,
        slate=arms, propensities=float32,
        reason="holdout" if number % 100 == 99 else "policy",
    )  # fmt: skip
    told = tuple({"click": (1, 0)} if each else {} for each in (first, second))
    return Funnel(decision=decision, shown=(2_000 + number,) * 2, outcomes=told)


def fill(
    folder: Path,
    cascade: float,
    rounds: int = ROUNDS,
    toml: str = TOML,
    published: Snapshot | None = None,
) -> tuple[Backends, Declarations]:
    backends, dice = open_backends(folder / "croupier.db"), np.random.default_rng(8)
    declare(parse_settings(toml), backends.log, backends.clock)
    backends.cache.put(published or snapshot())
    menu = (published or snapshot()).menu()
    funnels = [codec.encode(funnel(number, dice, cascade, menu)) for number in range(rounds)]
    other = funnel(rounds, dice, cascade, menu)
    restricted = msgspec.structs.replace(other.decision, propensities=(0.5, 0.5))
    funnels.append(codec.encode(msgspec.structs.replace(other, decision=restricted)))
    positions = backends.states.load().positions
    backends.states.commit(Commit(positions, 10**10, since=positions, output={FUNNELS: funnels}))
    return backends, read_declarations(backends.log)


@pytest.fixture(scope="module", params=[1.0, 0.2])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Backends, Declarations, float, Path]]:
    folder = tmp_path_factory.mktemp("slates")
    backends, declarations = fill(folder, request.param)
    yield backends, declarations, request.param, folder / "croupier.db"
    backends.close()


def worth(order: tuple[int, int], cascade: float) -> float:
    first, second = RATES[0, order[0]], RATES[1, order[1]]
    return float(first + second * (1 - first + first * cascade))


def asked(filled: tuple[Backends, Declarations, float, Path], target: RankingTarget) -> Answer:
    log = OwnSlates(filled[0], filled[1], "list")
    return evaluate_rankings(log, "list", "asked", target, 0.05)


@pytest.mark.parametrize("order", [(0, 1), (3, 2)])
def test_the_truth_is_in_the_intervals_of_what_is_right(
    filled: tuple[Backends, Declarations, float, Path], order: tuple[int, int]
) -> None:
    """Where what stands above matters, item-position is not asked to be right."""
    found, true = asked(filled, RankingTarget(order=order)), worth(order, filled[2])
    assert found.refused == []
    assert found.estimates is not None
    right = ["cascade", "cascade_dr"] + ["item_position"] * (filled[2] == 1.0)
    for name in right:
        each = found.estimates[name]
        assert each.low is not None
        assert each.high is not None
        assert each.low <= true <= each.high
        assert each.value == pytest.approx(true, abs=0.09)
    assert found.left_out == {"holdout": ROUNDS // 100, "a restricted request": 1}


def test_the_logged_policy_gives_the_logged_mean(
    filled: tuple[Backends, Declarations, float, Path],
) -> None:
    found = asked(filled, RankingTarget())
    assert found.estimates is not None
    assert found.estimates["item_position"].value == pytest.approx(found.logged.value)
    assert found.estimates["cascade"].value == pytest.approx(found.logged.value)


def test_what_cannot_be_asked_of_the_logged_policy_is_refused_by_name(
    filled: tuple[Backends, Declarations, float, Path],
) -> None:
    found = asked(filled, RankingTarget())
    assert set(found.estimates or ()) == {"item_position", "cascade"}
    assert found.refused_by == {"cascade_dr": [LOGGED]}


GROUPED = TOML + 'groups = { a = "x", c = "x" }\ndiversity = { at_most = 1 }\n'
LIMIT = {"diversity": Diversity(at_most=1), "groups": ("x", "", "x", "")}


@pytest.mark.parametrize(
    ("toml", "changes", "why"),
    [
        (TOML.replace('"slots"', '"pooled"'), {"ranking": "pooled", "further": ()}, POOLED),
        (GROUPED, LIMIT, LIMITED),
    ],
    ids=["pooled", "groups"],
)
def test_estimators_that_need_the_arms_above_are_refused_where_these_are_not_counted(
    tmp_path: Path, toml: str, changes: dict[str, Any], why: str
) -> None:
    backends, declarations = fill(tmp_path, 1.0, 1_000, toml, snapshot(**changes))
    log = OwnSlates(backends, declarations, "list")
    found = evaluate_rankings(log, "list", "asked", RankingTarget(order=(0, 1)), 0.05)
    assert found.refused == []
    assert set(found.estimates or ()) == {"item_position"}
    assert found.refused_by == {"cascade": [why], "cascade_dr": [why]}
    backends.close()


def test_no_interval_leaves_what_a_slate_can_earn(tmp_path: Path) -> None:
    """Of two clicks at most, and few slates: the terms alone would allow less than none."""
    backends, declarations = fill(tmp_path, 1.0, 200)
    log = OwnSlates(backends, declarations, "list")
    for order in ((0, 1), (2, 0), (3, 1)):
        found = evaluate_rankings(log, "list", "asked", RankingTarget(order=order), 0.05)
        told = {**(found.estimates or {}), **(found.refused_estimates or {})}
        assert set(told) == {"item_position", "cascade", "cascade_dr"}
        for each in told.values():
            assert each.low is not None
            assert each.high is not None
            assert 0.0 <= each.low <= each.high <= 2.0
    backends.close()


def test_every_ranking_alike(filled: tuple[Backends, Declarations, float, Path]) -> None:
    true = np.mean([worth((a, b), filled[2]) for a in range(4) for b in range(4) if a != b])
    found = asked(filled, RankingTarget(among=(0, 1, 2, 3)))
    assert found.estimates is not None
    for name in ("cascade", "cascade_dr"):
        assert found.estimates[name].value == pytest.approx(float(true), abs=0.06)


def test_the_command_answers_and_refuses(
    filled: tuple[Backends, Declarations, float, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    croupier = CommandLine(monkeypatch, capsys)
    told = croupier("evaluate", filled[3], "--policy", "ranking:a,b", "--json")
    assert told.code == 0, told.err
    assert set(told.json()["estimates"]) == {"item_position", "cascade", "cascade_dr"}
    assert told.json()["diagnostics"]["effective"] > 1_000
    for policy, why in (("a,x", "'x' is none of"), ("a", "expected 2 different arms")):
        wrong = croupier("evaluate", filled[3], "--policy", f"ranking:{policy}")
        assert wrong.code == 2
        assert why in wrong.err


def test_the_same_slates_in_a_table_say_the_same(
    filled: tuple[Backends, Declarations, float, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """But for the folds that the reward model is learned in."""
    own = OwnSlates(filled[0], filled[1], "list")
    slates, rows = own.read(), ["ranking,position,action,reward,propensity,choice"]
    assert slates is not None
    assert slates.choice is not None
    for row, slot in np.ndindex(slates.arm.shape):
        told = (each[row, slot] for each in (slates.reward, slates.slot, slates.choice))
        rows.append(
            f"{row},{slot},{'abcd'[slates.arm[row, slot]]},{','.join(map(repr, map(float, told)))}"
        )
    (tmp_path / "log.csv").write_text("\n".join(rows))
    croupier, least = CommandLine(monkeypatch, capsys), str(1 / own.heaviest[0])
    words = ("--policy", "ranking:d,c", "--json")
    told = croupier("evaluate", tmp_path / "log.csv", "--least-propensity", least, *words).json()
    ours = croupier("evaluate", filled[3], *words).json()
    assert told["logged"] == pytest.approx(ours["logged"])
    assert told["estimates"]["item_position"] == pytest.approx(ours["estimates"]["item_position"])
    for name in ("cascade", "cascade_dr"):
        both = (each["estimates"][name]["value"] for each in (told, ours))
        assert next(both) == pytest.approx(next(both), rel=1e-9 if name == "cascade" else 0.02)


def test_few_slates_are_refused_by_each_estimator(tmp_path: Path) -> None:
    backends, declarations = fill(tmp_path, 1.0, rounds=60)
    found = evaluate_rankings(
        OwnSlates(backends, declarations, "list"), "list", "asked", RankingTarget((1, 0)), 0.05
    )
    backends.close()
    assert found.estimates is None
    assert {each.partition(":")[0] for each in found.refused} >= {"cascade", "cascade_dr"}


def test_rankings_are_of_arms_that_are_not_barred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backends, declarations = fill(tmp_path, 1.0, 1)
    assert OwnSlates(backends, declarations, "list").active == (0, 1, 2, 3)
    barred = Barred(1, "b", "refund", 1, 0.1, 0.05, 0.2, "refund:0", 0.01, "more")
    backends.cache.put(msgspec.structs.replace(snapshot(), version=2, barred=(barred,)))
    assert OwnSlates(backends, declarations, "list").active == (0, 2, 3)
    backends.close()
    croupier = CommandLine(monkeypatch, capsys)
    wrong = croupier("evaluate", tmp_path / "croupier.db", "--policy", "ranking:a,b")
    assert wrong.code == 2
    assert "'b' is barred" in wrong.err


def test_a_ranking_that_limits_of_groups_forbid_is_refused_by_name(tmp_path: Path) -> None:
    backends, _ = fill(tmp_path, 1.0, 200, GROUPED, snapshot(**LIMIT))
    backends.close()
    with pytest.raises(typer.BadParameter, match="shows 2 of group 'x', at most 1 are allowed"):
        ranking_question(Asked(tmp_path / "croupier.db", "ranking:a,c", "list"))
    ranking_question(Asked(tmp_path / "croupier.db", "ranking:a,b", "list")).close()


def test_units_that_always_meet_the_same_are_warned_of(tmp_path: Path) -> None:
    for number, (toml, told) in enumerate(((TOML, 0), (TOML + 'sticky = "unit"\n', 1))):
        folder = tmp_path / str(number)
        folder.mkdir()
        backends, declarations = fill(folder, 1.0, 1, toml)
        assert len(warnings_of(OwnSlates(backends, declarations, "list"))) == told
        backends.close()
