"""`[[source]]`: a topic of the company's own, and what its records say to us."""

import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from croupier.core.name import usable_name
from croupier.core.sources.moment import Unit
from croupier.core.sources.path import Field, path_problem

Scalar = bool | int | float | str
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of our names, found in the record: as it stands there, or by a map of theirs to ours."""

    field: Field
    map: dict[str, str] | None = None


class Moment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time in the record; a number counts units since 1970, a text is ISO 8601."""

    field: Field
    unit: Unit = "ms"


class Stated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a decision that was made elsewhere stands in the record, instead of a token."""

    experiment: str | Word
    tracking_id: Field
    decided_at: Field | Moment
    unit: Field
    slate: Field
    propensities: str | tuple[str | float, ...]
    inclusions: Field | None = None
    reason: Field | None = None


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[source]]`. `kind` is a name of ours, or says where it stands; the rest are paths.

    `each` leads to a list, each of whose items is an event. Only records whose fields equal `where`
    are looked at. `id` "none" counts an outcome once a decision, arm and kind; without `id`,
    records are told apart by their place in the topic.
    """

    name: str
    topic: str
    kind: str | Word
    format: Literal["json"] = "json"
    kafka: str = ""
    dead: str = ""
    begin: str = "earliest"
    token: Field | None = None
    decision: Stated | None = None
    each: Field | None = None
    arm: Field | Word | None = None
    slot: Field | None = None
    value: Field | None = None
    id: Field | None = None
    time: Field | Moment | None = None
    where: dict[str, Scalar | list[Scalar]] = {}

    def problems(self) -> Iterator[tuple[str, str]]:
        """Everything that is wrong, as (key, reason).

        >>> [key for key, _ in Source("orders", "shop orders", "purchase", arm="a..b").problems()]
        ['topic', 'token', 'arm']
        """
        if not usable_name(self.name):
            yield "name", "expected 1 to 64 letters, digits, '.', '_' or '-'"
        for key, topic in (("topic", self.topic), ("dead", self.dead or "dead")):
            if not _TOPIC.fullmatch(topic):
                yield key, f"expected the name of a Kafka topic, got {topic!r}"
        if self.dead == self.topic:
            yield "dead", "the dead letters of a topic need another topic"
        if self.begin not in ("earliest", "latest"):
            yield "begin", f"expected earliest or latest, got {self.begin!r}"
        if (self.token is None) == (self.decision is None):
            yield "token", "either token or [source.decision] says which decision it is about"
        if self.arm is not None and self.slot is not None:
            yield "slot", "arm says it already"
        yield from self._kinds()
        yield from self._paths()

    def _kinds(self) -> Iterator[tuple[str, str]]:
        ours = self.kind.map or {} if isinstance(self.kind, Word) else {"": self.kind}
        for kind in ours.values():
            if not usable_name(kind):
                yield "kind", f"expected 1 to 64 letters, digits, '.', '_' or '-', got {kind!r}"

    def _paths(self) -> Iterator[tuple[str, str]]:
        named = msgspec.structs.asdict(self)
        places = {key: named[key] for key in ("token", "each", "arm", "slot", "value", "id")}
        places |= {"kind": self.kind if isinstance(self.kind, Word) else None, "time": self.time}
        if self.decision is not None:
            stated = msgspec.structs.asdict(self.decision)
            if isinstance(self.decision.experiment, str):
                del stated["experiment"]
            places |= {f"decision.{key}": place for key, place in stated.items()}
        for key, place in [*places.items(), *((f"where.{field}", field) for field in self.where)]:
            yield from self._path(key, place)

    def _path(self, key: str, place: Any) -> Iterator[tuple[str, str]]:
        field = place.field if isinstance(place, Word | Moment) else place
        if field is None or (
            field and not isinstance(field, str) and isinstance(field[0], int | float)
        ):
            return
        problem = path_problem(field)
        if problem:
            yield key, f"{problem}, got {field!r}"
        elif (self.each is None or key == "each") and (field[0] in (".", "")):
            yield key, "a path that begins with a dot is of an item: each says where items are"
