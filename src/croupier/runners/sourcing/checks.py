"""What `croupier doctor` says of sources: how far each is, what was set aside."""

from collections.abc import Iterator, Mapping
from contextlib import closing

from croupier.config.errors import ConfigError
from croupier.config.services import Services, open_ring
from croupier.config.settings import Settings
from croupier.config.sources import open_topic
from croupier.core.sources.declared import Source
from croupier.ports import SourceTopic, StateStore, UnavailableError, UnusableError
from croupier.runners.checks import Finding
from croupier.runners.sourcing.taking import counted_as, scope_of

_MOST_BEHIND = 10_000


def check_sources(
    settings: Settings, services: Services, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """A finding a source; it changes nothing."""
    if not settings.sources:
        return
    try:
        ring = open_ring(services.log, services.states, read_only=True)
    except (UnavailableError, UnusableError) as error:
        yield Finding("sources", ok=False, detail=str(error))
        return
    with closing(ring):
        for source in settings.sources:
            try:
                topic = open_topic(source, services.log, environment)
                with closing(topic):
                    yield _source(source, ring.states(scope_of(source)), topic)
            except (ConfigError, UnavailableError) as error:
                yield Finding(scope_of(source), ok=False, detail=str(error))


def _source(source: Source, states: StateStore, topic: SourceTopic) -> Finding:
    standing = states.load(counted_as(source), strata=())
    if not standing.positions:
        return Finding(scope_of(source), ok=False, detail="has committed nothing yet: does it run?")
    behind = standing.behind(topic.ends())
    counts = {what: n for (_, what), n in standing.counts.items()}
    said = ", ".join(f"{counts.get(what, 0)} {what}" for what in ("records", "dead", "lost"))
    good = behind < _MOST_BEHIND and not counts.get("lost")
    return Finding(scope_of(source), ok=good, detail=f"{behind} offsets not read yet; {said}")
