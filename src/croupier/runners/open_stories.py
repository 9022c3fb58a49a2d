"""Recovery: open stories, from a saved copy or by re-reading the log."""

import gc
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar
from zlib import crc32

import msgspec

from croupier.apps.join import Join
from croupier.apps.observe import Observe
from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.duration import MINUTE, SECOND
from croupier.core.funnel import Story
from croupier.core.records import Funnel
from croupier.ports import EVENTS, FUNNELS, Positions, Standing, entries_between
from croupier.runners.history import reach_back

_LOG = logging.getLogger(__name__)
_CHUNK = 2_000
SAVE_EVERY = MINUTE
WORTH_SAVING = 5 * MINUTE
"""Where no story lasts longer than this, re-reading the log is quick enough."""

T = TypeVar("T")


class Header(msgspec.Struct):
    """Where in the log a saved copy stands; `marks` prove that it is a copy of this very log."""

    events: Positions
    funnels: Positions
    watermark: int
    marks: tuple[int, int]


Stories = list[Story]
Sessions = list[dict[bytes, Funnel]]


def worth_saving(declarations: Declarations) -> bool:
    """Whether stories last so long that re-reading the log would take its time."""
    return declarations.longest_story() > WORTH_SAVING


def save(backends: Backends, positions: Positions, join: Join, observe: Observe) -> None:
    """Write a disposable copy of everything that is open, as of the last commit."""
    funnels = backends.log.ends(FUNNELS)
    header = Header(
        events=positions,
        funnels=funnels,
        watermark=join.time.value,
        marks=(_mark(backends, EVENTS, positions), _mark(backends, FUNNELS, funnels)),
    )
    backends.stories.save(_chunks(header, join, observe))


def recover(
    backends: Backends,
    declarations: Declarations,
    standing: Standing,
    join: Join,
    observe: Observe,
) -> None:
    """Hold the same open stories as the process that committed `standing`.

    Whatever closed at or before the committed watermark is forgotten without a word; every
    story that is still open has all of its records after watermark − H.
    """
    started = backends.clock.now()
    with _without_collector():
        _recover(backends, declarations, standing, join, observe)
    took = (backends.clock.now() - started) / SECOND
    stories, sessions = len(join.stage.open), len(observe.stage.open)
    _LOG.info("recovered %d stories and %d sessions in %.1f s", stories, sessions, took)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of open stories hold no cycles: looking for some would double the time.

    What was made meanwhile is never looked through again; counting references frees it.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _recover(
    backends: Backends,
    declarations: Declarations,
    standing: Standing,
    join: Join,
    observe: Observe,
) -> None:
    header = _load(backends, standing, join, observe)
    begin = reach_back(declarations, standing.watermark)
    events = header.events if header else backends.log.since(EVENTS, begin)
    funnels = header.funnels if header else backends.log.since(FUNNELS, begin)
    for entries in entries_between(backends.log, EVENTS, events, standing.positions):
        join.feed(entries)
        join.stage.settle(standing.watermark)
    for entries in entries_between(backends.log, FUNNELS, funnels, backends.log.ends(FUNNELS)):
        observe.feed(codec.decode_all(entry.payload for entry in entries))
        observe.stage.settle(standing.watermark)
    join.stage.settle(standing.watermark)
    observe.stage.settle(standing.watermark)
    for partition in standing.positions:
        join.time.reach(partition, standing.watermark)


def _load(backends: Backends, standing: Standing, join: Join, observe: Observe) -> Header | None:
    chunks = backends.stories.load()
    if not chunks:
        return None
    try:
        header = msgspec.msgpack.decode(chunks[0], type=Header)
        if not _fits(backends, header, standing):
            return None
        for chunk in chunks[1:]:
            if chunk[:1] == b"j":
                for story in msgspec.msgpack.decode(chunk[1:], type=Stories):
                    decision = story.decision
                    join.stage.restore(
                        (decision.experiment, decision.declaration, decision.tracking_id), story
                    )
            else:
                for session in msgspec.msgpack.decode(chunk[1:], type=Sessions):
                    key = observe.stage.fold.key(next(iter(session.values())))
                    observe.stage.restore(key, session)
    except (msgspec.DecodeError, LookupError) as error:
        _LOG.warning("the copy of the open stories is not usable, re-reading the log: %s", error)
        join.stage.clear()
        observe.stage.clear()
        return None
    return header


def _fits(backends: Backends, header: Header, standing: Standing) -> bool:
    behind = all(at <= standing.positions.get(p, 0) for p, at in header.events.items())
    return behind and header.marks == (
        _mark(backends, EVENTS, header.events),
        _mark(backends, FUNNELS, header.funnels),
    )


def _mark(backends: Backends, topic: str, positions: Positions) -> int:
    """A checksum of the entry just before these positions: the same log, or another?"""
    before = {partition: position - 1 for partition, position in positions.items()}
    entries = backends.log.read(topic, before, 1)
    if not entries or entries[0].offset != before.get(entries[0].partition):
        return -1
    return crc32(entries[0].payload, entries[0].stamp & 0xFFFFFFFF)


def _chunks(header: Header, join: Join, observe: Observe) -> Iterator[bytes]:
    yield msgspec.msgpack.encode(header)
    for stories in _batched(join.stage.open.values(), _CHUNK):
        yield b"j" + msgspec.msgpack.encode(stories)
    for sessions in _batched(observe.stage.open.values(), _CHUNK):
        yield b"o" + msgspec.msgpack.encode(sessions)


def _batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(values)
    while batch := list(islice(source, size)):
        yield batch
