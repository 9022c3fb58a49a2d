"""Rows of a file sent to an import door in chunks, and the answers added up."""

import csv
import io
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from croupier.cli.ask import RefusedError, call, place
from croupier.config.errors import ConfigError

_ROWS, _TRIES, _SECONDS, _PAUSE = 500, 5, 30, 0.1


class Chunk(NamedTuple):
    """Rows of one experiment: their numbers in the file, and the CSV that is sent."""

    experiment: str
    numbers: list[int]
    body: bytes


class Change:
    """What an import does to one arm, over all chunks."""

    def __init__(self) -> None:
        self.before: Any = None
        self.after: Any = None
        self._n = self._r = self._more_n = self._more_r = 0.0

    def add(self, told: dict[str, Any]) -> None:
        """What one chunk does to it: trials add up, a status is the last."""
        if "n_before" not in told:
            self.before, self.after = told["before"], told["after"]
            return
        n, r = told["n_before"], told["n_before"] * (told["mean_before"] or 0.0)
        if self.before is None:
            self._n, self._r = n, r
        self._more_n += told["n_after"] - n
        self._more_r += told["n_after"] * (told["mean_after"] or 0.0) - r
        self.before = _estimate(self._n, self._r)
        self.after = _estimate(self._n + self._more_n, self._r + self._more_r)

    def text(self) -> str:
        """Before → after."""
        return f"{_words(self.before)} → {_words(self.after)}"


class Told:
    """What the server answered, added up."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.accepted = self.duplicate = 0
        self.rejected: list[dict[str, Any]] = []
        self.arms: dict[str, dict[str, Change]] = {}

    def add(self, chunk: Chunk, told: dict[str, Any]) -> None:
        """Take the answer to a chunk; its rows get the numbers that they have in the file."""
        self.accepted += told["accepted"]
        self.duplicate += told["duplicate"]
        for each in told["rejected"]:
            number = chunk.numbers[each["row"] - 1]
            self.rejected.append(each | {"row": number, "experiment": chunk.experiment})
        for each in told["arms"]:
            arms = self.arms.setdefault(chunk.experiment, {})
            arms.setdefault(each["arm"], Change()).add(each)

    @property
    def empty(self) -> bool:
        """Whether there were no rows at all."""
        return not (self.accepted or self.duplicate or self.rejected)

    def answer(self, *, dry_run: bool) -> dict[str, Any]:
        """All of it, for scripts."""
        return {
            "key": self.key,
            "dry_run": dry_run,
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "arms": {
                experiment: {
                    arm: {"before": change.before, "after": change.after}
                    for arm, change in arms.items()
                }
                for experiment, arms in self.arms.items()
            },
        }


def chunks(table: Iterator[list[str]], experiment: str, file: Path) -> Iterator[Chunk]:
    """The rows of a table, some hundred at a time, by experiment; of no rows, the head alone.

    So the server says of an empty table, too, whether it knows the experiment and the columns.
    """
    header = next(table, [])
    if not header:
        raise ConfigError(f"{file}: empty: the first line must name the columns")
    place = header.index("experiment") if "experiment" in header else None
    if place is None and not experiment:
        raise ConfigError(f"{file}: no column `experiment`: name one with --experiment")
    numbered = enumerate(table, 1)
    some = list(islice(numbered, _ROWS))
    if not some and experiment:
        yield _chunk(experiment, header, [])
    while some:
        sorted_: dict[str, list[tuple[int, list[str]]]] = {}
        for number, row in some:
            said = row[place] if place is not None and place < len(row) else ""
            sorted_.setdefault(said or experiment, []).append((number, row))
        for name, rows in sorted_.items():
            yield _chunk(name, header, rows)
        some = list(islice(numbered, _ROWS))


def _chunk(experiment: str, header: list[str], rows: list[tuple[int, list[str]]]) -> Chunk:
    text = io.StringIO()
    csv.writer(text).writerows([header, *(row for _, row in rows)])
    return Chunk(experiment, [number for number, _ in rows], text.getvalue().encode())


class Door(NamedTuple):
    """Where chunks are sent, as what, and by whom."""

    server: str
    path: tuple[str, ...]
    key: str
    by: str
    api_key: str
    dry_run: bool

    def send(self, chunk: Chunk) -> dict[str, Any]:
        """The answer to one chunk; sent again where none came, which the key makes harmless."""
        names = ("experiments", chunk.experiment, *self.path)
        door = place(self.server, *names)
        asked = place(self.server, *names, dry_run=str(self.dry_run).lower(), by=self.by)
        headers = {"content-type": "text/csv", "idempotency-key": self.key}
        for tried in range(1, _TRIES + 1):
            try:
                return dict(call(asked, self.api_key, chunk.body, headers, _SECONDS))
            except RefusedError as error:
                if error.status not in {429, 502, 503, 504} or tried == _TRIES:
                    raise ConfigError(f"{door}: {error}") from None
            except OSError as error:
                if tried == _TRIES:
                    raise ConfigError(
                        f"{door}: {error}; send the same again with "
                        f"--key {self.key}: what has arrived is not counted twice"
                    ) from None
            time.sleep(_PAUSE * 2**tried)
        raise AssertionError("the last try answers or raises")


def _estimate(n: float, r: float) -> dict[str, Any]:
    return {"n": int(n), "mean": r / n if n else None}


def _words(what: Any) -> str:
    if isinstance(what, dict):
        mean = "no trial" if what["mean"] is None else f"mean {what['mean']:.6g}"
        return f"n {what['n']:,}, {mean}"
    return str(what or "not there")
