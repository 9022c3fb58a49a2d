"""The history of declarations: what makes a new version, and arm numbers for ever."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core import arm_changes
from croupier.core.arms.prior import Prior
from croupier.core.declarations import Declarations
from croupier.core.diversity import Diversity
from croupier.core.experiment import Experiment
from croupier.core.policies.uniform import Uniform
from croupier.core.records import ArmSet, Declaration
from croupier.core.reward import Reward, Term

ONE = Diversity(at_most=1)
FIRST = Experiment("b", ("x", "y"), "x", Reward({"click": Term(1.0)}))


def declare(book: Declarations, spec: Experiment, at: int = 1) -> list[Declaration | ArmSet]:
    changes = list(book.changes(spec, at))
    for record in changes:
        book.apply(record)
    return changes


def changed(**fields: object) -> tuple[int, int]:
    """The version and the reward version after one change."""
    book = Declarations()
    declare(book, FIRST)
    declare(book, msgspec.structs.replace(FIRST, **fields))
    latest = book.latest("b")
    assert latest.spec == msgspec.structs.replace(FIRST, **fields)
    return latest.version, latest.reward_version


def numbers(book: Declarations) -> dict[str, tuple[int, bool]]:
    return {arm.name: (arm.number, arm.status == "active") for arm in book.arms("b").arms}


def test_a_first_declaration_is_version_one() -> None:
    book = Declarations()
    changes = declare(book, FIRST, at=7)
    assert [type(record) for record in changes] == [Declaration, ArmSet]
    assert [(record.version, record.at) for record in changes] == [(1, 7), (1, 7)]
    assert book.latest("b").reward_version == 1
    assert numbers(book) == {"x": (0, True), "y": (1, True)}


def test_the_same_declaration_again_changes_nothing() -> None:
    book = Declarations()
    declare(book, FIRST)
    assert declare(book, FIRST, at=99) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"policy": Uniform()},
        {"refresh": 1},
        {"sticky": "decision"},
        {"surface": "top"},
        {"default": "y"},
        {"posterior": "normal"},
        {"prior": Prior(mean=0.02, trials=50)},
        {"period": 5},
        {"arms": ("x", "y", "z")},
    ],
    ids=str,
)
def test_what_moves_no_story_makes_no_version(fields: dict[str, object]) -> None:
    assert changed(**fields) == (1, 1)


@pytest.mark.parametrize("fields", [{"sticky": "unit"}, {"holdout": 0.5}], ids=str)
def test_what_keeps_sums_by_group_makes_a_version(fields: dict[str, object]) -> None:
    """So that the same trials are in groups when the log is replayed."""
    assert changed(**fields) == (2, 1)


@pytest.mark.parametrize(
    "fields",
    [{"expose_within": 5}, {"lateness": 5}, {"groups": {"x": "sport"}}, {"diversity": ONE}],
    ids=str,
)
def test_what_moves_a_deadline_makes_a_version(fields: dict[str, object]) -> None:
    assert changed(**fields) == (2, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"reward": Reward({"click": Term(2.0)})},
        {"reward": Reward({"click": Term(1.0, cap=2)})},
        {"reward": Reward({"click": Term(1.0), "buy": Term(1.0)})},
        {"window": 5},
        {"session": None},
        {"session": 5},
        {"slots": 2},
    ],
    ids=str,
)
def test_what_changes_the_numbers_makes_a_reward_version_too(fields: dict[str, object]) -> None:
    assert changed(**fields) == (2, 2)


def test_versions_of_the_past_are_kept_for_stories_of_the_past() -> None:
    book = Declarations()
    declare(book, FIRST)
    declare(book, msgspec.structs.replace(FIRST, window=5))
    declare(book, msgspec.structs.replace(FIRST, window=5, policy=Uniform()))
    declare(book, FIRST)
    assert [book.find("b", version) is not None for version in (0, 1, 2, 3, 4)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    old, new = book.find("b", 2), book.find("b", 3)
    assert old is not None
    assert new is not None
    assert (old.spec.window, old.spec.policy) == (5, Uniform())
    assert (new.reward_version, new.spec) == (3, FIRST)
    assert book.longest_story() == FIRST.longest_story


def test_what_was_never_declared_is_not_found() -> None:
    book = Declarations()
    assert book.find("b", 1) is None
    assert book.longest_story() == 0
    with pytest.raises(KeyError):
        book.latest("b")
    with pytest.raises(KeyError):
        book.arms("b")


def test_experiments_do_not_mix() -> None:
    book = Declarations()
    declare(book, FIRST)
    declare(book, msgspec.structs.replace(FIRST, name="a", arms=("q",), default="q", window=10**9))
    assert book.names() == ["b", "a"]
    assert [arm.name for arm in book.arms("a").arms] == ["q"]
    assert (book.latest("a").version, book.latest("b").version) == (1, 1)
    assert book.longest_story() == book.latest("a").spec.longest_story


def test_an_arm_that_returns_keeps_its_number() -> None:
    book = Declarations()
    for arms in (("x", "y"), ("x", "z"), ("z", "x", "y", "w")):
        declare(book, msgspec.structs.replace(FIRST, arms=arms))
    assert numbers(book) == {"x": (0, True), "y": (1, True), "z": (2, True), "w": (3, True)}
    declare(book, msgspec.structs.replace(FIRST, arms=("x",)))
    assert {arm for arm, (_, active) in numbers(book).items() if not active} == {"y", "z", "w"}


def test_another_order_of_arms_is_not_another_set() -> None:
    book = Declarations()
    declare(book, FIRST)
    changes = declare(book, msgspec.structs.replace(FIRST, arms=("y", "x")))
    assert not [record for record in changes if isinstance(record, ArmSet)]


@given(st.lists(st.sets(st.sampled_from("uvwxyz"), min_size=1), min_size=1, max_size=8))
def test_arm_numbers_are_append_only(sets: list[set[str]]) -> None:
    book, known = Declarations(), dict[str, int]()
    for version, arms in enumerate(sets):
        declare(book, msgspec.structs.replace(FIRST, arms=tuple(sorted(arms)), window=version + 1))
        found = numbers(book)
        assert {name for name, (_, active) in found.items() if active} == arms
        assert {name: found[name][0] for name in known} == known
        known = {name: number for name, (number, _) in found.items()}
        assert sorted(known.values()) == list(range(len(known)))


@given(st.lists(st.sampled_from(range(4)), max_size=6))
def test_a_history_read_again_is_the_same_history(steps: list[int]) -> None:
    specs = [
        FIRST,
        msgspec.structs.replace(FIRST, window=5),
        msgspec.structs.replace(FIRST, arms=("y",), default="y"),
        msgspec.structs.replace(FIRST, policy=Uniform()),
    ]
    book, again = Declarations(), Declarations()
    history = [record for step in steps for record in declare(book, specs[step])]
    for record in history:
        again.apply(record)
    assert again.names() == book.names()
    for name in book.names():
        assert (again.latest(name), again.arms(name)) == (book.latest(name), book.arms(name))
        assert list(again.changes(book.latest(name).spec, 9)) == []


class Counted(str):
    """A name that counts how often it is looked up."""

    __slots__ = ()
    looked_up = 0

    def __hash__(self) -> int:
        Counted.looked_up += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return str(self) == other


def test_arms_are_numbered_in_linear_time() -> None:
    """MOST_ARMS of them, each looked up in a set made anew for it, would take a minute."""
    arms = tuple(Counted(number) for number in range(500))
    Counted.looked_up = 0
    assert len(list(Declarations().changes(msgspec.structs.replace(FIRST, arms=arms), 1))) == 2
    assert Counted.looked_up < 20 * len(arms)


def test_the_file_changes_only_the_groups_that_it_changed() -> None:
    book = Declarations()
    declare(book, msgspec.structs.replace(FIRST, groups={"x": "sport"}))
    put = arm_changes.regroup(arm_changes.put(book.arms("b"), ["z"]), {"y": "tv", "z": "tv"})
    book.apply(msgspec.structs.replace(put, version=2))
    declare(book, msgspec.structs.replace(FIRST, groups={"x": "news"}))
    assert [arm.group for arm in book.arms("b").arms] == ["news", "tv", "tv"]
    declare(book, FIRST)
    assert [arm.group for arm in book.arms("b").arms] == ["", "tv", "tv"]


def test_a_snapshot_of_an_older_rule_is_decided_under_what_it_was_declared_with() -> None:
    book = Declarations()
    for diversity in (None, ONE, ONE):
        declare(book, msgspec.structs.replace(FIRST, diversity=diversity))
    assert book.under("b", 1).version == 1
    assert book.under("b", 2).version == 2
