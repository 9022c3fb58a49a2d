"""Past trials imported: checked row by row, appended to the log, learned once."""

import threading
import time

import msgspec

from croupier.apps.serve.imports.rows import read_time
from croupier.apps.serve.service import Service
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import totals
from croupier.core.past import PastTrials, RowError, cell_id, content_id, sums_of
from croupier.core.records import Imported
from croupier.ports import OBSERVATIONS, UnavailableError

_LOCK = threading.Lock()
_APPEND_SECONDS, _LEARN_SECONDS, _LOOK_AGAIN_SECONDS = 10.0, 2.0, 0.01
_CONTRADICTS = (
    "this arm, slot, at and propensity came under this key with other numbers, which count and "
    "stay; to add these on top, send them under another key"
)

_NO_SIGNALS = (
    "the reward is a surrogate, and past trials that were added up do not say which signals they "
    "earned it by: import their events, or declare the reward without surrogate"
)


class RejectedRow(msgspec.Struct):
    """Which row was refused (the first is 1), for which column, and why."""

    row: int
    column: str
    reason: str


class Difference(msgspec.Struct):
    """What an import does to one arm: trials and mean reward, before and after."""

    arm: str
    n_before: int
    n_after: int
    mean_before: float | None
    mean_after: float | None


class RewardsAnswer(msgspec.Struct):
    """What became of an import of past trials; `learned` when the sums hold it already."""

    dry_run: bool
    accepted: int
    duplicate: int
    rejected: list[RejectedRow]
    learned: bool
    arms: list[Difference]


def import_rewards(
    service: Service, name: str, key: str, rows: list[PastTrials | RowError], *, dry_run: bool
) -> RewardsAnswer:
    """Import rows, or say what that would do; what is accepted is durable on return.

    One import at a time, and the next waits a moment until learning has it: so that a repetition
    is told as such. UnavailableError when the log or the state cannot answer.
    """
    with _LOCK:
        table = _Table(service, name, key)
        fresh = table.sort(rows)
        arms = _differences(service, name, fresh)
        learned = not fresh
        if fresh and not dry_run:
            _append(service, fresh)
            learned = _wait(service, fresh)
    service.counters["imported_rows", name] += 0 if dry_run else len(fresh)
    return RewardsAnswer(
        dry_run, len(fresh), table.duplicate, table.rejected, learned and not dry_run, arms
    )


class _Table:
    """The rows of one request, sorted into new, repeated and refused."""

    def __init__(self, service: Service, name: str, key: str) -> None:
        self._service, self._name, self._key = service, name, key
        self._now = service.clock.now()
        self.duplicate = 0
        self.rejected: list[RejectedRow] = []

    def sort(self, rows: list[PastTrials | RowError]) -> list[Imported]:
        """The rows that are new; the others are counted or named."""
        checked: list[tuple[int, Imported]] = []
        for number, row in enumerate(rows, 1):
            try:
                checked.append((number, self._check(row)))
            except RowError as error:
                self._refuse(number, error)
        known = self._service.states.known(
            {each for _, past in checked for each in (past.id, past.content)}
        )
        fresh: dict[bytes, Imported] = {}
        for number, past in checked:
            there = fresh.get(past.id)
            if past.content in known or (there and there.content == past.content):
                self.duplicate += 1
            elif there or past.id in known:
                self._refuse(number, RowError("reward_sum", _CONTRADICTS))
            else:
                fresh[past.id] = past
        self.rejected.sort(key=lambda each: each.row)
        return list(fresh.values())

    def _refuse(self, number: int, error: RowError) -> None:
        self.rejected.append(RejectedRow(number, error.column, str(error)))
        self._service.counters["rejected_rows", self._name] += 1

    def _check(self, row: PastTrials | RowError) -> Imported:
        if isinstance(row, RowError):
            raise row
        service, declaration = self._service, self._service.declarations.latest(self._name)
        if row.experiment not in {None, self._name}:
            raise RowError("experiment", f"this is the door of {self._name}")
        arm = service.arm_numbers(self._name).get(row.arm)
        if arm is None:
            raise RowError("arm", f"{row.arm[:200]!r} is not an arm of {self._name}")
        spec = declaration.spec
        if spec.signals:
            raise RowError("reward_sum", _NO_SIGNALS)
        slots = 1 if spec.pools else spec.slots
        if not 0 <= row.slot < slots:
            raise RowError("slot", f"expected 0 to {slots - 1}: what learns for itself")
        at = self._time(row)
        sums = sums_of(row, declaration.spec.reward)
        cell = cell_id(self._key, self._name, arm, at, row)
        return Imported(
            id=cell,
            content=content_id(cell, sums),
            experiment=self._name,
            arm=arm,
            slot=row.slot,
            reward_version=declaration.reward_version,
            at=self._now if at is None else min(at, self._now),
            sums=sums.encode(),
            key=self._key,
        )

    def _time(self, row: PastTrials) -> int | None:
        at = read_time(row.at)
        if at is not None and not 0 <= at <= self._now + self._service.limits.skew:
            raise RowError("at", f"expected a time from 1970 to now ({self._now}), got {row.at}")
        return at


def _differences(service: Service, name: str, fresh: list[Imported]) -> list[Difference]:
    version = service.declarations.latest(name).reward_version
    before = {
        arm: sums
        for (_, reward_version, stratum, arm), sums in totals(
            service.states.load(name).sums.items()
        ).items()
        if (reward_version, stratum) == (version, "policy")
    }
    after = dict(before)
    for row in fresh:
        after[row.arm] = after.get(row.arm, Sums()) + Sums.decode(row.sums)
    found = []
    for arm in service.declarations.arms(name).arms:
        old, new = before.get(arm.number, Sums()), after.get(arm.number, Sums())
        if old != new:
            found.append(Difference(arm.name, old.n, new.n, old.mean, new.mean))
    return found


def _append(service: Service, fresh: list[Imported]) -> None:
    records = [codec.encode(row) for row in fresh]
    try:
        service.log.append(OBSERVATIONS, records, [row.id for row in fresh]).result(_APPEND_SECONDS)
    except TimeoutError as error:
        raise UnavailableError("the log takes too long") from error


def _wait(service: Service, fresh: list[Imported]) -> bool:
    """Whether the ring has added these rows, within a moment."""
    deadline, wanted = time.monotonic() + _LEARN_SECONDS, {row.id for row in fresh}
    while not wanted <= service.states.known(wanted):
        if time.monotonic() > deadline or service.runner.health() is not None:
            return False
        time.sleep(_LOOK_AGAIN_SECONDS)
    return True
