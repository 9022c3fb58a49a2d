"""croupier.toml → settings; every problem named by file, key and reason."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from croupier.config.errors import ConfigError
from croupier.core.duration import MINUTE, format_duration, parse_duration
from croupier.core.experiment import Experiment

_DURATIONS = ("expose_within", "window", "lateness", "session", "refresh", "period")
_POLICY_DURATIONS = ("half_life", "sliding_window")


MOST_SKEW = 5 * MINUTE
"""The largest `max_skew`: recovery re-reads so much more of the log than its stories last."""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[server]`: what a request may be. Sizes in bytes, `max_skew` in milliseconds."""

    max_body: int = 1_048_576
    max_events: int = 10_000
    max_skew: int = MINUTE


class LogTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[log]`: how long records are kept, milliseconds; None is for ever."""

    retention: int | None = None


class Settings(msgspec.Struct, frozen=True):
    """A whole croupier.toml."""

    experiments: tuple[Experiment, ...]
    server: Server = Server()
    log: LogTable = LogTable()


def load_settings(path: str | Path) -> Settings:
    """Read and check a croupier.toml; ConfigError names every problem at once."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    return parse_settings(text, str(path))


def parse_settings(text: str, file: str = "croupier.toml") -> Settings:
    """Check the text of a croupier.toml.

    >>> parse_settings('''
    ... [[experiment]]
    ... name = "top-button"
    ... arms = ["install", "free-trial"]
    ... default = "instal"
    ... reward = { click = 1.0 }
    ... ''')
    Traceback (most recent call last):
    ...
    croupier.config.errors.ConfigError: croupier.toml: experiment "top-button": default: 'instal' is not one of the arms
    """  # noqa: E501
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from error
    problems: list[str] = [
        f"{file}: {key}: unknown key (expected experiment, server or log)"
        for key in document.keys() - {"experiment", "server", "log"}
    ]
    found = Settings(
        experiments=_experiments(document.get("experiment", []), file, problems),
        server=_table(
            document.get("server", {}), Server, ("max_skew",), f"{file}: server", problems
        ),
        log=_table(document.get("log", {}), LogTable, ("retention",), f"{file}: log", problems),
    )
    if not found.experiments and not problems:
        problems.append(f"{file}: experiment: at least one [[experiment]] is needed")
    problems += _across(found, file)
    if problems:
        raise ConfigError(*problems)
    return found


def _experiments(tables: Any, file: str, problems: list[str]) -> tuple[Experiment, ...]:
    if not isinstance(tables, list):
        problems.append(f"{file}: experiment: write [[experiment]], with two brackets")
        return ()
    found: list[Experiment] = []
    for place, table in enumerate(tables):
        where = f'{file}: experiment "{table.get("name", place)}"'
        spec = _experiment(dict(table), where, problems)
        if spec is None:
            continue
        problems += (f"{where}: {key}: {reason}" for key, reason in spec.problems())
        if spec.name in (one.name for one in found):
            problems.append(f"{where}: name: used twice")
        found.append(spec)
    return tuple(found)


def _experiment(table: dict[str, Any], where: str, problems: list[str]) -> Experiment | None:
    if isinstance(table.get("reward"), dict):
        terms = table["reward"].items()
        table["reward"] = {
            "terms": {k: {"weight": v} if isinstance(v, int | float) else v for k, v in terms}
        }
    if table.get("session") == "none":
        table["session"] = None
    if isinstance(table.get("policy"), dict):
        table["policy"] = _durations(
            dict(table["policy"]), _POLICY_DURATIONS, f"{where}: policy", problems
        )
    spec: Experiment | None = _table(table, Experiment, _DURATIONS, where, problems)
    return spec


def _table(
    table: Any, kind: type[Any], durations: tuple[str, ...], where: str, problems: list[str]
) -> Any:
    if not isinstance(table, dict):
        problems.append(f"{where}: expected a table")
        return kind()
    before = len(problems)
    table = _durations(table, durations, where, problems)
    if len(problems) > before:
        return kind() if kind is not Experiment else None
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        reason, _, key = str(error).partition(" - at `$.")
        key = key.rstrip("`").replace("reward.terms", "reward").replace("[...]", "")
        reason = reason.replace("Object ", "").replace("Expected", "expected")
        problems.append(f"{where}: {key}: {reason}" if key else f"{where}: {reason}")
        return None if kind is Experiment else kind()


def _durations(
    table: dict[str, Any], keys: tuple[str, ...], where: str, problems: list[str]
) -> dict[str, Any]:
    converted = dict(table)
    for key in keys:
        if isinstance(table.get(key), str):
            try:
                converted[key] = parse_duration(table[key])
            except ValueError as error:
                problems.append(f"{where}: {key}: {error}")
        elif table.get(key) is not None:
            problems.append(
                f'{where}: {key}: expected a duration such as "15m", got {table[key]!r}'
            )
    return converted


def _across(found: Settings, file: str) -> list[str]:
    if not 0 <= found.server.max_skew <= MOST_SKEW:
        return [f"{file}: server: max_skew: expected at most {format_duration(MOST_SKEW)}"]
    retention = found.log.retention
    longest = max((one.longest_story for one in found.experiments), default=0)
    if retention is None or retention >= longest:
        return []
    problem = (
        f"{file}: log: retention: {format_duration(retention)} is shorter than the longest story, "
        f"{format_duration(longest)} (session + expose_within + window + lateness): what is "
        "still open could not be recovered"
    )
    return [problem]
