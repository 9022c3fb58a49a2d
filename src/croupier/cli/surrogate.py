"""croupier surrogate: a reward of early signals for a metric that comes late."""

import json
import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from croupier.cli.options import Json

if TYPE_CHECKING:
    from croupier.core.arms.panels import FloatArray
    from croupier.core.estimate.surrogate import Surrogate


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
    closed. The check takes later trials: an arm whose late metric is not what its signals promise
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
        print(json.dumps(told | {"signals": signals}))
        return
    for name, weight, error in kinds:
        print(f"# {name}: {weight:.4g} ± {error:.2g}", file=sys.stderr)
    line = f"# from {found.trials:,} trials; signals explain {found.explained:.0%} of the variance"
    print(line, file=sys.stderr)
    terms = [_term(*kind[:2], trials.signals[:, k]) for k, kind in enumerate(kinds)]
    print(f"reward = {{ {', '.join(filter(None, terms))} }}")


def _term(name: str, weight: float, column: "FloatArray") -> str:
    """A term of a reward; none for a weight that no reward can have."""
    rounded = round(weight, 6)
    if not rounded:
        return ""
    most = float(column.max())
    if bool((column == column.round()).all()):
        if most <= 1:
            return f"{name} = {rounded:.6g}"
        return f"{name} = {{ weight = {rounded:.6g}, cap = {min(int(most), 256)} }}"
    return f'{name} = {{ weight = {rounded:.6g}, of = "value", max = {math.ceil(most)} }}'


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
