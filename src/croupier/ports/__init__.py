"""What the apps need of the world: event log, state store, snapshot cache."""

from croupier.ports.errors import (
    StaleError,
    UnavailableError,
    UnusableError,
)
from croupier.ports.log import (
    ARMS,
    EVENTS,
    FUNNELS,
    OBSERVATIONS,
    TOPICS,
    Entry,
    EventLog,
    Positions,
    entries_between,
    is_trimmed,
    partition_of,
)
from croupier.ports.snapshots import (
    Published,
    SnapshotCache,
    Tally,
)
from croupier.ports.sources import (
    DeadLetter,
    DeadLetters,
    SourceTopic,
    Stretch,
    TopicRecord,
)
from croupier.ports.states import (
    Commit,
    Late,
    OpenStories,
    Standing,
    StateStore,
    already_in,
)
from croupier.ports.tables import Table
from croupier.ports.trials import (
    SlateLog,
    TrialLog,
    WrongRow,
)

__all__ = [
    "ARMS",
    "EVENTS",
    "FUNNELS",
    "OBSERVATIONS",
    "TOPICS",
    "Commit",
    "DeadLetter",
    "DeadLetters",
    "Entry",
    "EventLog",
    "Late",
    "OpenStories",
    "Positions",
    "Published",
    "SlateLog",
    "SnapshotCache",
    "SourceTopic",
    "StaleError",
    "Standing",
    "StateStore",
    "Stretch",
    "Table",
    "Tally",
    "TopicRecord",
    "TrialLog",
    "UnavailableError",
    "UnusableError",
    "WrongRow",
    "already_in",
    "entries_between",
    "is_trimmed",
    "partition_of",
]
