"""croupier surrogate: a reward of early signals for a metric that comes late."""

import json
import math
import sys
from collections.abc import Container
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import typer

from croupier.cli.options import Json

if TYPE_CHECKING:
    from croupier.core.arms.panels import FloatArray
    from croupier.core.estimate.surrogate import Surrogate
    from croupier.core.signals import Signal


class Task(StrEnum):
    """What to do with the matured trials."""

    FIT = "fit"
    CHECK = "check"


class _Trials(NamedTuple):
    names: list[str]
    signals: "FloatArray"
    late: "FloatArray"
    arms: list[str]


def surrogate(
    task: Annotated[Task, typer.Argument(help="Fit a reward, or check one that is in use.")],
    file: Annotated[Path, typer.Argument(help="Matured trials, a row each: CSV or Parquet.")],
    late: Annotated[str, typer.Option(help="The column of the late metric.")],
    signals: Annotated[
        str, typer.Option(help="Columns of early signals; to check, with weights: click=0.2,cart=1")
    ],
    arm: Annotated[str, typer.Option(help="The column of the arm, where there is one.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Predict what comes in weeks from what comes within the window, and print it as a reward.

    Take trials of which the late metric is known, with the signals as they were when the window
    closed. The lines go into the declaration: what is published is then as unsure as the weights
    are. The check takes later trials: an arm whose late metric is not what its signals promise
    (|z| > 3) is being rewarded wrongly, and the exit code is 1.

    Examples:
      croupier surrogate fit trials.csv --late revenue_90d --signals click,cart

      croupier surrogate check new.csv --late revenue_90d --signals click=0.2,cart=1.1 --arm arm
    """
    from croupier.core.estimate.surrogate import Surrogate, drifts

    named = dict(_signal(each) for each in signals.split(","))
    trials = _read(file, late, list(named), arm)
    if task is Task.FIT:
        try:
            found = Surrogate.fit(trials.signals, trials.late)
        except ValueError as error:
            raise typer.BadParameter(f"{file}: {error}") from None
        _print_fit(found, trials, as_json=as_json)
        return
    absent = [name for name, weight in named.items() if weight is None]
    if absent or not arm:
        wanted = f"a weight for {absent[0]}, such as {absent[0]}=0.2" if absent else "--arm"
        raise typer.BadParameter(f"check needs {wanted}")
    weights = trials.signals[:1].ravel() * 0.0 + [weight or 0.0 for weight in named.values()]
    left = drifts(trials.signals, trials.late, weights, trials.arms)
    drifted = [name for name, each in left.items() if abs(each.z) > 3]
    if as_json:
        arms = {name: each._asdict() for name, each in left.items()}
        print(json.dumps({"arms": arms, "drifted": drifted}))
    else:
        for name, each in left.items():
            print(f"{name}: {each.left:+.4g} ± {each.error:.2g} a trial, z = {each.z:+.1f}")
        print(f"drifted: {', '.join(drifted)}" if drifted else "no arm has drifted")
    if drifted:
        raise typer.Exit(1)


def _print_fit(found: "Surrogate", trials: _Trials, *, as_json: bool) -> None:
    kinds = list(zip(trials.names, found.weights.tolist(), found.errors.tolist(), strict=True))
    if as_json:
        signals = {name: {"weight": weight, "error": error} for name, weight, error in kinds}
        told = {"base": found.base, "explained": found.explained, "trials": found.trials}
        declared = {"surrogate": msgspec.to_builtins(found.signals(trials.names))}
        print(json.dumps(told | {"signals": signals} | declared))
        return
    for name, weight, error in kinds:
        print(f"# {name}: {weight:.4g} ± {error:.2g}", file=sys.stderr)
    line = f"# from {found.trials:,} trials; signals explain {found.explained:.0%} of the variance"
    print(line, file=sys.stderr)
    terms = {
        name: _term(weight, trials.signals[:, place])
        for place, (name, weight, _) in enumerate(kinds)
        if round(weight, 6)
    }
    print(f"reward = {{ {', '.join(f'{_key(name)} = {term}' for name, term in terms.items())} }}")
    for name, signal in found.signals(trials.names).items():
        if name in terms:
            print(f"surrogate.{_key(name)} = {_signal_table(signal, terms)}")
        else:
            print(f"# {name}: left out, no reward can have so small a weight", file=sys.stderr)


def _term(weight: float, column: "FloatArray") -> str:
    """What a kind is worth in a reward."""
    rounded, most = round(weight, 6), float(column.max())
    if bool((column == column.round()).all()):
        if most <= 1:
            return f"{rounded:.6g}"
        return f"{{ weight = {rounded:.6g}, cap = {min(int(most), 256)} }}"
    return f'{{ weight = {rounded:.6g}, of = "value", max = {math.ceil(most)} }}'


def _signal_table(signal: "Signal", kinds: Container[str]) -> str:
    """What is declared of a signal beside those kinds: its mean, and its weight's covariances."""
    told = [f"{_key(kind)} = {value:.9g}" for kind, value in signal.covariance.items()
            if kind in kinds]  # fmt: skip
    return f"{{ mean = {signal.mean:.9g}, covariance = {{ {', '.join(told)} }} }}"


def _key(name: str) -> str:
    """A kind as a key of TOML."""
    bare = name.replace("-", "").replace("_", "")
    return name if bare.isalnum() and bare.isascii() else json.dumps(name)


def _signal(text: str) -> tuple[str, float | None]:
    name, equals, weight = text.strip().partition("=")
    try:
        return name, float(weight) if equals else None
    except ValueError:
        raise typer.BadParameter(f"--signals: expected such as click=0.2, got {text!r}") from None


def _read(file: Path, late: str, names: list[str], arm: str) -> _Trials:
    import numpy as np

    from croupier.config.errors import ConfigError
    from croupier.config.row_files import read_table

    if not file.is_file():
        raise ConfigError(f"{file}: no such file")
    rows = read_table(file)
    head = next(rows, [])
    wanted = [*names, late, *([arm] if arm else [])]
    for name in wanted:
        if name not in head:
            raise ConfigError(f"{file}: no column {name!r}; there are {', '.join(head)}")
    places = [head.index(name) for name in wanted]
    numbers: list[list[float]] = []
    arms: list[str] = []
    for line, row in enumerate(rows, 1):
        try:
            cells = [row[place] for place in places]
            found = [float(cell or 0.0) for cell in cells[: len(names)]]
            found.append(float(cells[len(names)]))
        except (ValueError, IndexError):
            raise ConfigError(
                f"{file}: row {line}: expected numbers in {', '.join(wanted)}"
            ) from None
        if not all(map(math.isfinite, found)):
            raise ConfigError(f"{file}: row {line}: a number is not finite")
        numbers.append(found)
        arms.append(cells[-1] if arm else "")
    table = np.array(numbers, dtype=np.float64).reshape(-1, len(names) + 1)
    return _Trials(names, table[:, :-1], table[:, -1], arms)
