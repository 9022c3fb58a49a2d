"""What the distributed benchmarks read: events of decisions, on Kafka, as ours and as JSON."""

import json
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice

from confluent_kafka import Producer

from benchmarks.table import BATCH, decision, events
from croupier.core import codec
from croupier.core.experiment import Experiment
from croupier.core.records import Event, Tick
from croupier.ports import EVENTS, EventLog, partition_of

UNDER_WAY = 200
TICK = codec.encode(Tick())


def wall() -> int:
    """Milliseconds of now."""
    return int(time.time() * 1000)


def batches(
    spec: Experiment, decisions: int, now: Callable[[], int] = wall, size: int = BATCH
) -> Iterator[list[Event]]:
    """`size` events at once, as the doors write them, of decisions made `now`.

    Tracking ids are as random as real ones: a counter would compress well.
    """
    dice = random.Random(11)
    made = (decision(spec, dice, now(), dice.getrandbits(72)) for _ in range(decisions))
    source = events(spec, made)
    while batch := list(islice(source, size)):
        yield batch


def tell(log: EventLog, some: Iterable[list[Event]]) -> int:
    """Append them, an append each; how many events."""
    sent, under_way = 0, deque[Future[int]]()
    for batch in some:
        keys = [event.decision.tracking_id for event in batch]
        under_way.append(log.append(EVENTS, list(map(codec.encode, batch)), keys))
        sent += len(batch)
        if len(under_way) > UNDER_WAY:
            under_way.popleft().result()
    for future in under_way:
        future.result()
    return sent


def let_pass(log: EventLog, until: int) -> None:
    """Wait until log time is past `until`, and say so on every partition."""
    time.sleep(max(0, until + 500 - wall()) / 1000)
    log.append(EVENTS, [TICK]).result()


def tell_json(servers: str, topic: str, partitions: int, some: Iterable[list[Event]]) -> None:
    """The same events in as many messages, each a JSON array: what Spark reads by itself."""
    producer = Producer({"bootstrap.servers": servers, "compression.type": "lz4"})
    for batch in some:
        shares = defaultdict(list)
        for event in batch:
            shares[partition_of(event.decision.tracking_id, partitions)].append(plain(event))
        for partition, share in shares.items():
            producer.produce(topic, json.dumps(share).encode(), partition=partition)
        producer.poll(0)
    producer.flush()


def plain(event: Event) -> dict[str, object]:
    """An event as a team without us would write it."""
    made = event.decision
    return {
        "id": made.tracking_id.hex(),
        "experiment": made.experiment,
        "unit": made.unit.hex(),
        "arm": made.slate[0],
        "propensity": made.propensities[0],
        "kind": event.kind,
        "at": event.at,
        "event": event.id,
    }
