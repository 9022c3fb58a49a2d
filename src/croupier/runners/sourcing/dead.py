"""A record that cannot be used, as its dead letter."""

from croupier.core.sources.declared import Source
from croupier.core.sources.reading import Refusal
from croupier.ports import DeadLetter, TopicRecord

MOST_BYTES = 512 << 10
"""A longer record is cut: any topic takes a letter of this length. The whole is in the source."""
_MOST_REASON = 1_000


def dead_letter(source: Source, record: TopicRecord, refused: list[Refusal]) -> DeadLetter:
    """The record's bytes as they are; source, place and the first reason in headers.

    >>> source = Source("orders", "shop.orders", "purchase", token="t")
    >>> one = dead_letter(source, TopicRecord(0, 7, 5, b"{"), [Refusal("malformed", "not JSON")])
    >>> one.key, one.value, one.headers[-3:-1]
    (b'orders/0/7', b'{', (('croupier.code', b'malformed'), ('croupier.reason', b'not JSON')))
    """
    value, first = record.value or b"", refused[0]
    told = {
        "source": source.name,
        "topic": source.topic,
        "partition": record.partition,
        "offset": record.offset,
        "stamp": "" if record.stamp is None else record.stamp,
        "item": first.item,
        "refused": len(refused),
        "bytes": len(value),
        "code": first.code,
        "reason": first.reason[:_MOST_REASON],
        "cut": int(len(value) > MOST_BYTES),
    }
    headers = tuple(
        (f"croupier.{key}", str(one).encode("utf-8", "replace")) for key, one in told.items()
    )
    key = f"{source.name}/{record.partition}/{record.offset}".encode()
    return DeadLetter(key, value[:MOST_BYTES], headers)
