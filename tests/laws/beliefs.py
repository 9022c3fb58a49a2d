"""Drawn posteriors of every kind that a declaration may name."""

from typing import Any, NamedTuple, get_args

from hypothesis import strategies as st

from croupier.core.arms.posterior import Posterior, read_posterior
from croupier.core.arms.prior import Prior
from croupier.core.arms.sums import Reading
from croupier.core.experiment import PosteriorKind
from croupier.core.reward import Reward, Term

MEMBERS: tuple[type[Any], ...] = get_args(Posterior)
BINARY = Reward({"click": Term(1.0)})
PLAYS = Reward({"play": Term(0.5, cap=6), "save": Term(0.5)})
SCALED = Reward({"click": Term(1.0, cap=2), "buy": Term(0.01, of="value", max=400.0)})


class Kind(NamedTuple):
    """A kind of posterior, with a reward that it can be read for."""

    name: str
    reward: Reward


KINDS = {
    f"{name}-{label}": Kind(name, reward)
    for name in get_args(PosteriorKind)
    for label, reward in (("binary", BINARY), ("plays", PLAYS), ("scaled", SCALED))
    if {"beta": reward.binary, "count": reward.unit}.get(name, True)
}


def read(kind: Kind, arms: "list[tuple[float, float]]", prior: Prior | None = None) -> Posterior:
    """The posterior after n trials with a mean of so large a part of the largest reward, by arm."""
    return read_posterior(kind.name, reading(kind, arms), kind.reward, prior)


def reading(kind: Kind, arms: "list[tuple[float, float]]") -> Reading:
    """The sums of those trials, each of which earned all or nothing."""
    _, high = kind.reward.bounds
    r = tuple(n * share * high for n, share in arms)
    return Reading(tuple(n for n, _ in arms), r, tuple(one * high for one in r))


ARM = st.tuples(
    st.one_of(st.just(0.0), st.integers(1, 10_000).map(float)),
    st.one_of(st.sampled_from((0.0, 1.0, 0.02)), st.integers(0, 100).map(lambda part: part / 100)),
)
ARMS = st.lists(ARM, min_size=1, max_size=6)
