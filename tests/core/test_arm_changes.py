"""What may be done to arms at run time, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core import arm_changes
from croupier.core.arm_changes import ArmChangeError
from croupier.core.records import Arm, ArmSet

THREE = ArmSet(
    experiment="b", version=1, at=0, arms=(Arm(0, "x"), Arm(1, "y", "paused"), Arm(2, "z"))
)


def statuses(arms: ArmSet) -> dict[str, str]:
    return {arm.name: arm.status for arm in arms.arms}


def test_a_new_arm_gets_the_next_number_and_a_known_one_keeps_its_own() -> None:
    changed = arm_changes.put(THREE, ["new", "y", "new"])
    assert [(arm.number, arm.name) for arm in changed.arms][3:] == [(3, "new")]
    assert set(statuses(changed).values()) == {"active"}


def test_pause_and_resume_are_each_others_undoing() -> None:
    assert arm_changes.resume(arm_changes.pause(THREE, "x"), "x") == THREE
    assert statuses(arm_changes.pause(THREE, "x"))["x"] == "paused"


def test_a_removed_arm_must_be_put_before_anything_else() -> None:
    removed = arm_changes.remove(THREE, "z", defaults=("x",))
    for change in (arm_changes.pause, arm_changes.resume):
        with pytest.raises(ArmChangeError, match="'z' was removed: put it first"):
            change(removed, "z")
    with pytest.raises(ArmChangeError, match="'z' is removed"):
        arm_changes.pin(removed, "z", 0)
    assert statuses(arm_changes.put(removed, ["z"]))["z"] == "active"


def test_something_must_be_left_to_show() -> None:
    one = arm_changes.remove(THREE, "z", defaults=("x",))
    with pytest.raises(ArmChangeError, match="'x' is the last active arm"):
        arm_changes.pause(one, "x")
    with pytest.raises(ArmChangeError, match="'x' is the last active arm"):
        arm_changes.remove(one, "x", defaults=("y",))
    with pytest.raises(ArmChangeError, match="'x' is the default"):
        arm_changes.remove(THREE, "x", defaults=("x",))


def test_a_pin_goes_with_its_arm() -> None:
    pinned = arm_changes.pin(THREE, "z", 99)
    assert (pinned.pinned, pinned.pinned_until) == (2, 99)
    assert arm_changes.unpin(pinned) == THREE
    for loser in (arm_changes.pause(pinned, "z"), arm_changes.remove(pinned, "z", defaults=("x",))):
        assert (loser.pinned, loser.pinned_until) == (None, 0)
    assert arm_changes.pause(pinned, "x").pinned == 2
    with pytest.raises(ArmChangeError, match="'y' is paused"):
        arm_changes.pin(THREE, "y", 0)


@pytest.mark.parametrize("name", ["", "n" * 201, "a\nb"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ArmChangeError, match="printable characters"):
        arm_changes.put(THREE, [name])


def test_an_unknown_arm_is_named_in_brief() -> None:
    with pytest.raises(ArmChangeError, match=r"'q{100}' is not an arm of b"):
        arm_changes.resume(THREE, "q" * 5_000)


CHANGES = st.tuples(
    st.sampled_from(["put", "pause", "resume", "remove", "pin", "unpin"]),
    st.sampled_from(["x", "y", "z", "new", "newer"]),
)


@given(st.lists(CHANGES, max_size=30))
def test_whatever_is_done_numbers_are_for_ever_and_something_is_shown(
    changes: list[tuple[str, str]],
) -> None:
    arms = THREE
    for change, name in changes:
        before = arms
        try:
            if change == "put":
                arms = arm_changes.put(arms, [name])
            elif change == "remove":
                arms = arm_changes.remove(arms, name, defaults=("x",))
            elif change == "pin":
                arms = arm_changes.pin(arms, name, 0)
            elif change == "unpin":
                arms = arm_changes.unpin(arms)
            else:
                arms = getattr(arm_changes, change)(arms, name)
        except ArmChangeError:
            assert arms == before
        assert [arm.number for arm in arms.arms] == list(range(len(arms.arms)))
        assert [a.name for a in arms.arms][: len(before.arms)] == [a.name for a in before.arms]
        assert any(arm.status == "active" for arm in arms.arms)
        assert arms.pinned is None or arms.arms[arms.pinned].status == "active"
