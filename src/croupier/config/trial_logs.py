"""The log of trials that a path names, and the weights that a file holds."""

import csv
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from croupier.adapters.trial_files import (
    ROLES,
    DsjsonLog,
    TableLog,
    TableSlates,
    UnreadableFileError,
)
from croupier.config.errors import ConfigError
from croupier.ports import SlateLog, TrialLog

__all__ = [
    "ROLES",
    "UnreadableFileError",
    "is_trial_file",
    "open_slate_log",
    "open_trial_log",
    "read_weights",
]

_TABLES = (".csv", ".csv.gz", ".csv.xz", ".parquet")
_LINES = (".json", ".dsjson", ".jsonl")

Weights = dict[str, dict[str, float]]
"""Arm → weight by position; the position "" stands for all."""


def is_trial_file(path: Path) -> bool:
    """Whether a path is a folder or file of trials, and not a data file of Croupier's own."""
    return path.is_dir() or path.name.endswith((*_TABLES, *_LINES))


def open_trial_log(path: Path, part: str | None, columns: Mapping[str, str]) -> TrialLog:
    """The log in a file, or in that part of a folder; ConfigError when there is none."""
    file = trial_file(path, part)
    return DsjsonLog(file) if file.name.endswith(_LINES) else TableLog(file, columns)


def open_slate_log(
    path: Path,
    part: str | None,
    columns: Mapping[str, str],
    bounds: tuple[float, float],
    least: float | None,
) -> SlateLog:
    """The slates of a table, read; ConfigError when the file holds none."""
    file = trial_file(path, part)
    if file.name.endswith(_LINES):
        raise ConfigError(f"{file}: slates are read from CSV and Parquet, with a row a slot")
    log = TableSlates(file, columns, bounds, least)
    try:
        log.read()
    except UnreadableFileError as error:
        raise ConfigError(str(error)) from None
    return log


def trial_file(path: Path, part: str | None) -> Path:
    """The file that is meant: the path itself, or the folder's file whose name ends like `part`."""
    if not path.is_dir():
        if not path.exists():
            raise ConfigError(f"{path}: no such file")
        if part is not None:
            raise ConfigError(f"--part: {path} is a file, parts are those of a folder")
        return path
    found = {
        _stem(file.relative_to(path)): file
        for file in sorted(path.rglob("*"))
        if file.name.endswith((*_TABLES, *_LINES)) and _holds_trials(file)
    }
    fits = [name for name in found if part is None or name == part or name.endswith("/" + part)]
    if len(fits) != 1:
        told = ", ".join(found) or "no file with columns for action, reward and propensity"
        raise ConfigError(f"{path}: {'choose one with --part: ' if found else ''}{told}")
    return found[fits[0]]


def _stem(path: Path) -> str:
    return re.sub(r"\.(csv(\.gz|\.xz)?|parquet|jsonl?|dsjson)$", "", path.as_posix())


def _holds_trials(file: Path) -> bool:
    log = DsjsonLog(file) if file.name.endswith(_LINES) else TableLog(file)
    return log.fits()


def read_weights(file: Path) -> Weights:
    """Weights by position: {arm: weight}, or {position: {arm: weight}}, in JSON or TOML, or CSV.

    A CSV has the arms in its first column and the weights in `weight`, or in `position_1`, … .
    Raises ConfigError, naming the file, for anything else and where a position's sum is not 1.
    """
    try:
        found = _weights(file)
    except (OSError, ValueError, TypeError, AttributeError, IndexError, csv.Error) as error:
        raise ConfigError(f"{file}: no weights of arms: {error}") from error
    except RecursionError:
        raise ConfigError(f"{file}: no weights of arms: nested too deeply") from None
    for position, weights in found.items():
        where = f"position {position}: " if position else ""
        if any(not 0 <= weight <= 1 for weight in weights.values()):
            raise ConfigError(f"{file}: {where}a weight must be between 0 and 1")
        if not abs(sum(weights.values()) - 1.0) < 1e-6:
            raise ConfigError(f"{file}: {where}weights sum to {sum(weights.values()):.6g}, not 1")
    return found


def _weights(file: Path) -> Weights:
    if file.suffix == ".csv":
        with file.open(encoding="utf-8-sig", newline="") as lines:
            header, *rows = csv.reader(lines, strict=True)
        if len(set(header)) < len(header):
            raise ValueError("two columns have the same name")
        named = {name: place for place, name in enumerate(header) if place}
        if "weight" in named:
            return {"": {row[0]: float(row[named["weight"]]) for row in rows}}
        return {
            name.removeprefix("position_"): {row[0]: float(row[place]) for row in rows}
            for name, place in named.items()
            if name.startswith("position_")
        }
    text = file.read_text(encoding="utf-8-sig")
    plain: dict[str, Any] = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    if all(isinstance(each, dict) for each in plain.values()):
        return {
            position: {arm: float(weight) for arm, weight in weights.items()}
            for position, weights in plain.items()
        }
    return {"": {arm: float(weight) for arm, weight in plain.items()}}
