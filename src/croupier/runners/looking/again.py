"""A decision that was made, decided again from what the log and the cache keep."""

from croupier.config.backends import Backends
from croupier.config.errors import ConfigError
from croupier.core.explain import Explanation, explain
from croupier.core.records import Decision, Declaration, Event
from croupier.core.snapshot import Snapshot
from croupier.ports import ARMS, EVENTS, EventLog, entries_between
from croupier.runners.declare import read_declarations
from croupier.runners.looking.look import Wanted, seen_in


def explained(backends: Backends, tracking_id: bytes) -> Explanation:
    """Why a reported decision shows what it shows; ConfigError says what is missing."""
    since = int.from_bytes(tracking_id[:6], "big")
    found = _reported(backends.log, tracking_id, since)
    if found is None:
        raise ConfigError(
            f"{tracking_id.hex()}: nobody reported on this decision, so it is not on the log "
            "(deciding writes nothing); give its token instead"
        )
    return explained_decision(backends, found)


def explained_decision(backends: Backends, decision: Decision) -> Explanation:
    """The same for a decision that a token holds."""
    name = decision.experiment
    if name not in read_declarations(backends.log).names():
        raise ConfigError(f"{name}: no such experiment was ever declared")
    return explain(decision, _snapshot(backends, decision), _in_force(backends.log, decision))


def _reported(log: EventLog, tracking_id: bytes, since: int) -> Decision | None:
    wanted = Wanted(tracking_id=tracking_id)
    for entries in entries_between(log, EVENTS, log.since(EVENTS, since), log.ends(EVENTS)):
        for seen in seen_in(entries):
            if isinstance(seen.record, Event) and wanted.holds(seen.record):
                return seen.record.decision
    return None


def _snapshot(backends: Backends, decision: Decision) -> Snapshot:
    if decision.reason == "default":
        raise ConfigError(
            "this decision was not drawn: no snapshot was there, the default was shown"
        )
    found = backends.cache.history(decision.experiment, 1, before=decision.snapshot + 1)
    if found and found[0].version == decision.snapshot:
        return found[0]
    raise ConfigError(f"snapshot {decision.snapshot} of {decision.experiment} is not kept any more")


def _in_force(log: EventLog, decision: Decision) -> Declaration:
    """The declaration as it was at the decision: what moves no story changes without a version."""
    found: Declaration | None = None
    for entries in entries_between(log, ARMS, {}, log.ends(ARMS)):
        for seen in seen_in(entries):
            record = seen.record
            if isinstance(record, Declaration) and record.spec.name == decision.experiment:
                found = record if found is None or record.at <= decision.at else found
    if found is None:
        raise ConfigError(f"{decision.experiment}: it was never declared")
    return found
