"""Kafka's own promises: partitions, stamps from any start, topics as declared, bad brokers."""

import ctypes
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from croupier.adapters.kafka import Cluster, KafkaLog
from croupier.adapters.memory import MemoryLog
from croupier.core import codec
from croupier.core.records import Tick
from croupier.ports import (
    ARMS,
    EVENTS,
    FUNNELS,
    Entry,
    EventLog,
    Positions,
    UnavailableError,
    UnusableError,
    partition_of,
)
from tests.adapters.backends import START, kafka, unique
from tests.adapters.test_event_log import everything, numbers, record
from tests.laws.streams import HandClock
from tests.services.fixtures import URLS, Running, provide
from tests.services.servers import Kafka
from tests.services.service import Service

PARTS = 3
TICK = codec.encode(Tick())
services = pytest.mark.services


@pytest.fixture
def address(running: Running) -> str:
    provide(Kafka, running)
    return URLS[Kafka].removeprefix("kafka://")


@pytest.fixture(params=["memory", pytest.param("kafka", marks=services)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    """A log of several partitions."""
    if request.param == "memory":
        yield MemoryLog(HandClock(START), PARTS)
    else:
        request.getfixturevalue("address")
        one = kafka(tmp_path, PARTS)
        yield one
        one.close()


def raw(address: str, topic: str, stamps: Sequence[int], partition: int = 0) -> None:
    """Messages whose stamps are made up, as by a broker whose clock goes where it likes."""
    admin = AdminClient({"bootstrap.servers": address})
    for kind in ("CreateTime", "LogAppendTime"):
        change = ConfigEntry(
            "message.timestamp.type", kind, incremental_operation=AlterConfigOpType.SET
        )
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])
        admin.incremental_alter_configs([resource])[resource].result(10)
        if kind == "CreateTime":
            producer = Producer({"bootstrap.servers": address, "linger.ms": 0})
            for number, stamp in enumerate(stamps):
                payload = codec.join([record(number)])
                producer.produce(topic, payload, timestamp=stamp, partition=partition)
                producer.flush(10)


# --- partitions -----------------------------------------------------------------------------------


def test_records_of_a_key_are_in_its_partition_in_order(log: EventLog) -> None:
    keys = [b"unit-%d" % (number * 7 % 30) for number in range(60)]
    for start in range(0, 60, 20):
        part = range(start, start + 20)
        log.append(EVENTS, [record(n) for n in part], [keys[n] for n in part]).result(10)
    found: dict[int, list[int]] = {}
    for entry in everything(log):
        found.setdefault(entry.partition, []).extend(numbers([entry]))
    assert found == {
        partition: [n for n in range(60) if partition_of(keys[n], PARTS) == partition]
        for partition in range(PARTS)
    }
    assert log.ends(EVENTS) == dict.fromkeys(range(PARTS), 3)


def test_only_the_partitions_that_are_named_are_read(log: EventLog) -> None:
    log.append(EVENTS, [record(5)]).result(10)
    assert [entry.partition for entry in log.read(EVENTS, {1: 0}, 10)] == [1]
    assert len(log.read(EVENTS, {}, 10)) == PARTS


def test_a_record_without_a_key_is_in_every_partition(log: EventLog) -> None:
    log.append(EVENTS, [record(5)]).result(10)
    assert sorted(entry.partition for entry in everything(log)) == list(range(PARTS))
    assert log.ends(EVENTS) == dict.fromkeys(range(PARTS), 1)


def test_the_history_of_arms_has_one_partition(log: EventLog) -> None:
    log.append(ARMS, [record(1), record(2)]).result(10)
    assert log.ends(ARMS) == {0: 1}


def test_positions_and_trimming_are_by_partition(log: EventLog) -> None:
    key = next(b"%d" % n for n in range(99) if partition_of(b"%d" % n, PARTS) == 1)
    log.append(EVENTS, [TICK]).result(10)
    middle = log.append(EVENTS, [record(1)], [key]).result(10)
    log.append(EVENTS, [record(2)], [key]).result(10)
    assert log.ends(EVENTS) == {0: 1, 1: 3, 2: 1}
    assert numbers(log.read(EVENTS, {0: 1, 1: 2, 2: 1}, 10)) == [2]
    assert log.since(EVENTS, middle * 2) == log.ends(EVENTS)
    log.trim(EVENTS, middle * 2)
    assert log.ends(EVENTS) == log.since(EVENTS, 0) == {0: 1, 1: 3, 2: 1}
    assert everything(log) == []


def test_keys_and_records_must_be_as_many(log: EventLog) -> None:
    with pytest.raises(ValueError, match="shorter"):
        log.append(EVENTS, [TICK, TICK], [b"a"])
    assert everything(log) == []


