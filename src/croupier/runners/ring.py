"""The embedded ring: join, observe, learn; one transaction a step."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from croupier.apps.join import Join
from croupier.apps.learn import Learn
from croupier.apps.observe import Observe
from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.arms.table import roll_up
from croupier.core.declarations import Declarations
from croupier.core.duration import HOUR
from croupier.core.records import Record, Tick
from croupier.core.snapshot import Snapshot
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, Commit, Positions, UnavailableError
from croupier.runners import open_stories
from croupier.runners.imports import Imports

_LOG = logging.getLogger(__name__)
_TICK = codec.encode(Tick())
_ENTRIES, _TICK_EVERY = 64, 250
_IDLE_SECONDS, _RETRY_SECONDS = 0.02, 0.5


class Ring:
    """Everything behind the log, in order: read → join → observe → learn → commit → publish.

    Invariant: what is in memory is what is committed, plus at most the one step whose commit is
    being retried; stopped in the middle of that, it is torn, and its stories are not saved. A
    killed ring resumes by re-reading the log (`recover`).
    """

    def __init__(
        self,
        backends: Backends,
        declarations: Declarations,
        experiments: Iterable[str],
        on_snapshot: Callable[[Snapshot], None],
    ) -> None:
        self._backends, self._declarations = backends, declarations
        self._experiments = list(experiments)
        self._on_snapshot = on_snapshot
        self.join = Join(declarations, backends.log.ends(EVENTS))
        self.observe = Observe(declarations)
        self.learn = Learn(declarations, backends.cache)
        self.imports = Imports(backends, self.learn)
        self.positions: Positions = {}
        self._errors: dict[str, str] = {}
        self._ticked = 0
        self._save_at = backends.clock.now() + open_stories.SAVE_EVERY
        self._rolled_up = 0
        self._recovered = False
        self._torn = False
        self._shown_open: Counter[str] = Counter()
        self._stop = threading.Event()

    @property
    def error(self) -> str | None:
        """What keeps learning from going on now, or None."""
        return next((error for what, error in self._errors.items() if what != "copy"), None)

    def recover(self) -> None:
        """Take up where the last commit stood: re-read open stories, publish what is due."""
        standing = self._backends.states.load()
        self.learn.take(standing.sums)
        self.imports.resume(standing.watermark)
        self.positions = dict(standing.positions)
        self._shown_open = Counter(standing.open)
        if standing.positions:
            open_stories.recover(
                self._backends, self._declarations, standing, self.join, self.observe
            )
        self._recovered = True
        self._try("refresh", self.refresh)

    def step(self) -> bool:
        """Read some entries and commit all that follows; False when there was nothing to read."""
        entries = self._backends.log.read(EVENTS, self.positions, _ENTRIES)
        imported = self.imports.drain(self.positions, self.join.time.value)
        if not entries:
            self._tick()
            return imported
        late = self.join.feed(entries)
        watermark = self.join.time.value
        funnels = self.join.close()
        self.observe.feed(funnels)
        observations = self.observe.close(watermark)
        learned = self.learn.absorb(observations)
        output: dict[str, Sequence[Record]] = {FUNNELS: funnels, OBSERVATIONS: observations}
        positions = self.positions | {entry.partition: entry.offset + 1 for entry in entries}
        shown_open = self.join.stage.count + self.observe.stage.count
        self._commit(
            Commit(
                positions=positions,
                watermark=watermark,
                since=self.positions,
                sums=learned.sums,
                counts=learned.counts,
                open={name: shown_open[name] for name in {*shown_open, *self._shown_open}},
                late=late,
                output={
                    topic: list(map(codec.encode, many)) for topic, many in output.items() if many
                },
            )
        )
        self.positions, self._shown_open = positions, shown_open
        self.learn.take(learned.sums)
        return True

    def refresh(self) -> None:
        """Publish snapshots that are due, and show them to serving."""
        now, watermark = self._backends.clock.now(), self.join.time.value
        self.learn.hold(self.join.count_open(), watermark)
        for snapshot in self.learn.refresh(self._experiments, now, watermark):
            self._on_snapshot(snapshot)

    def run(self) -> None:
        """Recover, then turn until `stop`; what cannot pass is logged and kept in `error`."""
        try:
            if not self._recovered:
                self.recover()
            while not self._stop.is_set():
                if not self._try("read", self.step):
                    self._stop.wait(_IDLE_SECONDS)
                self._try("refresh", self.refresh)
                self._try("roll-up", self._roll_up)
                self._try("copy", self._save_open)
            self._try("copy", lambda: self._save_open(now=True))
        except Exception as error:  # noqa: BLE001 - whatever it was, serving goes on and says so
            self._errors["ring"] = f"{type(error).__name__}: {error}"
            _LOG.exception("the ring has stopped; deciding goes on with the last snapshots")

    def stop(self) -> None:
        """Finish the step that is under way, then return from `run`."""
        self._stop.set()

    def _tick(self) -> None:
        """Let time pass on the log when a story is due and nobody else writes."""
        now = self._backends.clock.now()
        closes = [stage.next_close() for stage in (self.join.stage, self.observe.stage)]
        due = [at for at in closes if at is not None and at <= now]
        if due and now - self._ticked >= _TICK_EVERY:
            self._ticked = now
            self._try("tick", lambda: self._backends.log.append(EVENTS, [_TICK]).result())

    def _commit(self, commit: Commit) -> None:
        while True:
            try:
                self._backends.states.commit(commit)
            except UnavailableError as error:
                self._fail("commit", error)
                if self._stop.wait(_RETRY_SECONDS):
                    self._torn = True
                    raise
            else:
                self._errors.pop("commit", None)
                return

    def _try(self, what: str, action: Callable[[], object]) -> object:
        """What the action answers, or None when a technology cannot answer now."""
        try:
            answer = action()
        except UnavailableError as error:
            self._fail(what, error)
            return None
        self._errors.pop(what, None)
        return answer

    def _fail(self, what: str, error: UnavailableError) -> None:
        """Say so while it lasts, and log it once."""
        if self._errors.get(what) != str(error):
            _LOG.error("%s failed, trying again: %s", what, error)
        self._errors[what] = str(error)

    def _roll_up(self) -> None:
        """Merge old periods into days, once an hour."""
        now = self._backends.clock.now()
        if now - self._rolled_up < HOUR:
            return
        standing = self._backends.states.load()
        changes = roll_up(standing.sums, standing.watermark)
        if changes:
            self._backends.states.commit(
                Commit(standing.positions, standing.watermark, since=self.positions, sums=changes)
            )
            self.learn.take(changes)
        self._rolled_up = now

    def _save_open(self, *, now: bool = False) -> None:
        """Save the open stories where that spares a long re-read: each minute, and at the end."""
        began = self._backends.clock.now()
        if self._torn or (began < self._save_at and not now):
            return
        if open_stories.worth_saving(self._declarations) and self.positions:
            open_stories.save(self._backends, self.positions, self.join, self.observe)
        took = self._backends.clock.now() - began
        self._save_at = began + max(open_stories.SAVE_EVERY, 20 * took)
