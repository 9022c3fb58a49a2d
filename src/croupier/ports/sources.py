"""Topics that others write, and where we set aside what we could not use of them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from croupier.ports.log import Positions


class TopicRecord(NamedTuple):
    """One record of somebody else's topic; `stamp` (milliseconds) and `value` may be absent."""

    partition: int
    offset: int
    stamp: int | None
    value: bytes | None


class Stretch(NamedTuple):
    """What was read on: records, the positions behind them, and how many offsets were gone.

    Offsets may have gaps: compaction and transactions leave them. `lost` counts what was dropped,
    by the topic's retention, before we came to it.
    """

    records: list[TopicRecord]
    positions: Positions
    lost: int = 0


class SourceTopic(Protocol):
    """A topic that others write, and may make anew, or give more partitions."""

    def starts(self) -> Positions:
        """The first position that was not dropped, of each partition that there is now."""

    def ends(self) -> Positions:
        """The position behind the last record, of each partition that there is now."""

    def read(self, positions: Positions, limit: int) -> Stretch:
        """At most `limit` records from these positions on, each partition in order.

        UnavailableError while the topic cannot be read, or is not there. UnusableError when it ends
        before a position: then it is not the topic that it was.
        """

    def close(self) -> None:
        """Let go of it."""


class DeadLetter(NamedTuple):
    """A record that could not be used, as it was, and why; its key tells it from all others."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class DeadLetters(Protocol):
    """Where dead letters go. The same letter may come twice: its key says so."""

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them; return when they are durable. UnavailableError when some may not be."""

    def close(self) -> None:
        """Let go of it."""
