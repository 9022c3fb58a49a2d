"""The open stories of a bucket, in slices of a minute of deadline."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import msgspec

from croupier.core.codec import UnreadableRecordError
from croupier.core.duration import MINUTE
from croupier.core.fold import Stage
from croupier.core.funnel import Story
from croupier.core.records import Funnel
from croupier.runners.distributed.parts import Part
from croupier.runners.spark.misfit import MisfitError

_VERSION = b"2"
_SEAL_BYTES = 4
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
        """A slice that was saved; empty when it is gone."""

    def save(self, number: int, blob: bytes) -> None:
        """Save a slice."""

    def drop(self, number: int) -> None:
        """Forget a slice."""


class Slice(NamedTuple):
    """What the header knows of a slice: the seal of its blob, its stories by experiment."""

    seal: int
    open: dict[str, int]


class Header(msgspec.Struct):
    """How far a bucket has come: in its partition, in time by source; and which slices it holds.

    The header is sealed and seals its slices. So a state of which a part is damaged, lost, older
    than the rest, or another query's, is known for what it is before anything is done with it.
    """

    position: int
    reached: dict[int, int] = {}
    slices: dict[int, Slice] = {}

    def encode(self, owner: str) -> bytes:
        """With version and seal in front; the owner is the app, and the bucket's number."""
        body = msgspec.msgpack.encode(self)
        return _VERSION + _seal_of(owner, body).to_bytes(_SEAL_BYTES, "big") + body

    @classmethod
    def decode(cls, owner: str, blob: bytes) -> "Header":
        """The inverse; MisfitError when it is not what was encoded, or another owner's."""
        sealed = _body(blob)
        seal, body = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if int.from_bytes(seal, "big") != _seal_of(owner, body):
            raise MisfitError(f"Spark's state is damaged, or it is not that of {owner}")
        return msgspec.msgpack.decode(body, type=cls)


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
            self._header.slices[number] = Slice(crc32(blob), dict(counts[number]))
        for number in self._loaded.keys() - left.keys():
            if number in self._header.slices:
                self._state.drop(number)
                del self._header.slices[number]
        return _total(one.open for one in self._header.slices.values())

    def _load(self, number: int) -> None:
        if number in self._loaded:
            return
        self._loaded[number] = b""
        if number in self._header.slices:
            blob = self._loaded[number] = self._state.load(number)
            if crc32(blob) != self._header.slices[number].seal:
                raise MisfitError(f"slice {number} of Spark's state is not as the header knows it")
            for story in self._decoder.decode(_body(blob)):
                self._stage.restore(_key(self._stage, story), story)


def _seal_of(owner: str, body: bytes) -> int:
    return crc32(body, crc32(owner.encode()))


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
