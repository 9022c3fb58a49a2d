"""What was said of an evaluation on the command line, and the log that it names."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import typer

from croupier.config.backends import Backends, open_backends
from croupier.config.errors import ConfigError
from croupier.config.services import open_reading
from croupier.config.trial_logs import ROLES, is_trial_file
from croupier.runners.own_slates import OwnSlates
from croupier.runners.own_trials import OwnTrials

_KAFKA = "kafka://"
_ONE_DRAW = (
    'sticky = "unit": trials of one unit are one draw, not several. Intervals are too narrow by '
    "what these have in common, and a mean weight far from 1 may be no fault of the log"
)


class Asked(NamedTuple):
    """What was said on the command line; None where nothing was."""

    log: Path
    policy: str
    experiment: str | None = None
    part: str | None = None
    columns: str | None = None
    rewards: str | None = None
    least: float | None = None
    confidence: float = 0.95
    url: str = ""
    """The log as it was said; a path has no //."""


def check(said: Asked) -> None:
    """Refuse by its option what no log can answer."""
    if not 0.5 <= said.confidence < 1:
        raise wrong("--confidence", f"must be at least 0.5 and below 1, got {said.confidence}")
    if said.least is not None and not 0 < said.least <= 1:
        raise wrong("--least-propensity", f"must be above 0, at most 1, got {said.least}")
    if said.experiment is not None and of_file(said):
        raise wrong("--experiment", f"{said.log} is no data file")


def bounds_of(said: Asked) -> tuple[float, float]:
    """The least and the largest reward that is possible."""
    try:
        low, high = (float(part) for part in (said.rewards or "0,1").split(","))
    except ValueError:
        reason = f"expected two numbers such as 0,1, got {said.rewards!r}"
        raise wrong("--rewards", reason) from None
    if not low < high:
        raise wrong("--rewards", f"the first must be the smaller, got {said.rewards!r}")
    return low, high


def columns_of(said: Asked) -> dict[str, str]:
    """The columns that have other names than usual, by role."""
    pairs = [part.partition("=") for part in (said.columns or "").split(",") if part]
    for role, _, name in pairs:
        if role not in ROLES or not name:
            raise wrong("--columns", f"expected {'|'.join(ROLES)}=NAME, got {role!r}")
    return {role: name for role, _, name in pairs}


def backends_of(said: Asked) -> Backends:
    """The data file, or the services, that the log is in; ConfigError when there is none."""
    if said.url.startswith(_KAFKA):
        return open_reading(said.url)
    if not said.log.exists():
        raise ConfigError(f"{said.log}: no such file")
    return open_backends(said.log, read_only=True)


def of_file(said: Asked) -> bool:
    """Whether the log is a file of trials, not Croupier's own."""
    return not said.url.startswith(_KAFKA) and is_trial_file(said.log)


def chosen(said: Asked, names: list[str]) -> str:
    """The experiment that was named, or the only one there is."""
    if said.experiment is None and len(names) > 1:
        raise wrong("--experiment", f"needed to choose one of {', '.join(names)}")
    name = said.experiment or next(iter(names), "")
    if name not in names:
        raise wrong("--experiment", f"{name!r} is none of {some(names)}")
    return name


def some(names: list[str]) -> str:
    """A dozen names."""
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "")


def wrong(option: str, reason: str) -> typer.BadParameter:
    """The error that names an option and what is wrong with it."""
    return typer.BadParameter(reason, param_hint=option)


def warnings_of(log: object) -> list[str]:
    """What an evaluation of our own log takes to be so, and is not."""
    if not isinstance(log, OwnTrials | OwnSlates) or log.spec.sticky != "unit":
        return []
    return [_ONE_DRAW]


def refuse_barred(arms: Iterable[str], barred: Mapping[str, str]) -> None:
    """A policy that shows an arm which a guardrail took out cannot be played: name it, and why."""
    for arm in arms:
        if arm in barred:
            why = f"{arm!r} is barred, so that trials of it are missing: {barred[arm]}"
            raise wrong("--policy", why)
