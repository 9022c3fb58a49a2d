"""What a log should lead to, worked out by brute force: the words of DESIGN.md §3.3, in Python.

Nothing here folds, batches, schedules or recovers: each answer looks at the whole log. It shares
the records and the declarations with the code under test, and how a session is numbered when a
decision is made; nothing else.

    told = tell([(stamp, event), …], declarations)
    told.funnels, told.trials       (deadline, what): all of them, as if the log went on for ever
    told.late                       the distinct reports that were sent too late
    told.sums(declarations), told.counts()
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from msgspec import UnsetType

from croupier.core.arms.sums import StateKey
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.records import Decision, Event, Funnel, Observation, Reason
from croupier.core.reward import Term
from croupier.core.session import session_at

MILLION = 1_000_000
MOST_IDS = 256

Stamped = tuple[int, Event]


class Trial(NamedTuple):
    """An observation without its id."""

    experiment: str
    arm: int
    slot: int
    unit: bytes
    declaration: int
    reward_version: int
    reason: Reason
    propensity: float
    reward: int
    at: int
    repeats: int
    measured: tuple[tuple[str, int], ...]


class LateReport(NamedTuple):
    """What tells late reports apart."""

    tracking_id: bytes
    experiment: str
    kind: str
    slot: int
    id: str


class Told(NamedTuple):
    """Everything that a log leads to, once time is past every deadline."""

    funnels: list[tuple[int, Funnel]]
    trials: list[tuple[int, Trial]]
    late: set[LateReport]

    def sums(self, book: Declarations) -> dict[StateKey, tuple[int, ...]]:
        """n, Σr, Σr², Σw, Σw², Σwr, Σw²r, Σw²r² of the strata that have sums."""
        found: dict[StateKey, tuple[int, ...]] = {}
        for _, trial in self.trials:
            if trial.reason in ("policy", "holdout"):
                key = _state_key(trial, book.latest(trial.experiment).spec.period)
                values: dict[str, int] = {trial.reason: trial.reward}
                values |= {f"{trial.reason}:{name}": y for name, y in trial.measured}
                for stratum, r in values.items():
                    _add(found, key._replace(stratum=stratum), r, trial.propensity)
                    if _meets_the_same_again(trial, book) and not stratum.endswith(":signal"):
                        group = f"group.{trial.unit[0] % 64:02d}.{stratum}"
                        place = key._replace(stratum=group, period=0)
                        _add(found, place, r, trial.propensity**0.5)
        return found

    def counts(self) -> dict[tuple[str, str], int]:
        """How many, by experiment and what, late reports included; nothing that is 0."""
        counts: Counter[tuple[str, str]] = Counter()
        for _, trial in self.trials:
            what = "observations" if trial.reason == "policy" else trial.reason
            counts[trial.experiment, what] += 1
            counts[trial.experiment, "repeat"] += trial.repeats
        for report in self.late:
            counts[report.experiment, "late"] += 1
        return dict(+counts)


def _add(
    found: dict[StateKey, tuple[int, ...]], place: StateKey, r: int, propensity: float
) -> None:
    w = round(MILLION / propensity)
    one = (1, r, r**2, w, w**2, w * r, w**2 * r, w**2 * r**2)
    known = found.get(place, (0,) * len(one))
    found[place] = tuple(a + b for a, b in zip(known, one, strict=True))


def _meets_the_same_again(trial: Trial, book: Declarations) -> bool:
    """Whether a unit that returns is shown the same: as declared when the trial was decided."""
    spec = book.need(trial.experiment, trial.declaration).spec
    return spec.sticky == "unit" or spec.holdout > 0


def trial_of(observation: Observation) -> Trial:
    """What the oracle says of an observation: all but its id."""
    told = {field: getattr(observation, field) for field in Trial._fields}
    return Trial(**told | {"measured": tuple(sorted(observation.measured.items()))})


def tell(log: Iterable[Stamped], book: Declarations) -> Told:
    """Everything that follows from a log of stamped events."""
    in_time: dict[bytes, list[Event]] = defaultdict(list)
    late: set[LateReport] = set()
    for stamp, event in log:
        one = event.decision
        if stamp > funnel_deadline(one, book):
            late.add(LateReport(one.tracking_id, one.experiment, event.kind, event.slot, event.id))
        else:
            in_time[one.tracking_id].append(event)
    funnels = [funnel for events in in_time.values() for funnel in _funnel(events, book)]
    return Told(
        [(funnel_deadline(funnel.decision, book), funnel) for funnel in funnels],
        list(_trials(funnels, book)),
        late,
    )


def funnel_deadline(one: Decision, book: Declarations) -> int:
    """Decision time + expose_within + window + lateness."""
    spec = _spec(one, book)
    return one.at + spec.expose_within + spec.window + spec.lateness


def session_deadline(one: Decision, book: Declarations) -> int:
    """Session end (the decision itself, when it is its own) + the same."""
    spec = _spec(one, book)
    end = one.at if spec.session is None else _end_of_session(one, spec.session)
    return end + spec.expose_within + spec.window + spec.lateness


def _spec(one: Decision, book: Declarations) -> Experiment:
    declaration = book.find(one.experiment, one.declaration)
    assert declaration
    return declaration.spec


def _end_of_session(one: Decision, length: int) -> int:
    """The first millisecond that has another session number."""
    within, beyond = one.at, one.at + length
    while beyond - within > 1:
        middle = (within + beyond) // 2
        if session_at(one.unit, middle, length) == one.session:
            within = middle
        else:
            beyond = middle
    return beyond


def _funnel(events: list[Event], book: Declarations) -> Iterable[Funnel]:
    one = events[0].decision
    spec = _spec(one, book)
    shown, outcomes = [], []
    for slot in range(len(one.slate)):
        seen = [
            event.at
            for event in events
            if event.kind == "impression"
            and event.slot in (slot, -1)
            and event.at <= one.at + spec.expose_within
        ]
        shown.append(min(seen, default=0))
        mine = [event for event in events if event.kind != "impression" and event.slot == slot]
        counted = {
            kind: _tally([event for event in mine if event.kind == kind], shown[-1] + spec.window)
            for kind in {kind for each in _valued(spec) for kind in each}
        }
        outcomes.append({kind: tally for kind, tally in counted.items() if tally[0] and shown[-1]})
    if any(shown):
        yield Funnel(decision=one, shown=tuple(shown), outcomes=tuple(outcomes))


def _valued(spec: Experiment) -> list[dict[str, Term]]:
    """What makes an outcome count: the terms of the reward, and of every guardrail."""
    return [spec.reward.terms, *(each.reward.terms for each in spec.guardrails.values())]


def _tally(events: list[Event], until: int) -> tuple[int, int]:
    """How many outcomes of one kind count, and their values; each id once, earliest ids first."""
    earliest = sorted(
        (min((event.at, event.value) for event in events if event.id == name), name)
        for name in {event.id for event in events}
    )
    values = [value for (at, value), _ in earliest[:MOST_IDS] if at <= until]
    return len(values), sum(values)


def _trials(funnels: list[Funnel], book: Declarations) -> Iterable[tuple[int, Trial]]:
    sessions: dict[tuple[object, ...], list[Funnel]] = defaultdict(list)
    for funnel in funnels:
        one = funnel.decision
        alone = one.tracking_id if _spec(one, book).session is None else b""
        sessions[one.experiment, one.declaration, one.unit, one.session, alone].append(funnel)
    for session in sessions.values():
        first = min(
            session, key=lambda f: (min(at for at in f.shown if at), f.decision.tracking_id)
        )
        one, repeats = first.decision, len(session) - 1
        declaration = book.find(one.experiment, one.declaration)
        assert declaration
        for slot, arm in enumerate(one.slate):
            if first.shown[slot]:
                yield (
                    session_deadline(one, book),
                    Trial(
                        experiment=one.experiment,
                        arm=arm,
                        slot=0 if one.inclusions else slot,
                        unit=one.unit,
                        declaration=one.declaration,
                        reward_version=declaration.reward_version,
                        reason=one.reason,
                        propensity=(one.inclusions or one.propensities)[slot],
                        reward=_reward(session, arm, declaration.spec.reward.terms),
                        at=first.shown[slot],
                        repeats=repeats,
                        measured=tuple(sorted(_measured(session, arm, declaration.spec))),
                    ),
                )
                repeats = 0


def _measured(session: list[Funnel], arm: int, spec: Experiment) -> Iterable[tuple[str, int]]:
    """What guardrails measure, and what fitted kinds count before they are weighed."""
    for name, each in spec.guardrails.items():
        yield each.column(name), _reward(session, arm, each.reward.terms)
    for kind in {} if isinstance(spec.surrogate, UnsetType) else spec.surrogate:
        term = spec.reward.terms[kind]
        unweighed = Term(1.0, of=term.of, cap=term.cap, max=term.max)
        yield f"{kind}:signal", _reward(session, arm, {kind: unweighed})


def _reward(session: list[Funnel], arm: int, terms: dict[str, Term]) -> int:
    """Σ weight·min(count, cap), or weight·min(Σ value, max), in whole millionths."""
    total = 0
    for kind, term in terms.items():
        tallies = [
            outcomes[kind]
            for funnel in session
            for shown, outcomes in zip(funnel.decision.slate, funnel.outcomes, strict=True)
            if shown == arm and kind in outcomes
        ]
        amount = Fraction(sum(count for count, _ in tallies))
        most = Fraction(term.cap)
        if term.of == "value":
            amount = Fraction(sum(value for _, value in tallies), MILLION)
            most = Fraction(str(term.max))
        worth = Fraction(str(term.weight)) * min(amount, most) * MILLION
        total += (worth + Fraction(1, 2)).__floor__()
    return total


def _state_key(trial: Trial, period: int) -> StateKey:
    bucket = trial.at - trial.at % period
    return StateKey(
        trial.experiment, trial.arm, trial.slot, trial.reward_version, trial.reason, bucket
    )
