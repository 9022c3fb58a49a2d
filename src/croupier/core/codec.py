"""Records to bytes and back: old ones for ever, newer ones refused."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import msgspec

from croupier.core.records import AnyRecord, Record

_ENCODER = msgspec.msgpack.Encoder()
_MANY = msgspec.msgpack.Decoder(list[AnyRecord])
_TYPES: dict[str, type[Record]] = {
    str(record.__struct_config__.tag): record for record in get_args(AnyRecord)
}


class UnreadableRecordError(ValueError):
    """A record that this version cannot read: a newer writer's, or damaged."""


def encode(record: Record) -> bytes:
    r"""One record as MessagePack, a map tagged with its type.

    >>> from croupier.core.records import Tick
    >>> encode(Tick())
    b'\x81\xa4type\xa4tick'
    """
    if record.extra is None:
        return _ENCODER.encode(record)
    fields = msgspec.to_builtins(record, builtin_types=(bytes,))
    return _ENCODER.encode(fields | fields.pop("extra"))


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
        records = _MANY.decode(payload)
    except msgspec.ValidationError:
        return [_decode_carefully(fields) for fields in msgspec.msgpack.decode(payload)]
    except msgspec.DecodeError as error:
        raise UnreadableRecordError(f"damaged payload: {error}") from error
    for record in records:
        if record.v > record.VERSION:
            _refuse_newer(type(record), record.v)
    return list(records)


def decode(encoded: bytes) -> Any:
    """The record of one encoding; errors as for `decode_many`."""
    return decode_many(join([encoded]))[0]


def decode_all(payloads: Iterable[bytes]) -> Iterable[Any]:
    """The records of many payloads, in order."""
    for payload in payloads:
        yield from decode_many(payload)


def _refuse_newer(record: type[Record], version: int) -> None:
    raise UnreadableRecordError(
        f"{record.__struct_config__.tag} record of version {version}: this reader knows versions "
        f"up to {record.VERSION}; upgrade Croupier before it reads this log"
    )


def _decode_carefully(fields: dict[str, Any]) -> Record:
    record = _TYPES.get(fields.get("type", ""))
    if record is None:
        raise UnreadableRecordError(
            f"unknown record type {fields.get('type')!r}; upgrade Croupier before it reads this log"
        )
    version = fields.get("v", 1)
    if version > record.VERSION:
        _refuse_newer(record, version)
    known = {*record.__struct_fields__, "type"}
    extra = {name: value for name, value in fields.items() if name not in known}
    try:
        return msgspec.convert(
            {name: value for name, value in fields.items() if name in known}
            | ({"extra": extra} if extra else {}),
            record,
        )
    except msgspec.ValidationError as error:
        raise UnreadableRecordError(f"damaged {fields['type']} record: {error}") from error
