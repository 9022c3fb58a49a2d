"""From options to what an evaluation of rankings is asked."""

from collections.abc import Callable
from typing import NamedTuple

from croupier.cli.asked import Asked, backends_of, chosen, of_file, refuse_barred, wrong
from croupier.config.backends import Backends
from croupier.core.evaluate.answer import Answer
from croupier.core.evaluate.slates import RankingTarget
from croupier.runners.declare import read_declarations
from croupier.runners.own_slates import OwnSlates
from croupier.runners.ranking_evaluation import evaluate_rankings

PREFIX = "ranking:"


class RankingQuestion(NamedTuple):
    """A data file's slates, and the rankings that are asked about."""

    said: Asked
    backends: Backends
    log: OwnSlates
    target: RankingTarget

    def answer(self, _: Callable[[int], None]) -> Answer:
        """Read the log and answer."""
        said = self.said
        name = f"{said.log.name} {self.log.spec.name}"
        return evaluate_rankings(self.log, name, said.policy, self.target, 1 - said.confidence)

    def close(self) -> None:
        """Let the data file go."""
        self.backends.close()


def ranking_question(said: Asked) -> RankingQuestion:
    """Open the data file and check what was said; BadParameter names the option."""
    if not 0.5 <= said.confidence < 1:
        raise wrong("--confidence", f"must be at least 0.5 and below 1, got {said.confidence}")
    if of_file(said):
        raise wrong("--policy", "rankings are evaluated on Croupier's own data file")
    backends = backends_of(said)
    try:
        declarations = read_declarations(backends.log)
        log = OwnSlates(backends, declarations, chosen(said, declarations.names()))
        return RankingQuestion(said, backends, log, _target(said.policy, log))
    except BaseException:
        backends.close()
        raise


def _target(policy: str, log: OwnSlates) -> RankingTarget:
    slots = log.spec.slots
    if slots == 1:
        raise wrong("--policy", f"{log.spec.name} has one slot: name an arm, always:ARM")
    if policy in {"ranking:logged", "ranking:uniform"}:
        return RankingTarget(among=log.active if policy.endswith("uniform") else ())
    names = policy.removeprefix(PREFIX).split(",")
    unknown = [name for name in names if name not in log.arms]
    if unknown:
        raise wrong("--policy", f"{unknown[0]!r} is none of {', '.join(list(log.arms)[:12])}")
    if len(names) != slots or len(set(names)) != slots:
        raise wrong("--policy", f"expected {slots} different arms, from the first slot down")
    refuse_barred(names, log.why_barred)
    return RankingTarget(order=tuple(log.arms[name] for name in names))
