"""Kafka, PostgreSQL and Redis as URLs name them: the distributed backends."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from croupier.adapters.durable import DurableSnapshots
from croupier.adapters.memory import MemorySnapshots
from croupier.clock import Clock
from croupier.config.addresses import scheme, take, whole
from croupier.config.backends import Backends, open_backends
from croupier.config.errors import ConfigError
from croupier.config.extras import extra
from croupier.ports import EventLog, Published, SnapshotCache, StateStore

if TYPE_CHECKING:
    from croupier.adapters.kafka import Cluster, KafkaLog
    from croupier.adapters.postgres import PostgresState
    from croupier.adapters.redis import RedisSnapshots

_CACHES = ("redis", "rediss", "unix")
_LOOK_SECONDS = 10.0
_USED = {"partitions", "replication", "patience"}


class Services(NamedTuple):
    """Where the parts of a distributed ring are.

    `log`: kafka://host:port[,host:port]/prefix?partitions=8. `states`:
    postgresql://user@host/database?schema=croupier. `cache`: redis://host:port/0?prefix=croupier.
    Name and password of Kafka, TLS and the like are librdkafka's own options, behind `?`: every
    key with a dot in it.
    """

    log: str
    states: str
    cache: str


class Stores(NamedTuple):
    """What the processes of a distributed ring need of the world.

    `states` gives each scope (an app, or its share of the partitions) positions of its own. `cache`
    is where snapshots are published and kept, `front` where servers look; `declare` tells what is
    declared to those who read there only, and the names of arms beside the states; `mend` puts
    there again what it has lost. `hold` makes this process the only one with these scopes, or
    raises UnavailableError while another is; `close` lets go of everything.
    """

    clock: Clock
    log: EventLog
    states: Callable[[str], StateStore]
    cache: SnapshotCache
    front: SnapshotCache
    declare: Callable[[Mapping[str, bytes]], object] = lambda _: None
    mend: Callable[[Iterable[Published]], object] = lambda _: None
    hold: Callable[[Collection[str]], object] = lambda _: None
    close: Callable[[], None] = lambda: None


def open_stores(services: Services, *, read_only: bool = False) -> Stores:
    """The stores of one process.

    Raises ConfigError for a wrong URL or a missing extra, UnusableError for what is not ours.
    """
    with extra("postgres", "psycopg"):
        from croupier.adapters.postgres import (  # noqa: PLC0415 - an extra
            ArmNames,
            Database,
            PostgresSnapshots,
            PostgresState,
        )
    scheme(services.states, "states", "postgresql", "postgres")
    address, schema = take(services.states, "schema")
    with ExitStack() as opened:
        database = opened.enter_context(closing(Database(address, schema, read_only=read_only)))
        front = opened.enter_context(closing(open_cache(services.cache)))
        log = opened.enter_context(closing(open_log(services.log, read_only=read_only)))
        cache, names = DurableSnapshots(PostgresSnapshots(database), front), ArmNames(database)

        def declare(records: Mapping[str, bytes]) -> None:
            names.declare(records)
            front.declare(records)

        return Stores(
            Clock(),
            log,
            lambda scope: PostgresState(database, scope),
            cache,
            front,
            declare,
            cache.mend,
            database.hold,
            opened.pop_all().close,
        )


def open_ring(log: str, states: str, *, read_only: bool = False) -> Stores:
    """Log and arm states, and a cache in memory: for whoever does not ask for snapshots."""
    with extra("postgres", "psycopg"):
        from croupier.adapters.postgres import Database, PostgresState  # noqa: PLC0415 - an extra
    scheme(states, "states", "postgresql", "postgres")
    with ExitStack() as opened:
        place = take(states, "schema")
        database = opened.enter_context(closing(Database(*place, read_only=read_only)))
        kafka = opened.enter_context(closing(open_log(log, read_only=read_only)))
        states_of, cache = partial(PostgresState, database), MemorySnapshots()
        return Stores(
            Clock(),
            kafka,
            states_of,
            cache,
            cache,
            hold=database.hold,
            close=opened.pop_all().close,
        )


def open_reading(log: str, states: str = "") -> Backends:
    """A distributed ring to look at: its log, and PostgreSQL where it is named; never Redis.

    Without `states` all but the log is empty. What is away is told after ten seconds.
    """
    nothing = open_backends("memory://")
    if not states:
        read = open_log(log, read_only=True)
        return nothing._replace(log=read, close=read.close)
    with extra("postgres", "psycopg"):
        from croupier.adapters.postgres import (  # noqa: PLC0415 - an extra
            Database,
            PostgresSnapshots,
            PostgresState,
        )
    scheme(states, "states", "postgresql", "postgres")
    with ExitStack() as opened:
        read = opened.enter_context(closing(open_log(log, read_only=True)))
        database = opened.enter_context(
            closing(Database(*take(states, "schema"), read_only=True, patience=_LOOK_SECONDS))
        )
        learned, cache = PostgresState(database, "learn"), PostgresSnapshots(database)
        return nothing._replace(log=read, states=learned, cache=cache, close=opened.pop_all().close)


def open_states(url: str, scope: str, *, read_only: bool = False) -> "PostgresState":
    """The arm states that a postgresql:// URL names, with the positions of one scope."""
    with extra("postgres", "psycopg"):
        from croupier.adapters.postgres import Database, PostgresState  # noqa: PLC0415 - an extra
    scheme(url, "states", "postgresql", "postgres")
    return PostgresState(Database(*take(url, "schema"), read_only=read_only), scope)


def open_log(url: str, *, read_only: bool = False) -> "KafkaLog":
    """The log that a kafka:// URL names; missing topics are made unless it is read only."""
    with extra("kafka", "confluent_kafka"):
        from croupier.adapters.kafka import KafkaLog  # noqa: PLC0415 - an extra
    return KafkaLog(cluster_of(url), read_only=read_only)


def cluster_of(url: str, what: str = "log") -> "Cluster":
    """The cluster that a kafka:// URL names, and what our topics in it are called."""
    servers, path = scheme(url, what, "kafka")
    with extra("kafka", "confluent_kafka"):
        from croupier.adapters.kafka import Cluster  # noqa: PLC0415 - an extra
    options = dict(parse_qsl(urlsplit(url).query))
    unknown = [key for key in options if key not in _USED and "." not in key]
    if unknown:
        raise ConfigError(f"{what}: {unknown[0]!r}: expected one of {', '.join(sorted(_USED))}")
    if "@" in servers:
        raise ConfigError(f"{what}: kafka:// takes no user; use sasl.username and sasl.password")
    return Cluster(
        servers=servers,
        prefix=path or "croupier",
        partitions=whole(options.get("partitions", "1"), "partitions"),
        replication=whole(options.get("replication", "0"), "replication", 0) or -1,
        patience=whole(options.get("patience", "10"), "patience"),
        options={key: value for key, value in options.items() if key not in _USED},
    )


def open_cache(url: str) -> "RedisSnapshots":
    """The snapshots that a redis:// URL names: all that a server of decisions needs."""
    scheme(url, "cache", *_CACHES)
    with extra("redis", "redis"):
        from croupier.adapters.redis import RedisSnapshots  # noqa: PLC0415 - an extra
    return RedisSnapshots(*take(url, "prefix"))


def is_cache(url: str) -> bool:
    """Whether a URL names a Redis.

    >>> is_cache("redis://127.0.0.1:6379/0"), is_cache("croupier.db")
    (True, False)
    """
    return urlsplit(url).scheme in _CACHES
