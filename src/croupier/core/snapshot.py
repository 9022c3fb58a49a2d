"""What serving needs of an experiment: arms, what to draw, and their posterior."""

import zlib
from collections.abc import Collection, Sequence

import numpy as np

from croupier.core.arms.leaders import Leaders
from croupier.core.arms.posterior import Posterior
from croupier.core.arms.strata import Strata
from croupier.core.bag import Bag
from croupier.core.barred import Barred, Freed
from croupier.core.diversity import Diversity, Groups
from croupier.core.menu import Menu
from croupier.core.policies.registry import Policy
from croupier.core.rankings import SPARE, Places, Ranking, among, fill_among, lead, rank_arms
from croupier.core.records import Record


class Snapshot(Record, frozen=True, gc=False, tag="snapshot"):
    """A published distribution, versioned; a later version never gives way to an earlier one.

    For one slot `weights` are what is drawn from, one an arm, in the order of `arms` (their
    numbers) and `names`; they sum to 1. For `slots` of them a ranking is drawn, each row of
    `rankings` (zlib of little-endian uint16 places, row by row) alike, and `weights` say how
    likely each arm is to be shown; they sum to the number of arms that are. `watermark` says up to
    which log time it has learned. Where each slot has a posterior of its own, `posterior` is the
    first slot's and `further` are the others'; where slots differ only in how often they are looked
    at, `examination` says so. While an arm is `pinned` (until a time in milliseconds, 0: until
    further notice) it is shown, and nothing is learned. Under a rule of `diversity`, `groups` are
    those of the arms. `barred` are arms that broke a guardrail, not among `arms`; `freed` were so.
    """

    experiment: str
    version: int
    at: int
    declaration: int
    reward_version: int
    watermark: int
    arms: tuple[int, ...]
    names: tuple[str, ...]
    weights: tuple[float, ...]
    posterior: Posterior
    policy: Policy
    pinned: int | None = None
    pinned_until: int = 0
    slots: int = 1
    ranking: Ranking = "pooled"
    bag: int = 0
    rankings: bytes = b""
    further: tuple[Posterior, ...] = ()
    examination: tuple[float, ...] = ()
    diversity: Diversity | None = None
    groups: tuple[str, ...] = ()
    barred: tuple[Barred, ...] = ()
    freed: tuple[Freed, ...] = ()

    def limited(self) -> Groups | None:
        """The groups that arms are limited by, place by place; None without a rule that limits."""
        if self.diversity is None:
            return None
        groups = Groups.under(self.diversity, self.groups)
        return groups if len(groups.many) > 1 else None

    def ranks(self) -> Places:
        """The published rankings, shape (R, depth)."""
        flat = np.frombuffer(zlib.decompress(self.rankings), dtype="<u2")
        depth = flat[0]
        return flat[1:].reshape(-1, depth)

    def menu(self) -> Menu | Bag:
        """What a request is answered from that restricts nothing."""
        if self.slots == 1:
            return Menu(self.arms, self.names, self.weights)
        shuffled, groups = self.policy.shuffled(self.posterior), self.limited()
        slates = self._slates(self.ranks(), self.slots, groups)
        return self._bag(self.arms, self.names, slates, shuffled, groups)

    def _bag(
        self,
        arms: Sequence[int],
        names: Sequence[str],
        ranks: Places,
        shuffled: float,
        groups: Groups | None,
    ) -> Bag:
        pooled, placed = self.ranking == "pooled", self._placed(ranks)
        return Bag(arms, names, placed, shuffled, pooled=pooled, groups=groups)

    def _placed(self, ranks: Places) -> Places:
        """Rankings as slates: the best arm in the slot that is looked at most, and so on.

        Slots that are looked at about equally (within a quarter) keep their order on the page.
        """
        if not self.examination:
            return ranks
        steps = np.round(np.log(self.examination[: ranks.shape[1]]) / np.log(1.25))
        slots = np.argsort(-steps, kind="stable")
        placed = np.empty_like(ranks)
        placed[:, slots] = ranks
        return placed

    def leaders(self) -> Sequence[Leaders]:
        """What menus of fewer arms are made of, where each slot has a posterior of its own.

        It takes as long as a publication did, so that whoever makes several keeps it.
        """
        if self.slots == 1 or self.ranking != "slots":
            return ()
        strata = Strata.of(self.experiment, self.arms, self.bag)
        posteriors = (self.posterior, *self.further)[: self.slots]
        return lead(self.policy, posteriors, strata, SPARE)

    def menu_among(
        self,
        places: Sequence[int],
        slots: int,
        leaders: Sequence[Leaders] = (),
        beside: int | None = None,
    ) -> Menu | Bag | None:
        """What a request is answered from when only the arms at these places may be shown.

        The arm at the place `beside` is shown beside them, and fills its group; None where then
        nothing may be.
        """
        arms = [self.arms[place] for place in places]
        names = [self.names[place] for place in places]
        if self.slots == 1:
            return Menu(arms, names, self.weights_among(places))
        limited = self.limited()
        groups = None if limited is None else limited.among(places, beside)
        if groups is not None and not groups.slots(slots):
            return None
        if self.ranking == "slots":
            known = leaders or self.leaders()
            ranks = fill_among(known, places, len(self.arms), slots, groups)
        else:
            kept = self.ranks()
            ranks = among(kept, places, slots, groups)
            if limited and groups and limited.misses(kept, places, groups, SPARE):
                ranks = None
        if ranks is None:
            ranks = self._ranked_anew(places, slots, groups)
        shuffled = self.policy.shuffled(self.posterior.take(places))
        return self._bag(arms, names, ranks, shuffled, groups)

    def _ranked_anew(self, places: Sequence[int], slots: int, groups: Groups | None) -> Places:
        posteriors = [each.take(places) for each in (self.posterior, *self.further)]
        strata = Strata.of(self.experiment, self.arms, self.bag).take(places)
        ranks = rank_arms(self.policy, posteriors, strata, slots, groups)
        return self._slates(ranks, slots, groups)

    def _slates(self, ranks: Places, slots: int, groups: Groups | None) -> Places:
        """The first of each ranking, past the arms whose groups are full."""
        if groups is None or self.ranking == "slots":
            return ranks[:, :slots]
        slates = among(ranks, range(len(groups.of)), slots, groups)
        assert slates is not None, "rankings are made as deep as slates need them"
        return slates

    def weights_among(self, places: Collection[int]) -> tuple[float, ...]:
        """The weights when only the arms at these places may be shown.

        They are recomputed from the posterior, never renormalised: with one clear leader left
        out, the rest must share by their own chances of being best.

        >>> from croupier.core.arms.bernoulli import Beta
        >>> from croupier.core.policies.thompson import Thompson
        >>> one = Snapshot(
        ...     experiment="b", version=1, at=0, declaration=1, reward_version=1, watermark=0,
        ...     arms=(0, 1, 2), names=("x", "y", "z"), weights=(0.99, 0.005, 0.005),
        ...     posterior=Beta((90.0, 2.0, 1.0), (10.0, 1.0, 2.0)), policy=Thompson(floor=0.0),
        ... )
        >>> [round(w, 4) for w in one.weights_among((1, 2))]
        [0.8333, 0.1667]
        """
        return publish_weights(self.policy, self.posterior.take(sorted(places)))


def pack_ranks(ranks: Places) -> bytes:
    """Rankings as they are published: their depth, then row by row.

    >>> np.frombuffer(zlib.decompress(pack_ranks(np.array([[1, 0], [0, 1]]))), "<u2").tolist()
    [2, 1, 0, 0, 1]
    """
    flat = np.concatenate(([ranks.shape[1]], ranks.ravel())).astype("<u2")
    return zlib.compress(flat.tobytes(), 1)


def publish_weights(policy: Policy, posterior: Posterior) -> tuple[float, ...]:
    """The policy's weights as they are published: float64, summing to 1 within 1e-12."""
    weights = policy.publish(posterior)
    return tuple((weights / np.sum(weights)).tolist())
