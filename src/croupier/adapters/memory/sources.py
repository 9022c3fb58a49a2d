"""Somebody else's topic, and dead letters, in lists."""

from collections.abc import Sequence

from croupier.ports import (
    DeadLetter,
    Positions,
    Stretch,
    TopicRecord,
    UnavailableError,
    UnusableError,
)


class MemoryTopic:
    """SourceTopic in lists, one a partition; None is an offset that compaction left empty."""

    def __init__(self, partitions: int = 1) -> None:
        self._parts: list[list[TopicRecord | None]] = [[] for _ in range(partitions)]
        self._starts = [0] * partitions

    def write(self, partition: int, value: bytes | None, stamp: int | None = None) -> None:
        """One more record."""
        part = self._parts[partition]
        part.append(TopicRecord(partition, len(part), stamp, value))

    def gap(self, partition: int) -> None:
        """An offset without a record."""
        self._parts[partition].append(None)

    def grow(self) -> None:
        """One more partition."""
        self._parts.append([])
        self._starts.append(0)

    def drop(self, partition: int, before: int) -> None:
        """Forget all before an offset."""
        self._starts[partition] = max(before, self._starts[partition])

    def vanish(self) -> None:
        """It is not there any more."""
        self._parts, self._starts = [], []

    def starts(self) -> Positions:
        """The first offsets that were not dropped."""
        return dict(enumerate(self._starts))

    def ends(self) -> Positions:
        """One behind the last."""
        return {number: len(part) for number, part in enumerate(self._parts)}

    def read(self, positions: Positions, limit: int) -> Stretch:
        """The next records, the first partition first."""
        if not self._parts:
            raise UnavailableError("the topic is not there")
        records: list[TopicRecord] = []
        behind, lost = dict(positions), 0
        for number, position in positions.items():
            if number >= len(self._parts) or position > len(self._parts[number]):
                raise UnusableError(f"partition {number} ends before {position}")
            start = max(position, self._starts[number])
            lost += start - position
            some = self._parts[number][start : start + limit - len(records)]
            records += [one for one in some if one is not None]
            behind[number] = start + len(some)
        return Stretch(records, behind, lost)

    def close(self) -> None:
        """Nothing to let go of."""


class MemoryDeadLetters:
    """DeadLetters in a list."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them."""
        self.letters += letters

    def close(self) -> None:
        """Nothing to let go of."""