# --- stamps that go back --------------------------------------------------------------------------

WALK = [50, 20, 20, 70, 10, 69, 70, 5, 90, 30, 89, 90, 91, 40]


@services
def test_stamps_never_go_back_wherever_reading_starts(address: str, tmp_path: Path) -> None:
    """What an entry's stamp is must not depend on the reader: its story closes once."""
    one = kafka(tmp_path)
    stamps = [START + step for step in WALK]
    raw(address, f"{unique(tmp_path)}.{EVENTS}", stamps)
    told = list(accumulate(stamps, max))
    for start in range(len(WALK)):
        found = one.read(EVENTS, {0: start}, 100)
        assert [entry.stamp for entry in found] == told[start:]
        assert [entry.stamp for entry in one.read(EVENTS, {0: start}, 1)] == [told[start]]
    one.close()


@services
def test_since_agrees_with_the_stamps_that_are_read(address: str, tmp_path: Path) -> None:
    one = kafka(tmp_path)
    raw(address, f"{unique(tmp_path)}.{EVENTS}", [START + step for step in WALK])
    told = one.read(EVENTS, {}, 100)
    for wanted in range(START, START + 93):
        first = next((entry.offset for entry in told if entry.stamp >= wanted), len(WALK))
        assert one.since(EVENTS, wanted) == {0: first}
    assert one.trim(EVENTS, START + 80) == 8
    assert one.read(EVENTS, {}, 100) == told[8:]
    one.close()


@services
def test_since_finds_the_first_of_equal_stamps_in_large_batches(
    address: str, tmp_path: Path
) -> None:
    """Beyond one interval of Kafka's time index, many messages to a stamp."""
    one = kafka(tmp_path)
    padding = codec.encode(Tick(extra={"padding": "x" * 3_000}))
    futures = [one.append(EVENTS, [padding]) for _ in range(300)]
    assert max(future.result(10) for future in futures)
    told: list[Entry] = everything(one, 1000)
    assert len(told) == 300
    for stamp in sorted({entry.stamp for entry in told}):
        first = next(entry.offset for entry in told if entry.stamp >= stamp)
        assert one.since(EVENTS, stamp) == {0: first}
    one.close()


# --- topics as declared ---------------------------------------------------------------------------


@services
def test_another_number_of_partitions_is_refused(address: str, tmp_path: Path) -> None:
    kafka(tmp_path, 2).close()
    with pytest.raises(UnusableError, match="has 2 partitions, 3 are declared"):
        kafka(tmp_path, 3)
    kafka(tmp_path, 2).close()


@services
def test_a_topic_that_its_clients_stamp_is_refused(address: str, tmp_path: Path) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    name = f"{unique(tmp_path)}.{EVENTS}"
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
    with pytest.raises(UnusableError, match=r"timestamp\.type is CreateTime, it must be LogApp"):
        kafka(tmp_path)


@services
def test_for_reading_only_nothing_is_made(address: str, tmp_path: Path) -> None:
    cluster = Cluster(address, unique(tmp_path))
    with pytest.raises(UnusableError, match="Unknown topic"):
        KafkaLog(cluster, read_only=True)


def test_a_broker_that_is_not_there_is_unavailable(free_address: str) -> None:
    with pytest.raises(UnavailableError, match="kafka 127"):
        KafkaLog(Cluster(free_address, "croupier", patience=0.5))


@pytest.fixture
def free_address() -> str:
    from tests.services.service import free_port

    return f"127.0.0.1:{free_port()}"


# --- sizes ----------------------------------------------------------------------------------------


@services
def test_large_batches_are_several_entries_and_a_record_too_large_for_one_is_refused(
    address: str, tmp_path: Path
) -> None:
    one = kafka(tmp_path)
    records = [codec.encode(Tick(extra={"number": n, "pad": "x" * 99_000})) for n in range(20)]
    one.append(EVENTS, records, [b"k"] * 20).result(10)
    found = everything(one)
    assert numbers(found) == list(range(20))
    assert 1 < len(found) < 20
    with pytest.raises(ValueError, match="a record of"):
        one.append(EVENTS, [b"x" * (9 << 20)])
    large = codec.encode(Tick(extra={"number": 77, "pad": "x" * (7 << 20)}))
    one.append(EVENTS, [large]).result(10)
    assert numbers(everything(one))[-1] == 77
    one.close()


# --- a bad broker ---------------------------------------------------------------------------------


@pytest.fixture
def broker(running: Running) -> Iterator[Service]:
    """Ours, to be stopped, paused and killed; running again afterwards."""
    one = running(Kafka)
    yield one
    one.resume()
    one.start()


