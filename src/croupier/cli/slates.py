"""From options to what an evaluation of rankings is asked."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from croupier.cli.asked import (
    Asked,
    backends_of,
    bounds_of,
    check,
    chosen,
    columns_of,
    of_file,
    refuse_barred,
    some,
    wrong,
)
from croupier.config.trial_logs import open_slate_log
from croupier.core.evaluate.answer import Answer
from croupier.core.evaluate.slates import RankingTarget
from croupier.ports import SlateLog
from croupier.runners.declare import read_declarations
from croupier.runners.own_slates import OwnSlates
from croupier.runners.ranking_evaluation import evaluate_rankings

PREFIX = "ranking:"


class RankingQuestion(NamedTuple):
    """A log of slates, and the rankings that are asked about."""

    said: Asked
    name: str
    log: SlateLog
    target: RankingTarget
    close: Callable[[], None]

    def answer(self, _: Callable[[int], None]) -> Answer:
        """Read the log and answer."""
        alpha = 1 - self.said.confidence
        return evaluate_rankings(self.log, self.name, self.said.policy, self.target, alpha)


def ranking_question(said: Asked) -> RankingQuestion:
    """Open the log and check what was said; BadParameter names the option, ConfigError the file."""
    check(said)
    if of_file(said):
        bounds, columns = bounds_of(said), columns_of(said)
        log = open_slate_log(said.log, said.part, columns, bounds, said.least)
        name = f"{said.log.name} {said.part}" if said.part else said.log.name
        return RankingQuestion(said, name, log, _target(said.policy, log, name, {}), lambda: None)
    backends = backends_of(said)
    try:
        declarations = read_declarations(backends.log)
        own = OwnSlates(backends, declarations, chosen(said, declarations.names()))
        target = _target(said.policy, own, own.spec.name, own.why_barred)
        _refuse_crowded(own.forbidden(_names(said.policy)))
        name = f"{said.log.name} {own.spec.name}"
        return RankingQuestion(said, name, own, target, backends.close)
    except BaseException:
        backends.close()
        raise


def _refuse_crowded(reasons: Iterable[str]) -> None:
    for reason in reasons:
        raise wrong("--policy", f"{reason}: limits of groups never let it be shown")


def _names(policy: str) -> list[str]:
    return policy.removeprefix(PREFIX).split(",")


def _target(policy: str, log: SlateLog, name: str, barred: Mapping[str, str]) -> RankingTarget:
    if not log.slots:
        return RankingTarget()  # an empty log: whatever is asked is refused
    if log.slots == 1:
        raise wrong("--policy", f"{name} has one slot: name an arm, always:ARM")
    if policy in {"ranking:logged", "ranking:uniform"}:
        return RankingTarget(among=tuple(log.active) if policy.endswith("uniform") else ())
    names = _names(policy)
    unknown = [name for name in names if name not in log.arms]
    if unknown:
        raise wrong("--policy", f"{unknown[0]!r} is none of {some(list(log.arms))}")
    if len(names) != log.slots or len(set(names)) != log.slots:
        raise wrong("--policy", f"expected {log.slots} different arms, from the first slot down")
    refuse_barred(names, barred)
    return RankingTarget(order=tuple(log.arms[name] for name in names))
