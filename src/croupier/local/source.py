"""Where decisions in process are read from: a data file, or Redis."""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from croupier.config.backends import Backends, data_file, open_backends
from croupier.config.keys import Keys, read_keys
from croupier.config.services import is_cache, open_cache
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.snapshot import Snapshot
from croupier.ports import ARMS, UnavailableError
from croupier.runners.declare import read_declarations

_BREATH = 0.05
DEFAULT_KEYS = Path("croupier.keys")


class Source(Protocol):
    """What a server or learner has published, as of now."""

    lasting: bool
    """Whether it may be kept open for ever, also after it could not answer."""
    world: Backends

    def keys(self, environment: Mapping[str, str]) -> Keys:
        """The keys that the servers have."""

    def stamp(self) -> object:
        """Something that differs when declarations have changed."""

    def declarations(self) -> Declarations:
        """What was declared, at that stamp."""

    def snapshots(self, names: Iterable[str], held: Mapping[str, int]) -> list[Snapshot]:
        """The newest snapshots; those of versions that are held may be left out."""

    def rest(self, stop: threading.Event, held: Mapping[str, int], seconds: float) -> None:
        """Return after so many seconds, or when it is told to stop, or when there is news."""

    def close(self) -> None:
        """Let go of it."""


class FileSource:
    """The data file of `croupier up`, with the keys beside it."""

    lasting = False  # it may be put back from a backup while we hold the old one

    def __init__(self, url: str) -> None:
        self._url, self.world = url, open_backends(url, read_only=True)

    def keys(self, environment: Mapping[str, str]) -> Keys:
        """Beside the file, or in the environment."""
        return read_keys(self._url, environment)

    def stamp(self) -> object:
        """The end of the history."""
        return self.world.log.ends(ARMS)

    def declarations(self) -> Declarations:
        """The whole history."""
        return read_declarations(self.world.log)

    def snapshots(self, names: Iterable[str], held: Mapping[str, int]) -> list[Snapshot]:  # noqa: ARG002
        """The newest of each."""
        found = map(self.world.cache.latest, names)
        return [snapshot for snapshot in found if snapshot is not None]

    def rest(self, stop: threading.Event, held: Mapping[str, int], seconds: float) -> None:  # noqa: ARG002
        """Nobody tells of news in a file."""
        stop.wait(seconds)

    def close(self) -> None:
        """Close the file."""
        self.world.close()


class CacheSource:
    """Redis, where `learn` publishes; what it has lost is kept here."""

    lasting = True

    def __init__(self, url: str, keys: Path, known: object) -> None:
        self._cache, self._keys_file = open_cache(url), keys
        self.world = open_backends("memory://")
        self._known: dict[str, bytes] = dict(known) if isinstance(known, dict) else {}

    def keys(self, environment: Mapping[str, str]) -> Keys:
        """In the environment, or in the file that the servers share."""
        return read_keys(self._keys_file, environment)

    def stamp(self) -> object:
        """All that was ever found declared; a cache that was flushed takes nothing away."""
        self._known = self._known | self._cache.declared()
        return self._known

    def declarations(self) -> Declarations:
        """Of each experiment its newest version and arms: all that deciding needs."""
        book = Declarations()
        for record in codec.decode_all(self._known.values()):
            book.apply(record)
        return book

    def snapshots(self, names: Iterable[str], held: Mapping[str, int]) -> list[Snapshot]:
        """Those that are newer than what is held, of experiments that are declared."""
        declared = set(names)
        return [one for one in self._cache.newer(held) if one.experiment in declared]

    def rest(self, stop: threading.Event, held: Mapping[str, int], seconds: float) -> None:
        """Until something is published, at most so long."""
        try:
            if self._cache.newer(held, seconds):
                stop.wait(_BREATH)  # it may be of an experiment that is not declared yet
        except UnavailableError:
            stop.wait(seconds)

    def close(self) -> None:
        """Let go of the connections."""
        self._cache.close()


def check_source(url: str) -> None:
    """ConfigError when a URL can name no source."""
    if not is_cache(url):
        data_file(url)


def open_source(url: str, keys: Path, known: object) -> Source:
    """What the URL names; `known` is the last stamp of a source before this one, if any."""
    return CacheSource(url, keys, known) if is_cache(url) else FileSource(url)
