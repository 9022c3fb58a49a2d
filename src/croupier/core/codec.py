"""Records to bytes and back: old ones for ever, newer ones refused."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import msgspec

from croupier.core.open_trials import OpenTrials
from croupier.core.records import (
    ArmSet,
    Decision,
    Declaration,
    Event,
    Funnel,
    Imported,
    Marker,
    Observation,
    Record,
    Refill,
    Tick,
    TimedObservation,
)
from croupier.core.snapshot import Snapshot

AnyRecord = (
    Decision
    | Event
    | Tick
    | Marker
    | Funnel
    | Observation
    | TimedObservation
    | Imported
    | Declaration
    | ArmSet
    | Refill
    | OpenTrials
)
"""Whatever a topic may hold, but for snapshots."""

_ENCODER = msgspec.msgpack.Encoder()
_MANY = msgspec.msgpack.Decoder(list[AnyRecord | Snapshot])
_TYPES: dict[str, type[Record]] = {
    str(record.__struct_config__.tag): record for record in (*get_args(AnyRecord), Snapshot)
}


class UnreadableRecordError(ValueError):
    """A record that this version cannot read: a newer writer's, or damaged."""


def encode(record: Record) -> bytes:
    r"""One record as MessagePack, a map tagged with its type.

    >>> from croupier.core.records import Tick
    >>> encode(Tick())
    b'\x81\xa4type\xa4tick'
    """
    inner = getattr(record, "decision", None)
    if record.extra is None and (inner is None or inner.extra is None):
        return _ENCODER.encode(record)
    return _ENCODER.encode(_flat(msgspec.to_builtins(record, builtin_types=(bytes,))))


def join(encoded: Sequence[bytes]) -> bytes:
    """Encoded records as one payload, a MessagePack array, the form in which a log keeps them."""
    return b"\xdd" + len(encoded).to_bytes(4, "big") + b"".join(encoded)


def decode_many(payload: bytes) -> list[Any]:
    """The records of one payload.

    Raises UnreadableRecordError for damaged bytes, an unknown type, or a version newer than ours.

    >>> from croupier.core.records import Tick
    >>> decode_many(join([encode(Tick())]))
    [Tick(v=1, extra=None)]
    """
    try:
        records: list[Any] = _MANY.decode(payload)
    except msgspec.ValidationError:
        return [_decode_carefully(fields) for fields in _untyped(payload)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRecordError(f"damaged payload: {error}") from error
    for record in records:
        inner = getattr(record, "decision", record)
        if record.v > record.VERSION or inner.v > inner.VERSION:
            newer = record if record.v > record.VERSION else inner
            _refuse_newer(type(newer), newer.v)
    return records


def may_hold(payload: bytes, kind: type[Record]) -> bool:
    """Whether a payload can hold a record of this type, without decoding it; never wrongly False.

    >>> from croupier.core.records import Imported, Tick
    >>> payload = join([encode(Tick())])
    >>> may_hold(payload, Tick), may_hold(payload, Imported)
    (True, False)
    """
    tag = msgspec.msgpack.encode(str(kind.__struct_config__.tag))
    return msgspec.msgpack.encode("type") + tag in payload


def decode(encoded: bytes) -> Any:
    """The record of one encoding; errors as for `decode_many`."""
    return decode_many(join([encoded]))[0]


def decode_all(payloads: Iterable[bytes]) -> Iterable[Any]:
    """The records of many payloads, in order."""
    for payload in payloads:
        yield from decode_many(payload)


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as their writer wrote them: what we kept as extra stands beside the rest again."""
    extra: dict[str, Any] = fields.pop("extra", {})
    if "decision" in fields:
        fields["decision"] = _flat(fields["decision"])
    return fields | extra


def _untyped(payload: bytes) -> list[Any]:
    try:
        found = msgspec.msgpack.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRecordError(f"damaged payload: {error}") from error
    if not isinstance(found, list):
        raise UnreadableRecordError("damaged payload: expected an array of records")
    return found


def _refuse_newer(record: type[Record], version: object) -> None:
    raise UnreadableRecordError(
        f"{record.__struct_config__.tag} record of version {version}: this reader knows versions "
        f"up to {record.VERSION}; upgrade Croupier before it reads this log"
    )


def _decode_carefully(fields: Any) -> Record:
    """One record, field by field: what we do not know is kept, what we cannot know is refused."""
    if not isinstance(fields, dict):
        raise UnreadableRecordError(f"damaged record: expected a map, got {fields!r:.80}")
    kind = _TYPES.get(str(fields.get("type")))
    if kind is None:
        raise UnreadableRecordError(
            f"unknown record type {fields.get('type')!r}; upgrade Croupier before it reads this log"
        )
    version = fields.get("v", 1)
    if isinstance(version, int) and version > kind.VERSION:
        _refuse_newer(kind, version)
    known = {*kind.__struct_fields__, "type"} - {"extra"}
    ours = {name: value for name, value in fields.items() if name in known}
    extra = {name: value for name, value in fields.items() if name not in known}
    told = ours.get("decision")
    inner = _decode_carefully(told) if isinstance(told, dict) else None
    if inner is not None:
        plain = msgspec.structs.replace(inner, extra=None)
        ours["decision"] = msgspec.to_builtins(plain, builtin_types=(bytes,))
    try:
        record = msgspec.convert(ours | ({"extra": extra} if extra else {}), kind)
    except msgspec.ValidationError as error:
        raise UnreadableRecordError(f"damaged {fields['type']} record: {error}") from error
    return record if inner is None else msgspec.structs.replace(record, decision=inner)
