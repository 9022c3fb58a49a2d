"""`[[source]]` → what is declared, and the topics that it names."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from croupier.config.errors import ConfigError
from croupier.config.fields import named_tables, usable_fields
from croupier.core.sources.declared import Source, Stated

if TYPE_CHECKING:
    from croupier.ports import DeadLetters, SourceTopic

_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


def read_sources(tables: Any, file: str, problems: list[str]) -> tuple[Source, ...]:
    """The sources that can be used; all that is wrong is named in `problems`."""
    found: list[Source] = []
    for where, table in named_tables(tables, "source", file, problems):
        source = _source(table, where, problems)
        if source is not None:
            if source.name in (one.name for one in found):
                problems.append(f"{where}: name: used twice")
            found.append(source)
    return tuple(found)


def _source(table: dict[str, Any], where: str, problems: list[str]) -> Source | None:
    before, stated = len(problems), table.pop("decision", None)
    values = usable_fields(table, Source, where, problems)
    if isinstance(stated, dict):
        fields = usable_fields(stated, Stated, f"{where}: decision", problems)
        needed = {one.name for one in msgspec.structs.fields(Stated) if one.required}
        if needed <= fields.keys():
            values["decision"] = Stated(**fields)
    elif stated is not None:
        problems.append(f"{where}: decision: expected a table, [source.decision]")
    if len(problems) > before:
        return None
    source = Source(**values)
    problems += (f"{where}: {key}: {reason}" for key, reason in source.problems())
    if source.kafka and not (
        source.kafka.startswith("kafka://") or _VARIABLE.fullmatch(source.kafka)
    ):
        problems.append(
            f"{where}: kafka: expected kafka://host:port, or the name of a variable, $NAME"
        )
    return source


def source_problems(sources: Collection[Source], declared: Collection[str]) -> Iterator[str]:
    """What is wrong with sources beside the experiments that the file declares."""
    for source in sources:
        if source.decision is None:
            continue
        named = source.decision.experiment
        ours = [named] if isinstance(named, str) else (named.map or {}).values()
        for name in sorted(set(ours) - set(declared)):
            yield f'source "{source.name}": decision.experiment: {name!r} is not declared'


def open_topic(source: Source, log: str, environment: Mapping[str, str]) -> "SourceTopic":
    """The topic of a source: on the cluster that it names, or on that of our log."""
    from croupier.config.services import cluster_of  # noqa: PLC0415 - Kafka is an extra

    url, variable = source.kafka or log, _VARIABLE.fullmatch(source.kafka)
    if variable:
        url = environment.get(variable[1], "")
        if not url:
            raise ConfigError(f'source "{source.name}": kafka: {source.kafka} is not set')
    cluster = cluster_of(url, f'source "{source.name}": kafka')
    from croupier.adapters.kafka import KafkaTopic  # noqa: PLC0415 - an extra

    return KafkaTopic(cluster, source.topic)


def open_dead_letters(source: Source, log: str) -> "DeadLetters":
    """Where the dead letters of a source go, on the cluster of our log; made when missing."""
    from croupier.config.services import cluster_of  # noqa: PLC0415 - Kafka is an extra

    cluster = cluster_of(log)
    from croupier.adapters.kafka import KafkaDeadLetters  # noqa: PLC0415 - an extra

    return KafkaDeadLetters(cluster, source.dead or cluster.topic("dead"))
