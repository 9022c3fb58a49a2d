"""A fitted surrogate as lines of a declaration, all of which it takes."""

import json
import math
import sys
from typing import TYPE_CHECKING

from croupier.cli.matured import Trials
from croupier.config.errors import ConfigError

if TYPE_CHECKING:
    from croupier.core.arms.panels import FloatArray
    from croupier.core.estimate.surrogate import Surrogate
    from croupier.core.reward import Reward, Term
    from croupier.core.signals import Signals


def as_counted(trials: Trials) -> Trials:
    """The trials with counts as a reward can count them, to a cap of 256 at most; says so."""
    from croupier.core.reward import MOST_IDS

    signals = trials.signals.copy()
    for name, column in zip(trials.names, signals.T, strict=True):
        above = int((column > MOST_IDS).sum())
        if above and _is_count(column):
            column.clip(max=MOST_IDS, out=column)
            told = f"{above:,} of {len(column):,} trials have more than {MOST_IDS}"
            print(f"# {name}: {told}, the most that is counted: fitted as {MOST_IDS}",
                  file=sys.stderr)  # fmt: skip
    return trials._replace(signals=signals)


def _is_count(column: "FloatArray") -> bool:
    return bool((column == column.round()).all())


def declared(found: "Surrogate", trials: Trials) -> "tuple[Reward, Signals]":
    """What is to be declared, of the numbers as they are printed; ConfigError where none can be."""
    from croupier.core.reward import Reward
    from croupier.core.signals import Signal, signal_problems

    weights = zip(trials.names, found.weights.tolist(), trials.signals.T, strict=True)
    terms = {name: _term(weight, column) for name, weight, column in weights if round(weight, 6)}
    reward = Reward(terms)
    signals = {
        kind: Signal(
            _short(one.mean),
            {other: _short(value) for other, value in one.covariance.items() if other in terms},
        )
        for kind, one in found.signals(trials.names).items()
        if kind in terms
    }
    wrong = [*reward.problems()]
    if signals:
        wrong += ((f"surrogate.{key}", why) for key, why in signal_problems(signals, reward))
    if wrong:
        told = (f"{trials.file}: no reward can be like this: {key}: {why}" for key, why in wrong)
        raise ConfigError(*told)
    return reward, signals


def _term(weight: float, column: "FloatArray") -> "Term":
    """What a kind is worth in a reward."""
    from croupier.core.reward import Term

    rounded, most = float(f"{round(weight, 6):.6g}"), float(column.max())
    if _is_count(column):
        return Term(rounded, cap=max(1, int(most)))
    return Term(rounded, of="value", max=float(math.ceil(most)))


def _short(number: float) -> float:
    return float(f"{number:.9g}")


def print_lines(reward: "Reward", signals: "Signals") -> None:
    """The lines of the declaration, to be pasted."""
    terms = (f"{_key(kind)} = {_term_text(term)}" for kind, term in reward.terms.items())
    print(f"reward = {{ {', '.join(terms)} }}")
    for kind, one in signals.items():
        told = ", ".join(f"{_key(other)} = {each:.9g}" for other, each in one.covariance.items())
        mean = f"mean = {one.mean:.9g}"
        print(f"surrogate.{_key(kind)} = {{ {mean}, covariance = {{ {told} }} }}")


def _term_text(term: "Term") -> str:
    weight = f"weight = {term.weight:.6g}"
    if term.of == "value":
        return f'{{ {weight}, of = "value", max = {term.max:.0f} }}'
    return f"{term.weight:.6g}" if term.cap == 1 else f"{{ {weight}, cap = {term.cap} }}"


def _key(kind: str) -> str:
    """A kind as a key of TOML."""
    bare = kind.replace("-", "").replace("_", "")
    return kind if bare.isalnum() and bare.isascii() else json.dumps(kind)
