"""Drawn posteriors of every kind that a declaration may name."""

from typing import Any, NamedTuple, get_args

from hypothesis import strategies as st

from croupier.core.arms.posterior import Posterior, read_posterior
from croupier.core.arms.sums import Reading
from croupier.core.experiment import PosteriorKind
from croupier.core.reward import Reward, Term

MEMBERS: tuple[type[Any], ...] = get_args(Posterior)
BINARY = Reward({"click": Term(1.0)})
SCALED = Reward({"click": Term(1.0, cap=2), "buy": Term(0.01, of="value", max=400.0)})


class Kind(NamedTuple):
    """A kind of posterior, with a reward that it can be read for."""

    name: str
    reward: Reward


KINDS = {
    f"{name}-{label}": Kind(name, reward)
    for name in get_args(PosteriorKind)
    for label, reward in (("binary", BINARY), ("scaled", SCALED))
    if reward.binary or name != "beta"
}


def read(kind: Kind, arms: "list[tuple[float, float]]") -> Posterior:
    """The posterior after n trials with a mean of so large a part of the largest reward, by arm."""
    _, high = kind.reward.bounds
    r = tuple(n * share * high for n, share in arms)
    reading = Reading(tuple(n for n, _ in arms), r, tuple(one * high for one in r))
    return read_posterior(kind.name, reading, kind.reward)


ARM = st.tuples(
    st.one_of(st.just(0.0), st.integers(1, 10_000).map(float)),
    st.one_of(st.sampled_from((0.0, 1.0, 0.02)), st.integers(0, 100).map(lambda part: part / 100)),
)
ARMS = st.lists(ARM, min_size=1, max_size=6)
