"""`[[experiment]]` tables → what is declared; all that is wrong is named."""

from collections.abc import Callable
from typing import Any

from croupier.config.candidates import read_candidates
from croupier.config.fields import named_tables, one_of, usable_fields
from croupier.config.rewards import read_guardrails, read_reward, read_surrogate
from croupier.core.arms.prior import Prior
from croupier.core.diversity import Diversity
from croupier.core.experiment import Experiment
from croupier.core.policies.registry import POLICIES
from croupier.core.problems import problems as problems_of


def read_experiments(tables: Any, file: str, problems: list[str]) -> tuple[Experiment, ...]:
    """Every experiment that can be used; what is wrong with the others is told in `problems`.

    >>> problems = []
    >>> read_experiments({}, "croupier.toml", problems), problems
    ((), ['croupier.toml: experiment: write [[experiment]], with two brackets'])
    """
    found: list[Experiment] = []
    for where, table in named_tables(tables, "experiment", file, problems):
        spec = _experiment(table, where, problems)
        if spec is not None:
            if spec.name in (one.name for one in found):
                problems.append(f"{where}: name: used twice")
            found.append(spec)
    return tuple(found)


def _experiment(table: dict[str, Any], where: str, problems: list[str]) -> Experiment | None:
    """The experiment; what is unusable is told and left at its default, to tell the rest too."""
    if table.get("prior") == "auto":
        del table["prior"]
    tables = {key: table.pop(key) for key in ("reward", *_OPTIONAL) if key in table}
    if "candidates" in tables:
        table.setdefault("arms", [])
    if table.get("session") == "none":
        table["session"] = None
    values = usable_fields(table, Experiment, where, problems, beside=("reward",))
    values["reward"] = read_reward(tables.pop("reward", None), where, problems)
    values |= {key: _OPTIONAL[key](each, where, problems) for key, each in tables.items()}
    usable = {key: value for key, value in values.items() if value is not None or key == "session"}
    if not {"name", "arms", "default", "reward", *tables.keys() & {"candidates"}} <= usable.keys():
        return None
    spec = Experiment(**usable)
    problems += (f"{where}: {key}: {reason}" for key, reason in problems_of(spec))
    return spec


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
    example = '{ mean = 0.02, trials = 50 }, or "auto"'
    return one_of(Prior, table, f"{where}: prior", problems, example)


def _diversity(table: Any, where: str, problems: list[str]) -> Diversity | None:
    return one_of(Diversity, table, f"{where}: diversity", problems, "{ at_most = 2 }")


_OPTIONAL: dict[str, Callable[[Any, str, list[str]], Any]] = {
    "policy": _policy,
    "prior": _prior,
    "candidates": read_candidates,
    "diversity": _diversity,
    "guardrail": read_guardrails,
    "surrogate": read_surrogate,
}
"""How each table is read that an experiment need not have."""
