"""croupier prior: what past experiments suggest for the next one's arms."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.options import Data, Json
from croupier.cli.where import LogUrl, StatesUrl, open_to_look, told_of

if TYPE_CHECKING:
    from croupier.config.backends import Backends
    from croupier.core.arms.prior import Fit, Prior
    from croupier.core.arms.sums import Sums
    from croupier.core.experiment import Experiment

Experiments = Annotated[
    list[str] | None,
    typer.Option("--experiment", help="Fit to this one's arms; may be given several times."),
]


def prior(
    data: Data = "croupier.db",
    experiment: Experiments = None,
    log: LogUrl = "",
    states: StatesUrl = "",
    *,
    as_json: Json = False,
) -> None:
    """Fit a prior to the arms of past experiments, and print the line to paste.

    All arms that were ever tried count, by their trials outside of the holdout and under the
    reward that is declared now. Experiments with different rewards cannot be pooled: choose.
    It changes nothing and may run beside the server.

    Examples:
      croupier prior

      croupier prior --data shop.db --experiment top-button --experiment footer --json
    """
    from croupier.config.errors import ConfigError
    from croupier.core.arms.posterior import posterior_of
    from croupier.core.arms.prior import fit_prior

    backends, data = open_to_look(data, log, states), told_of(data, log)
    specs, past = _past(backends, data, experiment or [])
    first = specs[0]
    kind = posterior_of(first.posterior, first.reward)
    try:
        fit = fit_prior(past)
    except ValueError as error:
        raise ConfigError(f"{data}: {error}") from error
    line = _line(fit.prior, kind)
    for key, reason in line.problems(kind, *first.reward.bounds):
        raise ConfigError(f"{data}: nothing to declare: {key}: {reason}")
    _report(fit, line, [spec.name for spec in specs], as_json=as_json)


def _past(
    backends: "Backends", data: str, names: list[str]
) -> "tuple[list[Experiment], list[Sums]]":
    """The experiments that were asked for, and what is known of each of their arms."""
    from croupier.config.errors import ConfigError
    from croupier.core.arms.table import totals
    from croupier.runners.declare import read_declarations

    try:
        declarations = read_declarations(backends.log)
        found = totals(backends.states.load().sums.items())
    finally:
        backends.close()
    known = declarations.names()
    for name in names:
        if name not in known:
            expected = ", ".join(known)
            raise typer.BadParameter(f"{name!r} is none of {expected}", param_hint="--experiment")
    chosen = [declarations.latest(name) for name in dict.fromkeys(names or known)]
    if not chosen:
        raise ConfigError(f"{data}: nothing was ever declared")
    for each in chosen[1:]:
        if not _alike(each.spec, chosen[0].spec):
            raise ConfigError(
                f"{data}: {chosen[0].spec.name} and {each.spec.name} have different rewards or "
                "posteriors, their arms do not compare: choose with --experiment"
            )
    now = {(each.spec.name, each.reward_version) for each in chosen}
    sums = [
        each
        for (name, version, stratum, _), each in sorted(found.items())
        if (name, version) in now and stratum == "policy"
    ]
    return [each.spec for each in chosen], sums


def _alike(one: "Experiment", other: "Experiment") -> bool:
    return (one.reward, one.posterior) == (other.reward, other.posterior)


def _line(fitted: "Prior", kind: str) -> "Prior":
    """The prior to four digits, with the deviation where the posterior has one."""
    from croupier.core.arms.prior import Prior

    mean, trials = float(f"{fitted.mean:.4g}"), float(f"{fitted.trials:.4g}")
    if kind != "normal" or not fitted.deviation:
        return Prior(mean, trials)
    return Prior(mean, trials, float(f"{fitted.deviation:.4g}"))


def _report(fit: "Fit", line: "Prior", names: list[str], *, as_json: bool) -> None:
    import msgspec

    said = {key: value for key, value in msgspec.structs.asdict(line).items() if value is not None}
    if as_json:
        about = {"arms": fit.arms, "trials": fit.trials, "differ": fit.differ}
        print(json.dumps({"prior": said, "experiments": names} | about, ensure_ascii=False))
        return
    print(f"prior = {{ {', '.join(f'{key} = {value:g}' for key, value in said.items())} }}")
    doubts = [
        "" if fit.differ else "they do not differ beyond chance: the trials are a bound, not a fit",
        "" if fit.arms >= 10 else "so few arms tell little: its trials may be off by half or more",
    ]
    print(
        f"# from {fit.arms} arms with {fit.trials:,} trials of {', '.join(names)}",
        *(f"# {doubt}" for doubt in doubts if doubt),
        sep="\n",
        file=sys.stderr,
    )