@pytest.fixture
def impatient(broker: Service, tmp_path: Path) -> Iterator[KafkaLog]:
    one = KafkaLog(Cluster(f"127.0.0.1:{broker.port}", unique(tmp_path), 1, patience=3.0))
    yield one
    one.close()


def once_more(log: KafkaLog, last: bytes) -> list[Entry]:
    """Append this, and read everything, as one does who tries again while it is unavailable."""
    for _ in range(99):
        with suppress(UnavailableError):
            log.append(EVENTS, [last]).result(20)
            return everything(log)
        time.sleep(0.1)
    raise AssertionError("unavailable for good")


@services
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_broker_that_ends_and_comes_back_has_what_it_acknowledged(
    broker: Service, impatient: KafkaLog, end: signal.Signals
) -> None:
    """What was refused may be there, too: it is appended again, and every fold takes it once."""
    acknowledged, number = [], 0
    for number in range(99):
        impatient.append(EVENTS, [record(number)]).result(10)
        acknowledged.append(number)
    under_way = [(n, impatient.append(EVENTS, [record(n)])) for n in range(20, 60)]
    if end == signal.SIGKILL:
        broker.kill()
    else:
        broker.stop()
    acknowledged += [n for n, future in under_way if future.exception(10) is None]
    assert isinstance(impatient.append(EVENTS, [TICK]).exception(10), UnavailableError)
    with pytest.raises(UnavailableError):
        impatient.ends(EVENTS)
    with pytest.raises(UnavailableError):
        impatient.read(EVENTS, {}, 10)
    broker.start()
    found = [
        one.extra["number"]
        for one in codec.decode_all(entry.payload for entry in once_more(impatient, record(99)))
        if one.extra
    ]
    assert set(acknowledged) <= set(found)
    assert found[-1] == 99
    assert [n for n in found if n in acknowledged] == acknowledged


@services
def test_a_broker_that_hangs_is_unavailable_and_nothing_is_lost_when_it_goes_on(
    broker: Service, impatient: KafkaLog
) -> None:
    impatient.append(EVENTS, [record(1)]).result(10)
    assert numbers(everything(impatient)) == [1]
    broker.pause()
    hanging = impatient.append(EVENTS, [TICK])
    assert isinstance(hanging.exception(10), UnavailableError)
    with pytest.raises(UnavailableError):
        impatient.since(EVENTS, 0)
    with pytest.raises(UnavailableError):
        impatient.read(EVENTS, {}, 10)
    broker.resume()
    kept = [entry for entry in once_more(impatient, record(2)) if b"number" in entry.payload]
    assert numbers(kept[:1] + kept[-1:]) == [1, 2]


@services
def test_what_waits_for_a_broker_is_bounded(broker: Service, impatient: KafkaLog) -> None:
    broker.pause()
    large = codec.encode(Tick(extra={"pad": "x" * 500_000}))
    futures = [impatient.append(EVENTS, [large]) for _ in range(200)]
    reasons = [str(future.exception(10)) for future in futures]
    assert any("too much is waiting" in reason for reason in reasons)
    broker.resume()


def _fatal_error_in(producer: object) -> None:
    """librdkafka's own function for tests of it, on the handle behind confluent-kafka's object."""
    libraries = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(libraries.glob("librdkafka*"))))
    library.rd_kafka_test_fatal_error.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    handle = ctypes.c_void_p.from_address(id(producer) + object.__basicsize__).value
    assert library.rd_kafka_test_fatal_error(handle, 45, b"out of order") == 0


@services
def test_after_a_fatal_error_there_is_another_producer(
    broker: Service, impatient: KafkaLog
) -> None:
    """What was under way has ended, however it did; what comes later is taken."""
    line = impatient._appender._line
    broker.pause()
    hanging = impatient.append(EVENTS, [record(1)])
    _fatal_error_in(line._producer)
    assert hanging.exception(10) is not None
    broker.resume()
    kept = once_more(impatient, record(2))
    assert impatient._appender._line is not line
    assert numbers(kept)[-1:] == [2]


@services
def test_a_position_beyond_the_end_is_no_silence(broker: Service, impatient: KafkaLog) -> None:
    """The log was made anew, or has lost entries: whoever reads it must not wait for ever."""
    impatient.append(EVENTS, [TICK]).result(10)
    beyond: Positions = {0: 7}
    with pytest.raises(UnavailableError, match="ends at 1, we stand at 7"):
        impatient.read(EVENTS, beyond, 10)
    assert impatient.read(FUNNELS, {}, 10) == []


@services
def test_a_closed_log_says_so(address: str, tmp_path: Path) -> None:
    one = kafka(tmp_path)
    one.close()
    one.close()
    assert isinstance(one.append(EVENTS, [TICK]).exception(1), UnavailableError)
