"""Published snapshots as a table: weight and posterior of each arm."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from croupier.config.backends import Backends
from croupier.core.columns import Column
from croupier.core.snapshot import Snapshot
from croupier.ports import SnapshotCache
from croupier.runners.export.days import Files, Sheet, Span, day_of

_PAGE = 64
SNAPSHOTS_SHEET = Sheet(
    "snapshots",
    (
        Column("at", "time", "when it was published; the day of the file"),
        Column("experiment", "text", "experiment"),
        Column("version", "whole", "version of the snapshot; rows are in no order"),
        Column("declaration", "whole", "version of the declaration"),
        Column("reward_version", "whole", "version of the reward"),
        Column("watermark", "time", "log time up to which it has learned"),
        Column("policy", "text", "policy, as JSON"),
        Column("arm", "text", "name of the arm"),
        Column("arm_number", "whole", "its number, for ever"),
        Column(
            "slots",
            "whole",
            "how many arms are shown at once, if groups allow it; weights sum to those shown",
        ),
        Column("weight", "number", "how likely it is to be shown"),
        Column("pinned", "flag", "whether it alone is shown"),
        Column("posterior", "text", "parameters of what is believed of this arm, as JSON"),
        Column("further", "texts", "the same of slots 1, 2, … where each learns for itself"),
        Column(
            "barred", "text", "the guardrail that the arm broke, and how; null: it may be shown"
        ),
    ),
)


def export_snapshots(backends: Backends, names: Sequence[str], span: Span, files: Files) -> None:
    """Every snapshot that is kept, newest first, so that some pages are in memory at most.

    Where the oldest were trimmed, the oldest day may not be whole: its older file is left alone.
    """
    for name in names:
        for day, snapshots in groupby(_newest_first(backends.cache, name, span), _Days()):
            if not span.holds(day):
                continue
            with files.day(day) as tables:
                oldest = 1
                for snapshot in snapshots:
                    oldest = snapshot.version
                    for row in rows(snapshot):
                        tables.add(SNAPSHOTS_SHEET, name, row)
                tables.whole = oldest == 1 or bool(backends.cache.history(name, 1, oldest))


class _Days:
    """The day of each snapshot; it does not grow again where a clock was behind for a while."""

    def __init__(self) -> None:
        self._day = 2**31

    def __call__(self, snapshot: Snapshot) -> int:
        self._day = min(self._day, day_of(snapshot.at))
        return self._day


def _newest_first(cache: SnapshotCache, name: str, span: Span) -> Iterator[Snapshot]:
    before: int | None = None
    while page := cache.history(name, _PAGE, before):
        yield from reversed(page)
        before = page[0].version
        if day_of(page[0].at) < span.since:
            return


def rows(snapshot: Snapshot) -> Iterator[Sequence[object]]:
    """One row an arm; those that are barred come last, without a posterior."""
    first, *further = (
        msgspec.to_builtins(each) for each in (snapshot.posterior, *snapshot.further)
    )
    policy, arms = msgspec.json.encode(snapshot.policy).decode(), len(snapshot.arms)
    for place, number in enumerate(snapshot.arms):
        yield (
            snapshot.at, snapshot.experiment, snapshot.version, snapshot.declaration,
            snapshot.reward_version, snapshot.watermark or None, policy, snapshot.names[place],
            number, snapshot.slots, snapshot.weights[place], number == snapshot.pinned,
            _of_arm(first, place, arms), [_of_arm(each, place, arms) for each in further] or None,
            None,
        )  # fmt: skip
    for barred in snapshot.barred:
        if barred.arm not in snapshot.arms:
            yield (
                snapshot.at, snapshot.experiment, snapshot.version, snapshot.declaration,
                snapshot.reward_version, snapshot.watermark or None, policy, barred.name,
                barred.arm, snapshot.slots, 0.0, False, None, None, barred.reason,
            )  # fmt: skip


def _of_arm(posterior: dict[str, Any], place: int, arms: int) -> str:
    """What a posterior says of one arm: its own number of each column, and what holds for all."""
    told = {
        name: values[place] if name not in _SHARED and _is_column(values, arms) else values
        for name, values in posterior.items()
    }
    return msgspec.json.encode(told).decode()


_SHARED = {"prior", "bounds"}


def _is_column(values: object, arms: int) -> bool:
    return isinstance(values, list | tuple) and len(values) == arms
