"""What serving needs of an experiment: arms, weights, and their posterior."""

from collections.abc import Collection

import numpy as np

from croupier.core.arms.posterior import Posterior
from croupier.core.policies.registry import Policy
from croupier.core.records import Record


class Snapshot(Record, frozen=True, gc=False, tag="snapshot"):
    """A published distribution, versioned; a later version never gives way to an earlier one.

    `weights` are what is drawn from, one an arm, in the order of `arms` (their numbers) and
    `names`; `watermark` says up to which log time it has learned. While an arm is `pinned` (until
    a time in milliseconds, 0: until further notice) it is shown, and nothing is learned.
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


def publish_weights(policy: Policy, posterior: Posterior) -> tuple[float, ...]:
    """The policy's weights as they are published: float64, summing to 1 within 1e-12."""
    weights = policy.publish(posterior)
    return tuple((weights / np.sum(weights)).tolist())
