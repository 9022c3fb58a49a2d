"""`[[experiment]]` tables → what is declared; all that is wrong is named."""

from collections.abc import Callable
from typing import Any

from croupier.config.candidates import read_candidates
from croupier.config.fields import usable_fields
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
    reward, prior = table.pop("reward", None), table.pop("prior", "auto")
    tables = {key: table.pop(key) for key in _TABLES if key in table}
    if "candidates" in tables:
        table.setdefault("arms", [])
    if table.get("session") == "none":
        table["session"] = None
    values = usable_fields(table, Experiment, where, problems, beside=("reward", "policy"))
    values["reward"] = read_reward(reward, where, problems)
    values["prior"] = _prior(prior, where, problems)
    values |= {key: _TABLES[key](own, where, problems) for key, own in tables.items()}
    usable = {key: value for key, value in values.items() if value is not None or key == "session"}
    needed = {"name", "arms", "default", "reward"} | ({"candidates"} & tables.keys())
    if not needed <= usable.keys():
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
    if table == "auto":
        return None
    if not isinstance(table, dict):
        example = "{ mean = 0.02, trials = 50 }"
        problems.append(f'{where}: prior: expected a table such as {example}, or "auto"')
        return None
    before = len(problems)
    values = usable_fields(table, Prior, f"{where}: prior", problems)
    return Prior(**values) if len(problems) == before else None


def _diversity(table: Any, where: str, problems: list[str]) -> Diversity | None:
    if not isinstance(table, dict):
        problems.append(f"{where}: diversity: expected a table such as {{ at_most = 2 }}")
        return None
    before = len(problems)
    values = usable_fields(table, Diversity, f"{where}: diversity", problems)
    return Diversity(**values) if len(problems) == before else None


_TABLES: dict[str, Callable[[Any, str, list[str]], Any]] = {
    "guardrail": read_guardrails,
    "surrogate": read_surrogate,
    "policy": _policy,
    "diversity": _diversity,
    "candidates": read_candidates,
}
"""Keys that hold tables of their own, and who reads them."""
