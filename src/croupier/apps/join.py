"""join: events → funnels, and what came too late."""

from collections.abc import Iterable
from hashlib import blake2b

from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.fold import Stage
from croupier.core.funnel import FunnelFold, FunnelKey, Story
from croupier.core.open_trials import OpenTrials, count_open, turn_of
from croupier.core.records import Event, Funnel
from croupier.core.watermark import Watermark
from croupier.ports import Entry, Late


class Join:
    """Reads the events topic; holds the stories of decisions that are still open."""

    def __init__(self, declarations: Declarations, partitions: Iterable[int]) -> None:
        self.stage: Stage[Event, FunnelKey, Story, Funnel] = Stage(FunnelFold(declarations))
        self.time = Watermark(partitions)
        self._declarations = declarations
        self._counted: dict[str, int] = {}

    def feed(self, entries: Iterable[Entry]) -> list[Late]:
        """Apply every record, then move time; the records that were late for their story."""
        late: list[Late] = []
        reached: dict[int, int] = {}
        apply = self.stage.apply
        for entry in entries:
            late.extend(
                _set_aside(record, entry.stamp)
                for record in codec.decode_many(entry.payload)
                if isinstance(record, Event) and not apply(record, entry.stamp)
            )
            reached[entry.partition] = entry.stamp
        for partition, stamp in reached.items():
            self.time.reach(partition, stamp)
        return late

    def close(self) -> list[Funnel]:
        """The funnels of all stories whose time is up."""
        return self.stage.advance(self.time.value)

    def count_open(self, source: int = 0) -> list[OpenTrials]:
        """How the open trials stand, where a policy corrects for delays; once a turn each."""
        found: list[OpenTrials] = []
        at = self.time.value
        for name in self._declarations.names():
            spec = self._declarations.latest(name).spec
            if not spec.timed or turn_of(at, spec.window) <= self._counted.get(name, 0):
                continue
            self._counted[name] = turn_of(at, spec.window)
            stories = self.stage.open.items()
            found += count_open(stories, self._declarations, name, source, at)
        return found


def _set_aside(event: Event, stamp: int) -> Late:
    decision = event.decision
    text = b"\0".join(
        (decision.tracking_id, event.kind.encode(), b"%d" % event.slot, event.id.encode())
    )
    identity = blake2b(text, digest_size=16).digest()
    return Late(identity, decision.experiment, stamp, codec.encode(event))
