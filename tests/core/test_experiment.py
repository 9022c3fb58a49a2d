"""Declarations: each problem is found, and named by its key."""

import msgspec
import pytest

from croupier.core.diversity import Diversity
from croupier.core.duration import HOUR, MINUTE, SECOND
from croupier.core.experiment import LONGEST_ARM, MOST_ARMS, Experiment
from croupier.core.name import usable_name
from croupier.core.policies.epsilon_greedy import EpsilonGreedy
from croupier.core.policies.thompson import Thompson
from croupier.core.policies.uniform import Uniform
from croupier.core.problems import problems as wrongs
from croupier.core.reward import Reward, Term

GOOD = Experiment("top-button", ("x", "y"), "x", Reward({"click": Term(1.0)}))
NAN = float("nan")
TWO: dict[str, object] = {"slots": 2, "default": ("x", "y")}
SPORT = {"x": "sport", "y": "sport"}


def problems(**fields: object) -> list[str]:
    """The keys that are complained about."""
    return [key for key, reason in wrongs(msgspec.structs.replace(GOOD, **fields)) if reason]


def test_the_least_declaration_has_no_problem() -> None:
    assert problems() == []


def test_the_defaults_are_those_of_the_contract() -> None:
    assert (GOOD.expose_within, GOOD.window, GOOD.lateness) == (5 * MINUTE, 15 * MINUTE, MINUTE)
    assert (GOOD.session, GOOD.refresh, GOOD.period) == (15 * MINUTE, 10 * SECOND, HOUR)
    assert (GOOD.slots, GOOD.sticky, GOOD.holdout, GOOD.surface) == (1, "session", 0.0, "")
    assert GOOD.policy == Thompson()


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a"},
        {"name": "A.b-c_9" + "x" * 57},
        {"arms": ("x",)},
        {"arms": ("x", "無料 で", "x" * LONGEST_ARM)},
        {"lateness": 0},
        {"session": None},
        {"session": 1},
        {"holdout": 0.999},
        {"policy": Thompson(floor=0.25)},
        {"policy": Thompson(floor=0.0)},
        {"policy": EpsilonGreedy(epsilon=0.5)},
        {"policy": Uniform(floor=0.1)},
        {"policy": Thompson(half_life=1, sliding_window=36 * 60_000)},
        {"posterior": "beta"},
        {"posterior": "normal"},
        {"reward": Reward({"click": Term(1.0), "a.b-c_D9": Term(-1.0)})},
        {"groups": {"x": "sport", "y": "sport"}},
        {**TWO, "groups": {"x": "sport"}, "diversity": Diversity(of={"sport": 1})},
    ],
    ids=str,
)
def test_the_usual_is_not_complained_about(fields: dict[str, object]) -> None:
    assert problems(**fields) == []


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"name": ""}, "name"),
        ({"name": "top button"}, "name"),
        ({"name": "-x"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "naïve"}, "name"),
        ({"name": "x\n"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"arms": ("x", "y", "x")}, "arms"),
        ({"groups": {"z": "sport"}}, "groups"),
        ({"groups": {"x": ""}}, "groups"),
        ({"groups": {"x": "s" * 201}}, "groups"),
        ({"diversity": Diversity(at_most=1)}, "diversity"),
        ({**TWO, "diversity": Diversity()}, "diversity"),
        ({**TWO, "diversity": Diversity(at_most=0)}, "diversity.at_most"),
        ({**TWO, "diversity": Diversity(of={"sport": -1})}, "diversity.of.sport"),
        ({**TWO, "groups": SPORT, "diversity": Diversity(at_most=1)}, "default"),
        ({**TWO, "diversity": Diversity(at_most=1)}, "diversity"),
        ({**TWO, "groups": SPORT, "diversity": Diversity(of={"news": 1})}, "diversity.of.news"),
        ({"arms": ("x", "")}, "arms"),
        ({"arms": ("x", "y" * (LONGEST_ARM + 1))}, "arms"),
        ({"arms": ("x", "y\n")}, "arms"),
        ({"arms": ("x", "\u202ey")}, "arms"),
        ({"arms": ("x", *map(str, range(MOST_ARMS)))}, "arms"),
        ({"default": "z"}, "default"),
        ({"default": ""}, "default"),
        ({"reward": Reward({})}, "reward"),
        ({"reward": Reward({"click": Term(0.0)})}, "reward.click"),
        ({"reward": Reward({"add to cart": Term(1.0)})}, "reward.add to cart"),
        ({"reward": Reward({"impression": Term(1.0)})}, "reward.impression"),
        ({"slots": 0}, "slots"),
        ({"slots": -1}, "slots"),
        ({"expose_within": 0}, "expose_within"),
        ({"expose_within": -1}, "expose_within"),
        ({"window": 0}, "window"),
        ({"lateness": -1}, "lateness"),
        ({"session": 0}, "session"),
        ({"session": -5}, "session"),
        ({"refresh": 0}, "refresh"),
        ({"period": 0}, "period"),
        ({"holdout": 1.0}, "holdout"),
        ({"holdout": -0.1}, "holdout"),
        ({"holdout": NAN}, "holdout"),
        ({"policy": Thompson(floor=0.26)}, "policy"),
        ({"policy": Thompson(floor=-0.1)}, "policy"),
        ({"policy": Thompson(floor=1.1)}, "policy"),
        ({"policy": Thompson(floor=NAN)}, "policy"),
        ({"policy": Thompson(half_life=0)}, "policy"),
        ({"policy": Thompson(sliding_window=-1)}, "policy"),
        ({"policy": Thompson(sliding_window=36 * 60_000 - 1)}, "policy.sliding_window"),
        ({"policy": EpsilonGreedy(epsilon=0.6)}, "policy"),
        ({"policy": EpsilonGreedy(epsilon=-0.1)}, "policy"),
        ({"policy": EpsilonGreedy(epsilon=NAN)}, "policy"),
        ({"policy": EpsilonGreedy(floor=0.1)}, "policy"),
        ({"posterior": "beta", "reward": Reward({"click": Term(2.0)})}, "posterior"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_problem_is_named_by_its_key(fields: dict[str, object], key: str) -> None:
    assert problems(**fields) == [key]


EARLY: dict[str, object] = {
    "policy": Thompson(delay_corrected=True),
    "reward": Reward({"click": Term(1.0)}),
    "session": None,
    "window": 60 * MINUTE,
}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reward": Reward({"click": Term(1.0, cap=2)})}, "needs a reward of one kind"),
        ({"session": 15 * MINUTE}, 'needs session = "none"'),
        ({"window": 60 * MINUTE - 1}, "gains nothing"),
        ({"policy": Thompson(delay_corrected=True, deconfounded=True)}, "goes with neither"),
        ({"policy": Thompson(delay_corrected=True, overdispersed=True)}, "goes with neither"),
        (
            {"slots": 2, "default": ("x", "y"), "ranking": "cascade"},
            "does not go with a cascade",
        ),
    ],
)
def test_what_open_trials_cannot_be_counted_for_is_refused(
    fields: dict[str, object], reason: str
) -> None:
    fine = msgspec.structs.replace(GOOD, **EARLY)
    assert not list(wrongs(fine))
    told = list(wrongs(msgspec.structs.replace(fine, **fields)))
    assert [key for key, _ in told] == ["policy.delay_corrected"]
    assert told[0][1].startswith(reason)


def test_all_problems_are_named_at_once() -> None:
    assert problems(name="a b", arms=(), reward=Reward({}), window=0, session=0, holdout=2.0) == [
        "name",
        "arms",
        "default",
        "reward",
        "window",
        "session",
        "holdout",
    ]


@pytest.mark.parametrize("name", ["\ud800", "x\x00", "ｘ", "٣"])
def test_only_plain_letters_and_digits_name_things(name: str) -> None:
    assert not usable_name(name)


def test_a_story_is_as_long_as_its_session_and_its_windows() -> None:
    assert GOOD.horizon == 21 * MINUTE
    assert GOOD.longest_story == 36 * MINUTE
    assert msgspec.structs.replace(GOOD, session=None).longest_story == GOOD.horizon
