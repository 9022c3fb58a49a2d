"""What is wrong with a declaration, all of it at once."""

from collections.abc import Iterator

import msgspec

from croupier.core.arms.posterior import posterior_of
from croupier.core.diversity import group_problems
from croupier.core.duration import HOUR, format_duration
from croupier.core.experiment import (
    LEAST_BAG,
    LONGEST_ARM,
    MOST_ARMS,
    MOST_BAG,
    MOST_SLOTS,
    Experiment,
)
from croupier.core.guardrail import MOST_GUARDRAILS
from croupier.core.name import A_NAME, usable_name
from croupier.core.policies.thompson import Thompson
from croupier.core.signals import signal_problems


def problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    """Everything that is wrong with a declaration, as (key, reason)."""
    yield from _name_problems(spec)
    yield from _source_problems(spec)
    yield from _slate_problems(spec)
    yield from _reward_problems(spec)
    yield from _time_problems(spec)
    if not 0 <= spec.holdout < 1:
        yield "holdout", f"expected a share from 0 to below 1, got {spec.holdout}"
    forgets = spec.policy.sliding_window
    if forgets is not None and 0 < forgets < spec.longest_story:
        least = format_duration(spec.longest_story)
        yield (
            "policy.sliding_window",
            f"shorter than a story, {least}: trials would be forgotten before they count",
        )
    reason = spec.policy.problem(len(spec.arms)) if spec.arms else None
    if reason:
        yield "policy", reason
    yield from _belief_problems(spec)
    yield from _delay_problems(spec)
    yield from _surrogate_problems(spec)


def _name_problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    if not usable_name(spec.name):
        yield "name", f"expected {A_NAME}, got {spec.name!r}"
    if len(spec.arms) > MOST_ARMS:
        yield "arms", f"at most {MOST_ARMS} arms, got {len(spec.arms)}"
    seen: set[str] = set()
    for arm in spec.arms:
        if arm in seen:
            yield "arms", f"{arm!r} is named twice"
        if not 0 < len(arm) <= LONGEST_ARM or not arm.isprintable():
            yield "arms", f"expected 1 to {LONGEST_ARM} printable characters, got {arm[:40]!r}"
        seen.add(arm)


def _source_problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    if spec.candidates is None:
        if not spec.arms:
            yield "arms", "at least one arm is needed"
        return
    yield from ((f"candidates.{key}", reason) for key, reason in spec.candidates.problems())
    if spec.arms:
        yield "arms", "declare arms or candidates, not both"


def _slate_problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    for arm in spec.defaults:
        if arm not in spec.arms and spec.candidates is None:
            yield "default", f"{arm!r} is not one of the arms"
    if not 1 <= spec.slots <= MOST_SLOTS:
        yield "slots", f"expected 1 to {MOST_SLOTS}, got {spec.slots}"
    elif spec.arms and spec.slots > len(spec.arms):
        yield "slots", f"{spec.slots} slots need as many arms, got {len(spec.arms)}"
    elif len(set(spec.defaults)) != len(spec.defaults) or len(spec.defaults) != spec.slots:
        arms = "the name of an arm" if spec.slots == 1 else f"{spec.slots} different arms"
        yield "default", f"expected {arms}, got {', '.join(spec.defaults)[:200]!r}"
    listed = spec.arms if spec.candidates is None else None
    yield from (("groups", reason) for reason in group_problems(spec.groups, listed))
    if spec.diversity is not None:
        wrong = [*spec.diversity.problems(spec.slots, spec.defaults, spec.groups)]
        idle = spec.candidates is None and not wrong
        yield from spec.diversity.idle(spec.groups.values()) if idle else wrong
    if not LEAST_BAG <= spec.bag <= MOST_BAG:
        yield "bag", f"expected {LEAST_BAG} to {MOST_BAG} rankings, got {spec.bag}"


def _reward_problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    if not spec.reward.terms:
        yield "reward", "at least one outcome kind is needed, such as { click = 1.0 }"
    yield from spec.reward.problems()
    if len(spec.guardrails) > MOST_GUARDRAILS:
        yield "guardrail", f"at most {MOST_GUARDRAILS} guardrails, got {len(spec.guardrails)}"
    for name, each in spec.guardrails.items():
        if not usable_name(name):
            yield f"guardrail.{name}", f"not a name: expected {A_NAME}"
        yield from ((f"guardrail.{name}.{key}", why) for key, why in each.problems())


def _belief_problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    if spec.posterior == "beta" and not spec.reward.binary:
        yield "posterior", '"beta" needs a reward of one kind with weight 1 and cap 1'
    elif spec.posterior == "count" and spec.reward.unit is None:
        yield "posterior", '"count" needs kinds that are counted, all of one weight above 0'
    elif spec.prior is not None and spec.reward.usable:
        kind = posterior_of(spec.posterior, spec.reward)
        yield from spec.prior.problems(kind, *spec.reward.bounds)


def _delay_problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    own = spec.policy
    adjusts = isinstance(own, Thompson) and (own.deconfounded or own.overdispersed)
    checks = {
        "needs a reward of one kind with weight 1 and cap 1": not spec.reward.binary,
        'needs session = "none": what is open is counted by decision': spec.session is not None,
        "gains nothing with a window under 1h": spec.window < HOUR,
        "does not go with a cascade": spec.ranking == "cascade",
        "goes with neither deconfounded nor overdispersed": adjusts,
    }
    wrongs = [reason for reason, wrong in checks.items() if wrong and spec.timed]
    yield from (("policy.delay_corrected", reason) for reason in wrongs)


def _surrogate_problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    if spec.surrogate is msgspec.UNSET:
        return
    if not spec.surrogate:
        yield "surrogate", "at least one signal is needed, as croupier surrogate fit prints it"
        return
    for key, reason in signal_problems(spec.surrogate, spec.reward):
        yield f"surrogate.{key}", reason
    if spec.reward.usable and posterior_of(spec.posterior, spec.reward) != "normal":
        yield "surrogate", 'needs posterior = "normal": no other can be widened by it'
    if spec.timed:
        yield "surrogate", "does not go with delay_corrected: open trials do not tell their signals"


def _time_problems(spec: Experiment) -> Iterator[tuple[str, str]]:
    for key in ("expose_within", "window", "refresh", "period"):
        if getattr(spec, key) <= 0:
            yield key, "must be longer than 0"
    if spec.lateness < 0:
        yield "lateness", "must not be negative"
    if spec.session is not None and spec.session <= 0:
        yield "session", 'must be longer than 0, or "none"'
