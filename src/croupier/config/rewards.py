"""What outcomes are worth, and which may not get worse, as croupier.toml says it."""

from typing import Any

from croupier.config.fields import usable_fields
from croupier.core.guardrail import Guardrail
from croupier.core.reward import Reward, Term
from croupier.core.signals import Signal

_SIGNAL = "surrogate.click = { mean = 0.2, covariance = { click = 0.0001 } }"
_EXAMPLE = "[experiment.guardrail.refund] with reward = { refund = 1.0 } and a margin"


def read_reward(table: Any, where: str, problems: list[str]) -> Reward | None:
    """A table of outcome kinds; None, and every problem named, where one is unusable."""
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


def read_guardrails(tables: Any, where: str, problems: list[str]) -> dict[str, Guardrail] | None:
    """A table a guardrail, by name; None where there is none, and without those unusable."""
    whole = isinstance(tables, dict) and all(isinstance(each, dict) for each in tables.values())
    if not whole or not tables:
        problems.append(f"{where}: guardrail: expected a table of each, such as {_EXAMPLE}")
        return None
    found = {}
    for name, table in tables.items():
        place, before = f"{where}: guardrail.{name}", len(problems)
        fields = dict(table)
        reward = read_reward(fields.pop("reward", None), place, problems)
        values = usable_fields(fields, Guardrail, place, problems, beside=("reward",))
        if reward is not None and len(problems) == before:
            found[name] = Guardrail(reward=reward, **values)
    return found or None


def read_surrogate(tables: Any, where: str, problems: list[str]) -> dict[str, Signal] | None:
    """A table a signal, by outcome kind; None, and every problem named, where one is unusable."""
    if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
        problems.append(f"{where}: surrogate: expected a table of each signal, such as {_SIGNAL}")
        return None
    before, found = len(problems), {}
    for kind, table in tables.items():
        values = usable_fields(table, Signal, f"{where}: surrogate.{kind}", problems)
        if {"mean", "covariance"} <= values.keys():
            found[kind] = Signal(**values)
    return found if len(problems) == before else None
