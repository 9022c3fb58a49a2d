"""What most benchmarks play with: an experiment of few arms, snapshots, decisions, a filled log."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from croupier.adapters.sqlite import SqliteLog, Writer
from croupier.clock import TurnedClock
from croupier.config.settings import Settings, parse_settings
from croupier.core import codec
from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import ArmTable
from croupier.core.decide import Decider
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.menu import as_float32
from croupier.core.publish import publish
from croupier.core.records import IMPRESSION, Decision, Declaration, Event, Tick
from croupier.core.reward import MICRO
from croupier.core.session import session_at
from croupier.core.snapshot import Snapshot, publish_weights
from croupier.ports import EVENTS
from croupier.runners.declare import declare

BATCH = 100
CLICK_SHARE = 0.2


def toml(name: str, arms: int, **settings: str | float) -> str:
    """An [[experiment]] with click = 1 as its reward."""
    names = ", ".join(f'"arm-{number}"' for number in range(arms))
    default = ", ".join(f'"arm-{number}"' for number in range(int(settings.get("slots", 1))))
    others = "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in settings.items())
    return (
        f'[[experiment]]\nname = "{name}"\narms = [{names}]\ndefault = [{default}]\n'
        f"reward = {{ click = 1.0 }}\n{others}"
    )


def short_stories(session: str = "none") -> str:
    """Settings under which a story is over within seconds of log time."""
    return toml(
        "short", 5, expose_within="1s", window="2s", lateness="1s", session=session, refresh="1s"
    )


def beta_decider(arms: int, **settings: str | float) -> Decider:
    """A decider over arms that have been tried 50 to 150 times, as in SPEED.md A."""
    spec = parse_settings(toml("top-button", arms, **settings)).experiments[0]
    dice = random.Random(7)
    tries = [dice.randint(50, 150) for _ in range(arms)]
    wins = [round(each * dice.uniform(0.05, 0.15)) for each in tries]
    posterior = Beta(
        tuple(1.0 + win for win in wins),
        tuple(1.0 + each - win for each, win in zip(tries, wins, strict=True)),
    )
    snapshot = Snapshot(
        experiment=spec.name,
        version=12,
        at=0,
        declaration=1,
        reward_version=1,
        watermark=0,
        arms=tuple(range(arms)),
        names=spec.arms,
        weights=publish_weights(spec.policy, posterior),
        posterior=posterior,
        policy=spec.policy,
    )
    return Decider(snapshot, Declaration(version=1, reward_version=1, at=0, spec=spec))


def slate_decider(arms: int, slots: int, ranking: str, **settings: str | float) -> Decider:
    """A decider over slates of arms that have been tried 50 to 150 times in each slot."""
    text = toml("page", arms, slots=slots, ranking=ranking, **settings)
    spec, book, dice = parse_settings(text).experiments[0], Declarations(), random.Random(7)
    for record in book.changes(spec, 0):
        book.apply(record)
    tables = {slot: ArmTable() for slot in range(slots if ranking == "slots" else 1)}
    for table in tables.values():
        for arm in range(arms):
            tries = dice.randint(50, 150)
            wins = round(tries * dice.uniform(0.05, 0.15))
            table.add(0, arm, Sums(tries, wins * MICRO, wins * MICRO * MICRO))
    latest = book.latest("page")
    return Decider(publish(latest, book.arms("page"), tables, 2, 0, 0), latest)


def decision(spec: Experiment, dice: random.Random, at: int, count: int) -> Decision:
    """A decision that a server could have made for one of many units."""
    unit = dice.randbytes(16)
    return Decision(
        tracking_id=at.to_bytes(6, "big") + count.to_bytes(9, "big"),
        experiment=spec.name,
        unit=unit,
        session=0 if spec.session is None else session_at(unit, at, spec.session),
        declaration=1,
        snapshot=1,
        slate=(dice.randrange(len(spec.arms)),),
        propensities=(as_float32(1 / len(spec.arms)),),
    )


def events(spec: Experiment, decisions: Iterator[Decision]) -> Iterator[Event]:
    """An impression of each decision, and a click on every fifth."""
    for count, each in enumerate(decisions):
        yield Event(decision=each, kind=IMPRESSION, at=each.at + 20)
        if count % int(1 / CLICK_SHARE) == 0:
            yield Event(decision=each, kind="click", at=each.at + 400, id=f"evt-{count}")


class Filled(NamedTuple):
    """What a log was filled with."""

    decisions: int
    events: int
    last: int


def fill(path: Path, settings: Settings, decisions: int, span: int) -> Filled:
    """Fill a data file's log with the events of decisions made over `span` ms of the past.

    Entries hold BATCH events, as the door writes them, and are stamped when they would have come.
    A tick at the end closes whatever lasts up to 10 s; what lasts longer stays open.
    """
    spec, dice = settings.experiments[0], random.Random(11)
    begin = int(time.time() * 1000) - span - 60_000
    clock = TurnedClock(begin)
    file = Writer(path, clock)
    log = SqliteLog(file)
    declare(settings, log, clock)
    made = (
        decision(spec, dice, begin + number * span // decisions, number)
        for number in range(decisions)
    )
    batch: list[bytes] = []
    written, at = 0, begin
    for event in events(spec, made):
        at = max(at, event.decision.at + 30)
        batch.append(codec.encode(event))
        if len(batch) == BATCH:
            clock.at = at
            log.append(EVENTS, batch).result()
            written, batch = written + BATCH, []
    clock.at = at + 500
    if batch:
        log.append(EVENTS, batch).result()
    clock.at = begin + span + 10_000
    log.append(EVENTS, [codec.encode(Tick())]).result()
    file.close()
    return Filled(decisions, written + len(batch), clock.at)
