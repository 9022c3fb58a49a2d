"""croupier.toml → settings; every problem named by file, key and reason."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from croupier.config.access import access_problems, keys_of_environment, read_api_keys
from croupier.config.candidates import read_candidates
from croupier.config.errors import ConfigError
from croupier.config.fields import meant, usable_fields
from croupier.config.tables import LimitsTable, LogTable, Server
from croupier.core.api_key import ApiKey
from croupier.core.arms.prior import Prior
from croupier.core.duration import MINUTE, SECOND, format_duration
from croupier.core.experiment import Experiment
from croupier.core.policies.registry import POLICIES
from croupier.core.reward import Reward, Term

MOST_SKEW = 5 * MINUTE
"""The largest `max_skew`: recovery re-reads so much more of the log than its stories last."""


class Settings(msgspec.Struct, frozen=True):
    """A whole croupier.toml; its relative paths begin in `folder`."""

    experiments: tuple[Experiment, ...]
    server: Server = Server()
    log: LogTable = LogTable()
    limits: LimitsTable = LimitsTable()
    api_keys: tuple[ApiKey, ...] = ()
    folder: str = ""


def load_settings(path: str | Path) -> Settings:
    """Read and check a croupier.toml; ConfigError names every problem at once."""
    try:
        text = Path(path).read_text(encoding="utf-8")
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
    tables = ("experiment", "server", "log", "limits", "api_key")
    problems = [
        f"{file}: {key}: unknown key{meant(key, tables)}" for key in document if key not in tables
    ]
    found = Settings(
        experiments=_experiments(document.get("experiment", []), file, problems),
        server=_table(document.get("server", {}), Server, f"{file}: server", problems),
        log=_table(document.get("log", {}), LogTable, f"{file}: log", problems),
        limits=_table(document.get("limits", {}), LimitsTable, f"{file}: limits", problems),
        api_keys=read_api_keys(document.get("api_key", []), file, problems),
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


def _experiments(tables: Any, file: str, problems: list[str]) -> tuple[Experiment, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{file}: experiment: write [[experiment]], with two brackets")
        return ()
    found: list[Experiment] = []
    for number, table in enumerate(tables, 1):
        name = f'"{table["name"]}"' if "name" in table else f"{number} (no name)"
        spec = _experiment(dict(table), f"{file}: experiment {name}", problems)
        if spec is not None:
            if spec.name in (one.name for one in found):
                problems.append(f"{file}: experiment {name}: name: used twice")
            found.append(spec)
    return tuple(found)


def _experiment(table: dict[str, Any], where: str, problems: list[str]) -> Experiment | None:
    """The experiment; what is unusable is told and left at its default, to tell the rest too."""
    reward, policy = table.pop("reward", None), table.pop("policy", None)
    prior, candidates = table.pop("prior", "auto"), table.pop("candidates", None)
    if candidates is not None:
        table.setdefault("arms", [])
    if table.get("session") == "none":
        table["session"] = None
    values = usable_fields(table, Experiment, where, problems, beside=("reward", "policy"))
    values["reward"] = _reward(reward, where, problems)
    if policy is not None:
        values["policy"] = _policy(policy, where, problems)
    values["prior"] = _prior(prior, where, problems)
    if candidates is not None:
        values["candidates"] = read_candidates(candidates, where, problems)
    usable = {key: value for key, value in values.items() if value is not None or key == "session"}
    needed = {"name", "arms", "default", "reward"}
    if not (needed | ({"candidates"} if candidates is not None else set())) <= usable.keys():
        return None
    spec = Experiment(**usable)
    problems += (f"{where}: {key}: {reason}" for key, reason in spec.problems())
    return spec


def _reward(table: Any, where: str, problems: list[str]) -> Reward | None:
    if table is None:
        problems.append(f"{where}: reward: missing; expected such as {{ click = 1.0 }}")
        return None
    if not isinstance(table, dict):
        problems.append(f"{where}: reward: expected a table such as {{ click = 1.0 }}")
        return None
    before, terms = len(problems), {}
    for kind, term in table.items():
        fields = term if isinstance(term, dict) else {"weight": term}
        values = usable_fields(fields, Term, f"{where}: reward.{kind}", problems)
        if "weight" in values:
            terms[kind] = Term(**values)
    return Reward(terms) if len(problems) == before else None


def _policy(table: Any, where: str, problems: list[str]) -> Any:
    if not isinstance(table, dict):
        problems.append(f'{where}: policy: expected a table such as {{ kind = "thompson" }}')
        return None
    fields = dict(table)
    kind = POLICIES.get(str(fields.pop("kind", "")))
    if kind is None:
        expected = ", ".join(POLICIES)
        got = f", got {table['kind']!r}" if "kind" in table else ""
        problems.append(f"{where}: policy.kind: expected one of {expected}{got}")
        return None
    return kind(**usable_fields(fields, kind, f"{where}: policy", problems))


def _prior(table: Any, where: str, problems: list[str]) -> Prior | None:
    if table == "auto":
        return None
    if not isinstance(table, dict):
        example = "{ mean = 0.02, trials = 50 }"
        problems.append(f'{where}: prior: expected a table such as {example}, or "auto"')
        return None
    before = len(problems)
    values = usable_fields(table, Prior, f"{where}: prior", problems)
    return Prior(**values) if len(problems) == before else None


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
        f"log: retention: {format_duration(retention or 0)} is shorter than the longest story, "
        f"{format_duration(longest)} (session + expose_within + window + lateness): what is "
        "still open could not be recovered": retention is not None and retention < longest,
    }
    problems = [problem for problem, wrong in checks.items() if wrong]
    return [
        f"{file}: {problem}"
        for problem in [*problems, *access_problems(server, found.limits, found.api_keys, names)]
    ]
