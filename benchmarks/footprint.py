"""What an open story holds in memory: of join, a decision; of observe, a session. Informs only."""

import tracemalloc
from collections.abc import Iterator

from benchmarks.report import Row
from benchmarks.table import toml
from benchmarks.told import batches
from croupier.apps.join import Join
from croupier.apps.observe import Observe
from croupier.config.settings import parse_settings
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.ports import Entry

AT = 1_763_750_000_000
WHAT = "what Python allocates; the process holds somewhat more"


def rows(*, quick: bool) -> Iterator[Row]:
    stories = 5_000 if quick else 50_000
    tracemalloc.start()
    try:
        held = hold(stories)
    finally:
        tracemalloc.stop()
    note = f"{stories:,} are open; {WHAT}"
    for app, size in zip(("join", "observe"), held, strict=True):
        yield Row(f"{app}: memory of an open story", "bytes", size, note=note)


def hold(stories: int) -> tuple[float, float]:
    """Bytes a story: open in join; then, its funnel read from a log, open in observe."""
    spec = parse_settings(toml("top-button", 5, session="30m")).experiments[0]
    book = Declarations()
    for record in book.changes(spec, 0):
        book.apply(record)
    join, observe = Join(book, [0]), Observe(book)
    before = now()
    for place, batch in enumerate(batches(spec, stories, lambda: AT)):
        payload = codec.join([codec.encode(event) for event in batch])
        assert not join.feed([Entry(0, place, AT + 1_000, payload)])
    assert len(join.stage.open) == stories
    of_join = now() - before
    funnels = [codec.encode(one) for one in join.stage.advance(AT + 2 * spec.longest_story)]
    del join
    before = now()
    observe.feed(codec.decode(one) for one in funnels)
    assert len(observe.stage.open) == stories
    return of_join / stories, (now() - before) / stories


def now() -> int:
    """Bytes that are allocated."""
    return tracemalloc.get_traced_memory()[0]
