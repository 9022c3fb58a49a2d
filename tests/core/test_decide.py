"""Deciding: known numbers, and what a request may ask for."""

from typing import Any

import msgspec
import pytest

from croupier.core.arms.bernoulli import Beta
from croupier.core.decide import Choice, Decider, hash_unit
from croupier.core.experiment import Experiment
from croupier.core.menu import Menu, as_float32
from croupier.core.menus import NoArmLeftError
from croupier.core.policies.thompson import Thompson
from croupier.core.records import Declaration
from croupier.core.reward import Reward, Term
from croupier.core.session import session_at
from croupier.core.snapshot import Snapshot

SPEC = Experiment("top-button", ("x", "y", "z"), "x", Reward({"click": Term(1.0)}))
SNAPSHOT = Snapshot(
    experiment="top-button",
    version=12,
    at=0,
    declaration=3,
    reward_version=1,
    watermark=0,
    arms=(0, 2, 9),
    names=("x", "y", "z"),
    weights=(0.2, 0.3, 0.5),
    posterior=Beta((3.0, 4.0, 6.0), (9.0, 9.0, 9.0)),
    policy=Thompson(),
)
AT, TRACKING = 1_763_750_000_000, bytes(range(15))
KEY = bytes(range(32))


def decider(**fields: Any) -> Decider:
    spec = msgspec.structs.replace(SPEC, **fields)
    return Decider(SNAPSHOT, Declaration(version=3, reward_version=1, at=0, spec=spec))


def decide(one: Decider, unit: str = "u-17", **request: Any) -> Choice:
    return one.decide(hash_unit(KEY, unit), AT, TRACKING, **request)


@pytest.mark.parametrize(
    ("sticky", "arms"),
    [
        ("session", "zzxyyxzxyxzz"),
        ("unit", "yzzzzyxzyzyy"),
        ("decision", "zzzzzzxxzyxz"),
    ],
)
def test_a_decision_can_be_replayed_for_ever(sticky: str, arms: str) -> None:
    """Draws of units u-0 … u-11: another hash would break every experiment that is running."""
    one = decider(sticky=sticky)
    made = [
        one.decide(hash_unit(KEY, f"u-{number}"), AT, number.to_bytes(15, "big"))
        for number in range(12)
    ]
    assert "".join(choice.arm for choice in made) == arms


def test_a_unit_is_hidden_by_a_keyed_hash() -> None:
    assert len(hash_unit(KEY, "u-17")) == 16
    assert hash_unit(KEY, "u-17") == hash_unit(KEY, "u-17")
    assert hash_unit(KEY, "u-17") != hash_unit(bytes(32), "u-17")
    assert hash_unit(KEY, "u-17") != hash_unit(KEY, "u-18")
    assert len({hash_unit(KEY, unit) for unit in ("", " ", "無", "\x00", "é", "e\u0301")}) == 6


def test_a_decision_says_all_that_its_token_must() -> None:
    choice = decide(decider(), degraded=True)
    one = choice.decision
    assert (one.tracking_id, one.experiment, one.unit) == (
        TRACKING,
        "top-button",
        hash_unit(KEY, "u-17"),
    )
    assert (one.declaration, one.snapshot, one.reason, one.degraded) == (3, 12, "policy", True)
    assert one.session == session_at(one.unit, AT, 900_000)
    assert one.slate == (SNAPSHOT.arms[SNAPSHOT.names.index(choice.arm)],)
    assert one.propensities == (as_float32(choice.propensity),)


def test_without_sessions_each_decision_is_its_own() -> None:
    one = decider(session=None)
    unit = hash_unit(KEY, "u-17")
    made = [one.decide(unit, AT, number.to_bytes(15, "big")) for number in range(60)]
    assert {choice.decision.session for choice in made} == {0}
    assert {choice.arm for choice in made} == {"x", "y", "z"}


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"eligible": ["nobody"]}, "eligible: 'nobody' is not an arm of top-button"),
        ({"exclude": ["nobody"]}, "exclude: 'nobody' is not an arm"),
        ({"eligible": []}, "leave no arm"),
        ({"exclude": ["x", "y", "z"]}, "leave no arm"),
        ({"eligible": ["x"], "exclude": ["x"]}, "leave no arm"),
        ({"eligible": ["gone"], "known": ["gone"]}, "leave no arm"),
    ],
)
def test_a_request_that_leaves_no_arm_says_why(request_: dict[str, Any], says: str) -> None:
    with pytest.raises(NoArmLeftError, match=says):
        decide(decider(), **request_)


