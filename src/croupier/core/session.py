"""Observe: the funnels of one session become one trial of each arm seen."""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from croupier.core.declarations import Declarations
from croupier.core.records import Declaration, Funnel, Observation, TimedObservation
from croupier.core.reward import Tally

SessionKey = tuple[str, int, bytes, int, bytes]
"""Experiment, declaration version, unit, session, and the tracking id where each decision
is its own session (else empty)."""


def phase(unit: bytes, length: int) -> int:
    """Where in the bucket a unit's sessions begin, so that they do not all end together."""
    return int.from_bytes(unit[8:], "big") % length


def session_at(unit: bytes, at: int, length: int) -> int:
    """The number of the session that a unit is in: fixed buckets with a per-unit phase.

    >>> session_at(bytes(16), 1_799_999, 900_000), session_at(bytes(16), 1_800_000, 900_000)
    (1, 2)
    """
    return (at + phase(unit, length)) // length


def session_end(unit: bytes, session: int, length: int) -> int:
    """The first millisecond after the session."""
    return (session + 1) * length - phase(unit, length)


class SessionFold:
    """One observation an arm for each session in which something was seen.

    The earliest impressed decision is the randomisation: its arms are the trials, with its
    propensities (those of being shown at all, where slots are pooled). Later decisions add
    outcomes to those arms only. Deadline = session end + expose_within + window + lateness, so
    that no funnel of a session can come after it. In a cascade nobody looks below what was
    rewarded: those arms are no trials.
    """

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def key(self, funnel: Funnel) -> SessionKey:
        """Experiment, declaration, unit and session."""
        one = funnel.decision
        alone = b"" if self._length(one.experiment, one.declaration) else one.tracking_id
        return one.experiment, one.declaration, one.unit, one.session, alone

    def deadline(self, key: SessionKey) -> int:
        """Session end + expose_within + window + lateness, milliseconds."""
        experiment, version, unit, session, alone = key
        spec = self._declarations.need(experiment, version).spec
        if spec.session is None:
            return int.from_bytes(alone[:6], "big") + spec.horizon
        return session_end(unit, session, spec.session) + spec.horizon

    def step(self, state: dict[bytes, Funnel] | None, funnel: Funnel) -> dict[bytes, Funnel]:
        """The session with one more funnel, by tracking id."""
        session = {} if state is None else state
        session[funnel.decision.tracking_id] = funnel
        return session

    def close(self, key: SessionKey, state: dict[bytes, Funnel]) -> Iterable[Observation]:
        """The trials of the session's randomisation."""
        first = min(state.values(), key=first_seen)
        declaration = self._declarations.need(key[0], key[1])
        repeats = len(state) - 1
        for slot, arm in enumerate(first.decision.slate):
            if first.shown[slot]:
                observation = self._observe(key, declaration, state, first, slot, arm, repeats)
                yield observation
                repeats = 0
                if observation.reward and declaration.spec.ranking == "cascade":
                    return

    def _observe(  # noqa: PLR0913 - the parts of one trial
        self,
        key: SessionKey,
        declaration: Declaration,
        session: dict[bytes, Funnel],
        first: Funnel,
        slot: int,
        arm: int,
        repeats: int,
    ) -> Observation:
        pooled, spec = first.decision.inclusions, declaration.spec
        tallies = _tallies(session.values(), arm)
        trial = Observation(
            id=observation_id(key, arm),
            experiment=key[0],
            arm=arm,
            slot=0 if pooled else slot,
            unit=key[2],
            declaration=key[1],
            reward_version=declaration.reward_version,
            reason=first.decision.reason,
            propensity=(pooled or first.decision.propensities)[slot],
            reward=spec.reward.of(tallies),
            at=first.shown[slot],
            repeats=repeats,
            measured={name: each.of(tallies) for name, each in spec.measured.items()},
        )
        if not first.delays:
            return trial
        return TimedObservation(**msgspec.structs.asdict(trial), delay=first.delays[slot])

    def _length(self, experiment: str, version: int) -> int | None:
        return self._declarations.need(experiment, version).spec.session


def observation_id(key: SessionKey, arm: int) -> bytes:
    """16 bytes that name (experiment, session key, arm): the same however often it is made."""
    experiment, version, unit, session, alone = key
    text = b"\0".join((experiment.encode(), b"%d.%d.%d" % (version, session, arm), unit + alone))
    return blake2b(text, digest_size=16).digest()


def first_seen(funnel: Funnel) -> tuple[int, bytes]:
    """When anything of a decision was first seen; of a session, the least is its randomisation."""
    return min(at for at in funnel.shown if at), funnel.decision.tracking_id


def _tallies(funnels: Iterable[Funnel], arm: int) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for funnel in funnels:
        for slot, shown in enumerate(funnel.decision.slate):
            if shown == arm:
                for kind, (count, total) in funnel.outcomes[slot].items():
                    counted, summed = tallies.get(kind, (0, 0))
                    tallies[kind] = counted + count, summed + total
    return tallies
