"""The checks behind `croupier doctor` on services: who stands where."""

from collections.abc import Iterator

from croupier.config.services import Services, Stores, open_stores
from croupier.core.duration import MINUTE, SECOND, format_duration
from croupier.ports import (
    EVENTS,
    FUNNELS,
    OBSERVATIONS,
    Standing,
    UnavailableError,
    UnusableError,
)
from croupier.runners.checks import Finding, about_experiments
from croupier.runners.declare import read_declarations

_MOST_BEHIND = 10_000
_READS = {"join": EVENTS, "observe": FUNNELS}


def check_services(services: Services) -> list[Finding]:
    """What can be seen from Kafka, PostgreSQL and Redis; it changes nothing."""
    try:
        stores = open_stores(services, read_only=True)
    except (UnavailableError, UnusableError) as error:
        return [Finding("services", ok=False, detail=str(error))]
    try:
        return list(_look(stores))
    except UnavailableError as error:
        return [Finding("services", ok=False, detail=str(error))]
    finally:
        stores.close()


def _look(stores: Stores) -> Iterator[Finding]:
    now = stores.clock.now()
    for app, topic in _READS.items():
        for partition, end in stores.log.ends(topic).items():
            standing = stores.states(f"{app}.{partition}").load("")
            yield _process(f"{app}.{partition}", standing, {partition: end}, now)
    standing = stores.states("learn").load()
    yield _process("learn", standing, stores.log.ends(OBSERVATIONS), now)
    declarations = read_declarations(stores.log)
    home = {name: stores.cache.latest(name) for name in declarations.names()}
    yield from about_experiments(standing, home)
    try:
        shown = {one.experiment: one.version for one in stores.front.newer({})}
    except UnavailableError as error:
        yield Finding("redis", ok=False, detail=f"{error}: servers decide from what they have")
        return
    missing = [name for name, one in home.items() if one and shown.get(name, 0) < one.version]
    said = f"not shown yet: {', '.join(missing)}" if missing else "shows the newest snapshots"
    yield Finding("redis", ok=not missing, detail=said)


def _process(name: str, standing: Standing, ends: dict[int, int], now: int) -> Finding:
    """Behind, or standing still: then it does not run, or something that it waits for."""
    behind = standing.behind(ends)
    age = max(0, now - standing.watermark) // SECOND * SECOND
    if not standing.watermark:
        said = "has committed nothing yet: does it run?"
    else:
        said = f"log time {format_duration(age)} ago, {behind} entries not read yet"
    return Finding(name, ok=behind < _MOST_BEHIND and age < MINUTE, detail=said)
