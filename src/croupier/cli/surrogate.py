"""croupier surrogate: a reward of early signals for a metric that comes late."""

import json
import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from croupier.cli.fitted import as_counted, declared, print_lines
from croupier.cli.matured import Trials, read_trials
from croupier.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from croupier.core.estimate.surrogate import Drift, Surrogate
    from croupier.core.signals import Signals


class Task(StrEnum):
    """What to do with the matured trials."""

    FIT = "fit"
    CHECK = "check"


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
    (|z| > 3) is being rewarded wrongly, and the exit code is 1. So it is where a fit finds no
    signal that is worth anything, or one that follows from the others.

    Examples:
      croupier surrogate fit trials.csv --late revenue_90d --signals click,cart

      croupier surrogate check new.csv --late revenue_90d --signals click=0.2,cart=1.1 --arm arm
    """
    named = _signals(signals, task)
    if task is Task.CHECK and not arm:
        raise typer.BadParameter("check needs --arm")
    trials = read_trials(file, late, list(named), arm)
    if task is Task.FIT:
        _fit(trials, as_json=as_json)
        return
    trials.must_have_arms(arm)
    left = _drifts(trials, [weight or 0.0 for weight in named.values()])
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


def _drifts(trials: Trials, weights: list[float]) -> "Mapping[str, Drift]":
    import numpy as np

    from croupier.core.estimate.surrogate import drifts

    with np.errstate(all="ignore"):  # what overflows is refused below
        left = drifts(trials.signals, trials.late, np.array(weights), trials.arms)
    trials.must_be_finite(number for each in left.values() for number in each)
    return left


def _fit(trials: Trials, *, as_json: bool) -> None:
    import numpy as np

    from croupier.core.estimate.surrogate import CollinearError, Surrogate

    trials.must_be_signals()
    trials = as_counted(trials)
    with np.errstate(all="ignore"):  # what overflows is refused below
        try:
            found = Surrogate.fit(trials.signals, trials.late)
        except CollinearError as error:
            print(trials.follow(error.columns), file=sys.stderr)
            raise typer.Exit(1) from None
        except ValueError as error:
            raise typer.BadParameter(f"{trials.file}: {error}") from None
    fitted = [found.base, found.explained, *found.weights, *found.errors, *found.middle]
    trials.must_be_finite([*fitted, *found.covariance.ravel()])
    reward, signals = declared(found, trials)
    _print_fit(found, trials.names, as_json=as_json, signals=signals)
    if not reward.terms:
        print(f"no signal tells anything of {trials.metric}: no reward", file=sys.stderr)
        raise typer.Exit(1)
    if not as_json:
        print_lines(reward, signals)


def _print_fit(found: "Surrogate", names: list[str], *, as_json: bool, signals: "Signals") -> None:
    kinds = list(zip(names, found.weights.tolist(), found.errors.tolist(), strict=True))
    if as_json:
        weights = {name: {"weight": weight, "error": error} for name, weight, error in kinds}
        told = {"base": found.base, "explained": found.explained, "trials": found.trials}
        declared = {"surrogate": msgspec.to_builtins(signals)}
        print(json.dumps(told | {"signals": weights} | declared))
        return
    for name, weight, error in kinds:
        print(f"# {name}: {weight:.4g} ± {error:.2g}", file=sys.stderr)
        if name not in signals:
            print(f"# {name}: left out, no reward can have so small a weight", file=sys.stderr)
    line = f"# from {found.trials:,} trials; signals explain {found.explained:.0%} of the variance"
    print(line, file=sys.stderr)


def _signals(text: str, task: Task) -> dict[str, float | None]:
    """What --signals says: names to fit, weights of them to check."""
    named: dict[str, float | None] = {}
    for each in text.split(","):
        name, weight = _signal(each)
        if name in named:
            raise typer.BadParameter(f"--signals: {name!r} is named twice")
        if weight is None and task is Task.CHECK:
            raise typer.BadParameter(f"check needs a weight for {name}, such as {name}=0.2")
        if weight is not None and task is Task.FIT:
            raise typer.BadParameter(f"--signals: fit finds weights itself: {name}, not {each}")
        named[name] = weight
    return named


def _signal(text: str) -> tuple[str, float | None]:
    name, equals, said = text.strip().partition("=")
    if not equals:
        return name, None
    try:
        weight = float(said)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise typer.BadParameter(f"--signals: expected such as click=0.2, got {text!r}")
    return name, weight
