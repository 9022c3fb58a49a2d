"""The uncertainty that is declared beside a fitted reward: what it must be, and what it changes."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.guardrail import Guardrail
from croupier.core.policies.thompson import Thompson
from croupier.core.problems import problems
from croupier.core.reward import Reward, Term
from croupier.core.signals import Doubt, Signal, signal_of, signal_problems

REWARD = Reward({"click": Term(0.2), "cart": Term(1.1), "bought": Term(1.0)})
GOOD = {
    "click": Signal(0.2, {"click": 4e-4, "cart": -1e-4}),
    "cart": Signal(0.1, {"click": -1e-4, "cart": 9e-4}),
}
SPEC = Experiment("b", ("x", "y"), "x", REWARD, surrogate=GOOD)
NAN = float("nan")


def of(click: dict[str, float], cart: dict[str, float], mean: float = 0.2) -> dict[str, Signal]:
    return {"click": Signal(mean, click), "cart": Signal(0.1, cart)}


def test_a_kind_whose_weight_is_certain_needs_no_signal() -> None:
    assert list(problems(SPEC)) == []
    assert sorted(SPEC.measured) == ["cart:signal", "click:signal"]


@given(name=st.from_regex(r"[a-f0-9]{1,8}|signal", fullmatch=True))
def test_no_guardrail_is_taken_for_a_signal(name: str) -> None:
    assert signal_of(Guardrail(REWARD, 0.1).column(name)) == ""


@pytest.mark.parametrize(
    ("surrogate", "key", "reason"),
    [
        (of({"click": 4e-4, "cart": 1e-4}, {"click": -1e-4, "cart": 9e-4}), "click.covariance.cart",
         "not symmetric: 0.0001 here, -0.0001 in cart.covariance.click"),
        (of({"click": 4e-4, "cart": 7e-4}, {"click": 7e-4, "cart": 9e-4}), "click.covariance.cart",
         "at most 0.0006, the product of both standard errors"),
        (of({"click": 0.0, "cart": 1e-9}, {"click": 1e-9, "cart": 9e-4}), "click.covariance.cart",
         "at most 0,"),
        (of({"click": -4e-4, "cart": 0}, {"click": 0, "cart": 9e-4}), "click.covariance.click",
         "below 0"),
        (of({"click": 4e-4}, {"click": 0, "cart": 9e-4}), "click.covariance", "cart is missing"),
        (of({"click": 4e-4, "cart": 0, "buy": 0}, {"click": 0, "cart": 9e-4}), "click.covariance",
         "buy is not a signal of this surrogate"),
        (of({"click": NAN, "cart": 0}, {"click": 0, "cart": 9e-4}), "click.covariance.click",
         "got nan"),
        (of({"click": 4e-4, "cart": 0}, {"click": 0, "cart": float("inf")}), "cart.covariance.cart",
         "got inf"),
        (of({"click": 4e-4, "cart": 0}, {"click": 0, "cart": 9e-4}, NAN), "click.mean", "got nan"),
        ({"view": Signal(0.1, {"view": 1e-4})}, "view", "not an outcome kind of the reward"),
        ({}, "", "at least one signal is needed"),
    ],
)  # fmt: skip
def test_what_no_fit_can_say_is_refused(
    surrogate: dict[str, Signal], key: str, reason: str
) -> None:
    ((where, why),) = problems(msgspec.structs.replace(SPEC, surrogate=surrogate))
    assert where == f"surrogate.{key}".rstrip(".")
    assert reason in why


def test_three_weights_that_agree_in_pairs_only_are_refused() -> None:
    kinds, most = ("click", "cart", "bought"), 0.9
    rows = {one: {other: 1.0 if one == other else -most for other in kinds} for one in kinds}
    found = {kind: Signal(0.1, row) for kind, row in rows.items()}
    ((key, reason),) = problems(msgspec.structs.replace(SPEC, surrogate=found))
    assert (key, reason.partition(":")[0]) == (
        "surrogate.click.covariance",
        "not positive semidefinite",
    )


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"reward": Reward({"click": Term(1.0)})}, ['needs posterior = "normal"']),
        ({"reward": Reward({"click": Term(1.0)}), "posterior": "normal"}, []),
        ({"reward": Reward({"click": Term(0.5)}), "posterior": "count"},
         ['needs posterior = "normal"']),
        ({"reward": Reward({"click": Term(1.0)}), "posterior": "normal", "session": None,
          "window": 10**8, "policy": Thompson(delay_corrected=True)},
         ["does not go with delay_corrected"]),
        ({"policy": Thompson(deconfounded=True, overdispersed=True)}, []),
    ],
)  # fmt: skip
def test_where_it_cannot_be_used_it_is_refused(
    fields: dict[str, object], reasons: list[str]
) -> None:
    one = {"surrogate": {"click": Signal(0.2, {"click": 4e-4})}}
    found = list(problems(msgspec.structs.replace(SPEC, **(one | fields))))
    assert [(key, why.partition(":")[0]) for key, why in found] == [
        ("surrogate", reason) for reason in reasons
    ]


@given(root=st.lists(st.floats(-1e3, 1e3), min_size=9, max_size=9), zeros=st.integers(0, 2))
def test_what_a_fit_prints_is_never_refused(root: list[float], zeros: int) -> None:
    """Singular ones among them: signals that never vary, or that say the same."""
    kinds, matrix = ("click", "cart", "bought"), np.reshape(root, (3, 3))
    matrix[:zeros] = 0.0
    sigma = matrix @ matrix.T
    found = {
        kind: Signal(0.1, {other: float(f"{sigma[i, j]:.9g}") for j, other in enumerate(kinds)})
        for i, kind in enumerate(kinds)
    }
    reward = Reward({kind: Term(1.0) for kind in kinds})
    assert list(signal_problems(found, reward)) == []
    assert (Doubt.of(found).variance(np.array([[0.0, 0.5, 2.0], [0.1, 0.1, 0.1]])) >= 0).all()


def version_after(**fields: object) -> tuple[int, int]:
    """The version and the reward version of SPEC after one change."""
    book = Declarations()
    for spec in (SPEC, msgspec.structs.replace(SPEC, **fields)):
        for record in book.changes(spec, at=1):
            book.apply(record)
    return book.latest("b").version, book.latest("b").reward_version


def test_other_numbers_are_read_anew_and_other_signals_begin_anew() -> None:
    """Sums hold what trials showed: Σ and c only say how they are read, as a prior does."""
    surer = of({"click": 1e-4, "cart": 0.0}, {"click": 0.0, "cart": 1e-4}, 0.3)
    assert version_after(surrogate=surer) == (1, 1)
    assert version_after(surrogate=msgspec.UNSET) == (2, 2)
    assert version_after(surrogate={"cart": Signal(0.1, {"cart": 9e-4})}) == (2, 2)
    assert version_after(reward=Reward(REWARD.terms | {"cart": Term(1.2)})) == (2, 2)


def test_a_declaration_without_it_is_written_as_ever() -> None:
    assert b"surrogate" not in msgspec.json.encode(
        msgspec.structs.replace(SPEC, surrogate=msgspec.UNSET)
    )