@pytest.mark.parametrize(
    "request_",
    [
        {"eligible": ["y"]},
        {"exclude": ["x", "z"]},
        {"eligible": ["y", "z"], "exclude": ["z"]},
        {"eligible": ["y", "gone"], "known": ["gone"]},
        {"eligible": ["y", "y"]},
    ],
)
@pytest.mark.parametrize("sticky", ["session", "unit", "decision"])
def test_the_only_arm_left_is_certain(request_: dict[str, Any], sticky: str) -> None:
    choice = decide(decider(sticky=sticky), **request_)
    assert (choice.arm, choice.propensity, choice.decision.slate) == ("y", 1.0, (2,))


def test_all_arms_named_or_none_excluded_is_no_restriction() -> None:
    one = decider()
    assert decide(one, eligible=["z", "y", "x"]) == decide(one)
    assert decide(one, exclude=["gone"], known=["gone"]) == decide(one)


def test_more_restrictions_than_are_remembered_still_decide_the_same() -> None:
    names = tuple(f"arm-{number}" for number in range(12))
    many = msgspec.structs.replace(
        SNAPSHOT,
        arms=tuple(range(12)),
        names=names,
        weights=(1 / 12,) * 12,
        posterior=Beta((1.0,) * 12, (1.0,) * 12),
    )
    spec = msgspec.structs.replace(SPEC, arms=names, default=names[0])
    one = Decider(many, Declaration(version=3, reward_version=1, at=0, spec=spec))
    first = decide(one, eligible=names[:2])
    for number in range(1, 600):
        decide(one, eligible=[name for bit, name in enumerate(names) if number >> bit & 1])
    assert len(one.menus.kept) <= 512
    assert decide(one, eligible=names[:2]) == first


def test_a_holdout_is_certain_and_says_so() -> None:
    made = [decide(decider(holdout=0.5), f"u-{number}") for number in range(40)]
    held = [choice for choice in made if choice.decision.reason == "holdout"]
    assert 0 < len(held) < 40
    assert {(one.arm, one.propensity, one.decision.propensities) for one in held} == {
        ("x", 1.0, (1.0,))
    }


# --- the menu -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "place"),
    [(0.0, 1), (0.2499, 1), (0.25, 3), (0.9999999999999999, 3)],
)
def test_an_arm_of_weight_zero_is_never_drawn(point: float, place: int) -> None:
    menu = Menu((0, 1, 2, 3, 4), "abcde", (0.0, 0.25, 0.0, 0.75, 0.0))
    assert menu.draw(point).slate == (place,)


def test_weights_that_sum_to_a_little_less_than_one_leave_no_gap() -> None:
    tenth = 0.1 - 1e-12
    assert Menu(range(10), "abcdefghij", (tenth,) * 10).draw(1 - 2**-53).slate == (9,)


@pytest.mark.parametrize("digest", [0, 1, 2**52, 2**53 - 1])
def test_rendezvous_takes_every_digest(digest: int) -> None:
    assert Menu((0, 1), "xy", (0.0, 1.0)).rendezvous([digest, digest]).slate == (1,)
    assert Menu((0, 1), "xy", (0.4, 0.6)).rendezvous([digest, digest]).slate == (
        (0,) if digest == 2**53 - 1 else (1,)
    )


def test_rendezvous_prefers_the_smallest_waiting_time() -> None:
    """−ln(u)/w: 1.386 for u = 1/2, w = 1/2; 1.204 for u = 3/10 and w = 1; so the second."""
    menu = Menu((0, 1), "xy", (0.5, 1.0))
    assert menu.rendezvous([2**52, int(0.3 * 2**53)]).slate == (1,)
    assert menu.rendezvous([2**52, int(0.2 * 2**53)]).slate == (0,)
