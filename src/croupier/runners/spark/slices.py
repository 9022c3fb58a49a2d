"""The open stories of a bucket, in slices of a minute of deadline."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from croupier.core.codec import UnreadableRecordError
from croupier.core.duration import MINUTE
from croupier.core.fold import Stage
from croupier.core.funnel import Story
from croupier.core.records import Funnel
from croupier.runners.distributed.parts import Part

_VERSION = b"1"
_STORIES: dict[str, msgspec.msgpack.Decoder[Any]] = {
    "join": msgspec.msgpack.Decoder(list[Story]),
    "observe": msgspec.msgpack.Decoder(list[dict[bytes, Funnel]]),
}


class State(Protocol):
    """What a technology keeps for one bucket between batches."""

    def header(self) -> bytes:
        """As it was kept; empty at first."""

    def keep(self, header: bytes) -> None:
        """Keep the header."""

    def load(self, number: int) -> bytes:
        """A slice that was saved."""

    def save(self, number: int, blob: bytes) -> None:
        """Save a slice."""

    def drop(self, number: int) -> None:
        """Forget a slice."""


class Header(msgspec.Struct):
    """How far time has come by source, and how many stories each slice holds by experiment."""

    reached: dict[int, int] = {}
    slices: dict[int, dict[str, int]] = {}

    def encode(self) -> bytes:
        """With its version in front."""
        return _VERSION + msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, blob: bytes) -> "Header":
        """The inverse; a new one where there was none."""
        return msgspec.msgpack.decode(_body(blob), type=cls) if blob else cls()


class Slices:
    """Moves the stories that a batch touches between a bucket's state and a part's stage."""

    def __init__(self, app: str, state: State, header: Header, part: Part) -> None:
        self._decoder = _STORIES[app]
        self._state, self._header, self._stage = state, header, part.stage
        self._loaded: dict[int, bytes] = {}

    def touch(self, deadlines: Iterable[int]) -> None:
        """Load the slices of stories with these deadlines."""
        for number in {deadline // MINUTE for deadline in deadlines}:
            self._load(number)

    def due(self, watermark: int) -> None:
        """Load every slice that holds a story which may close by this time."""
        for number in list(self._header.slices):
            if number * MINUTE < watermark:
                self._load(number)

    def put_back(self) -> Counter[str]:
        """Save what is open still; how many stories the bucket holds by experiment."""
        left: dict[int, list[Any]] = {}
        counts: dict[int, Counter[str]] = {}
        for key, story in self._stage.open.items():
            number = self._stage.fold.deadline(key) // MINUTE
            left.setdefault(number, []).append(story)
            counts.setdefault(number, Counter())[key[0]] += 1
        for number, stories in left.items():
            blob = _VERSION + msgspec.msgpack.encode(stories)
            if blob != self._loaded.get(number):
                self._state.save(number, blob)
            self._header.slices[number] = dict(counts[number])
        for number in self._loaded.keys() - left.keys():
            if number in self._header.slices:
                self._state.drop(number)
                del self._header.slices[number]
        return _total(self._header.slices.values())

    def _load(self, number: int) -> None:
        if number in self._loaded:
            return
        self._loaded[number] = b""
        if number in self._header.slices:
            blob = self._loaded[number] = self._state.load(number)
            for story in self._decoder.decode(_body(blob)):
                self._stage.restore(_key(self._stage, story), story)


def _key(stage: Stage[Any, Any, Any, Any], story: Any) -> tuple[Any, ...]:
    if isinstance(story, Story):
        one = story.decision
        return one.experiment, one.declaration, one.tracking_id
    key: tuple[Any, ...] = stage.fold.key(next(iter(story.values())))
    return key


def _body(blob: bytes) -> bytes:
    if blob[:1] != _VERSION:
        raise UnreadableRecordError(
            f"Spark state of version {blob[:1]!r}: this reader knows {_VERSION!r}; recover from "
            "the log (--recover)"
        )
    return blob[1:]


def _total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total
