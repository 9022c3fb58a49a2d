"""Join: the impressions and outcomes of one decision become its funnel."""

from collections.abc import Container, Iterable

import msgspec

from croupier.core.declarations import Declarations
from croupier.core.records import IMPRESSION, Decision, Event, Funnel
from croupier.core.reward import MOST_IDS

FunnelKey = tuple[str, int, bytes]
"""Experiment, declaration version and tracking id: all that a deadline needs."""
Outcomes = dict[str, tuple[int, int]]
"""By outcome id ("" when it has none): event time and value; the least of each id."""


class Story(msgspec.Struct, gc=False):
    """What is known so far: first sight of each slot (0: none), outcomes by (slot, kind)."""

    decision: Decision
    shown: tuple[int, ...]
    outcomes: dict[tuple[int, str], Outcomes] | None = None


class FunnelFold:
    """A funnel for each decision that was seen in time.

    An impression counts within `expose_within` of the decision, an outcome until `window` after
    its impression (it may arrive first). Deadline = decision time + expose_within + window +
    lateness. Step takes minima and keeps the MOST_IDS earliest outcomes, so that neither order
    nor repetition matters.
    """

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def key(self, event: Event) -> FunnelKey:
        """The tracking id, with what its deadline depends on."""
        decision = event.decision
        return decision.experiment, decision.declaration, decision.tracking_id

    def deadline(self, key: FunnelKey) -> int:
        """Decision time + expose_within + window + lateness, milliseconds."""
        return (
            int.from_bytes(key[2][:6], "big") + self._declarations.need(key[0], key[1]).spec.horizon
        )

    def step(self, state: Story | None, event: Event) -> Story:
        """The story with one more report."""
        story = state or Story(event.decision, (0,) * len(event.decision.slate))
        if event.kind != IMPRESSION:
            self._outcome(story, event)
            return story
        at, slot = event.at, event.slot
        story.shown = tuple(
            [
                at if (slot < 0 or slot == place) and not 0 < seen <= at else seen
                for place, seen in enumerate(story.shown)
            ]
        )
        return story

    def close(self, key: FunnelKey, state: Story) -> Iterable[Funnel]:
        """One funnel, or none when nothing was seen in time."""
        spec = self._declarations.need(key[0], key[1]).spec
        limit = state.decision.at + spec.expose_within
        shown = tuple(at if 0 < at <= limit else 0 for at in state.shown)
        if any(shown):
            counts: tuple[dict[str, tuple[int, int]], ...] = tuple({} for _ in shown)
            for (slot, kind), outcomes in (state.outcomes or {}).items():
                counted = [v for at, v in outcomes.values() if at <= shown[slot] + spec.window]
                if shown[slot] and counted:
                    counts[slot][kind] = len(counted), sum(counted)
            kinds = spec.reward.terms
            delays = tuple(
                first_delay(state, slot, seen, spec.window, kinds)
                for slot, seen in enumerate(shown if spec.timed else ())
            )
            yield Funnel(decision=state.decision, shown=shown, outcomes=counts, delays=delays)

    def _outcome(self, story: Story, event: Event) -> None:
        spec = self._declarations.need(event.decision.experiment, event.decision.declaration).spec
        if event.kind not in spec.reward.terms and not spec.uses(event.kind):
            return
        if story.outcomes is None:
            story.outcomes = {}
        outcomes = story.outcomes.setdefault((event.slot, event.kind), {})
        reported = (event.at, event.value)
        outcomes[event.id] = min(outcomes.get(event.id, reported), reported)
        if len(outcomes) > MOST_IDS:
            del outcomes[max(outcomes, key=lambda each: (outcomes[each], each))]


def first_delay(story: Story, slot: int, seen: int, window: int, kinds: Container[str]) -> int:
    """How long after a slot was seen its first outcome of the reward's kinds came; −1: none did.

    A story keeps what guardrails measure, too; that is no reward, and tells nothing of its delay.
    """
    came = [
        at
        for (place, kind), outcomes in (story.outcomes or {}).items()
        if place == slot and kind in kinds
        for at, _ in outcomes.values()
    ]
    first = min(came, default=seen + window + 1)
    return max(first - seen, 0) if seen and first <= seen + window else -1
