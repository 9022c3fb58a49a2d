"""Published snapshots in Redis: put in one piece, told to whoever waits."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from croupier.adapters.redis.keys import Keys
from croupier.adapters.redis.scripts import NEWER, PUT, RECOUNT, TRIM
from croupier.core import codec
from croupier.core.duration import DAY
from croupier.core.reward import MICRO
from croupier.core.snapshot import Snapshot
from croupier.ports import Published, Tally, UnavailableError

_KEPT = 100
_EXPIRY = 7 * DAY
_LISTEN_SECONDS = 1.0


class RedisSnapshots:
    """SnapshotCache over one Redis server (its scripts make up keys: not over Redis Cluster).

    Redis may be flushed: then nothing is there, and an earlier version could be put. So version
    numbers must be at home elsewhere; `newer` never gives a reader less than it holds.
    """

    def __init__(
        self, url: str, prefix: str = "croupier", *, kept: int = _KEPT, patience: float = 2.0
    ) -> None:
        self.keys, self._kept, self._url = Keys(prefix), kept, url
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 1),  # a connection from before the server's restart
        )
        self._put = self._redis.register_script(PUT)
        self._recount = self._redis.register_script(RECOUNT)
        self._newer = self._redis.register_script(NEWER)
        self._trim = self._redis.register_script(TRIM)
        self._ear = threading.Lock()
        self._heard: Any = None

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:
        """Publish, and tell; False, and no effect, when this or a later version is there."""
        name, keys = snapshot.experiment, self.keys
        places = [keys.versions, keys.snapshot(name), keys.history(name)]
        given: list[Any] = [name, snapshot.version, snapshot.at, codec.encode(snapshot)]
        given += [self._kept, keys.published, _EXPIRY]
        if tally is not None:
            places += self._counted(snapshot, tally)
            given += _fields(snapshot, tally)
        with self._answering():
            return bool(self._put(keys=places, args=given))

    def recount(self, published: Published) -> bool:
        """Put the counts of this version again where some were lost or are about to expire."""
        snapshot, tally = published
        places = [self.keys.versions, *self._counted(snapshot, tally)]
        given: list[Any] = [snapshot.experiment, snapshot.version, snapshot.at, _EXPIRY]
        with self._answering():
            return bool(self._recount(keys=places, args=[*given, *_fields(snapshot, tally)]))

    def _counted(self, snapshot: Snapshot, tally: Tally) -> list[str]:
        surface, name = tally.surface, snapshot.experiment
        arms = [self.keys.arm(surface, name, arm) for arm in snapshot.names]
        return [self.keys.drawn(surface, name), *arms]

    def latest(self, experiment: str) -> Snapshot | None:
        """The newest snapshot of an experiment."""
        with self._answering():
            payload = self._redis.get(self.keys.snapshot(experiment))
        return None if payload is None else codec.decode(payload)  # type: ignore[arg-type]

    def newer(self, held: Mapping[str, int], wait: float = 0.0) -> list[Snapshot]:
        """The newest of each experiment, where it is above the version held: one round trip."""
        end = time.monotonic() + wait
        with self._answering():
            while True:
                if wait > 0:
                    self._listen()
                arguments = [part for one in held.items() for part in one]
                found = self._newer(keys=[self.keys.versions], args=[self.keys.prefix, *arguments])
                left = end - time.monotonic()
                if found or left <= 0:
                    return [codec.decode(payload) for payload in found]
                self._hear(left)

    def declare(self, records: Mapping[str, bytes]) -> None:
        """Tell what is declared now, by experiment, to readers that have no log; all or nothing."""
        with self._answering():
            if records:
                self._redis.hset(self.keys.declared, mapping=dict(records))  # type: ignore[arg-type]

    def declared(self) -> dict[str, bytes]:
        """What was told last; empty after a flush, until it is told again."""
        with self._answering():
            found: Any = self._redis.hgetall(self.keys.declared)
        return {name.decode(): records for name, records in found.items()}

    def history(self, experiment: str, limit: int, before: int | None = None) -> list[Snapshot]:
        """The newest `limit` snapshots that are kept, oldest first."""
        if limit < 1:
            return []
        least = "+inf" if before is None else f"({before}"
        with self._answering():
            members: Any = self._redis.zrevrangebyscore(
                self.keys.history(experiment), least, "-inf", start=0, num=limit
            )
        return [codec.decode(member.partition(b"|")[2]) for member in members][::-1]

    def trim(self, at: int) -> int:
        """Drop snapshots published before `at`, but never the newest of an experiment."""
        with self._answering():
            names: Any = self._redis.hkeys(self.keys.versions)
            places = [self.keys.history(name.decode()) for name in names]
            return int(self._trim(keys=places, args=[at])) if places else 0

    def close(self) -> None:
        """Let go of the connections."""
        with self._ear:
            if self._heard is not None:
                self._heard.close()
        self._redis.close()

    # --- waiting ----------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Be told from now on: before looking, so that nothing falls between."""
        with self._ear:
            if self._heard is None:
                heard = self._redis.pubsub()  # type: ignore[no-untyped-call]
                heard.subscribe(self.keys.published)
                heard.get_message(timeout=_LISTEN_SECONDS)  # the answer to the subscription
                self._heard = heard

    def _hear(self, seconds: float) -> None:
        """Wait for a publication, a while at most: what was missed is seen by looking."""
        with self._ear:
            if self._heard is not None:
                self._heard.get_message(timeout=min(seconds, _LISTEN_SECONDS))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            with self._ear:
                if self._heard is not None:
                    self._heard.close()
                    self._heard = None
            raise UnavailableError(f"redis: {str(error) or type(error).__name__}") from error


def _fields(snapshot: Snapshot, tally: Tally) -> list[str]:
    """n, reward_sum, mean and weight of each arm, as text."""
    fields: list[str] = []
    for n, total, weight in zip(tally.n, tally.reward, snapshot.weights, strict=True):
        reward = total / MICRO
        fields += [str(n), repr(reward), repr(reward / n if n else 0.0), repr(weight)]
    return fields
