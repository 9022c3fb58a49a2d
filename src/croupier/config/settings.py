"""croupier.toml → settings; every problem named by file, key and reason."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from croupier.config.access import access_problems, keys_of_environment, read_api_keys
from croupier.config.errors import ConfigError
from croupier.config.experiments import read_experiments
from croupier.config.fields import meant, usable_fields
from croupier.config.sources import read_sources, source_problems
from croupier.config.tables import LimitsTable, LogTable, Server
from croupier.core.api_key import ApiKey
from croupier.core.duration import DAY, MINUTE, SECOND, format_duration
from croupier.core.experiment import Experiment
from croupier.core.sources.declared import Source

MOST_SKEW = 5 * MINUTE
"""The largest `max_skew`: recovery re-reads so much more of the log than its stories last."""


class Settings(msgspec.Struct, frozen=True):
    """A whole croupier.toml; its relative paths begin in `folder`."""

    experiments: tuple[Experiment, ...]
    server: Server = Server()
    log: LogTable = LogTable()
    limits: LimitsTable = LimitsTable()
    api_keys: tuple[ApiKey, ...] = ()
    sources: tuple[Source, ...] = ()
    folder: str = ""


def load_settings(path: str | Path) -> Settings:
    """Read and check a croupier.toml; ConfigError names every problem at once."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    found = parse_settings(text, str(path))
    return msgspec.structs.replace(found, folder=str(Path(path).absolute().parent))


def with_environment(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """The settings with the API keys that the environment adds."""
    keys = keys_of_environment(environment, settings.api_keys)
    return msgspec.structs.replace(settings, api_keys=keys)


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
    except RecursionError:
        raise ConfigError(f"{file}: nested too deeply") from None
    tables = ("experiment", "server", "log", "limits", "api_key", "source")
    problems = [
        f"{file}: {key}: unknown key{meant(key, tables)}" for key in document if key not in tables
    ]
    found = Settings(
        experiments=read_experiments(document.get("experiment", []), file, problems),
        server=_table(document.get("server", {}), Server, f"{file}: server", problems),
        log=_table(document.get("log", {}), LogTable, f"{file}: log", problems),
        limits=_table(document.get("limits", {}), LimitsTable, f"{file}: limits", problems),
        api_keys=read_api_keys(document.get("api_key", []), file, problems),
        sources=read_sources(document.get("source", []), file, problems),
    )
    if not found.experiments and not problems:
        problems.append(f"{file}: experiment: at least one [[experiment]] is needed")
    problems += _across(found, file)
    if problems:
        raise ConfigError(*problems)
    return found


def _table(table: Any, kind: type[Any], where: str, problems: list[str]) -> Any:
    if not isinstance(table, dict):
        problems.append(f"{where}: expected a table")
        return kind()
    return kind(**usable_fields(table, kind, where, problems))


def _across(found: Settings, file: str) -> list[str]:
    """What is wrong between tables, and with sizes."""
    server, retention = found.server, found.log.retention
    names = {one.name for one in found.experiments}
    longest = max((one.longest_story for one in found.experiments), default=0)
    checks = {
        f"server: max_skew: expected at most {format_duration(MOST_SKEW)}": (
            server.max_skew > MOST_SKEW
        ),
        "server: max_body: expected at least 1 byte": server.max_body < 1,
        "server: max_events: expected at least 1": server.max_events < 1,
        "server: request_timeout: expected at least 1s": server.request_timeout < SECOND,
        "log: ids: expected at least 1d": found.log.ids < DAY,
        f"log: retention: {format_duration(retention or 0)} is shorter than the longest story, "
        f"{format_duration(longest)} (session + expose_within + window + lateness): what is "
        "still open could not be recovered": retention is not None and retention < longest,
    }
    problems = [problem for problem, wrong in checks.items() if wrong]
    return [
        f"{file}: {problem}"
        for problem in [
            *problems,
            *access_problems(server, found.limits, found.api_keys, names),
            *source_problems(found.sources, names),
        ]
    ]
