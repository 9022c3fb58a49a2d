"""Past trials by a newer reward: the older versions of an experiment, read anew."""

from msgspec.structs import replace

from croupier.core.declarations import Declarations
from croupier.core.records import Declaration

_SHAPE = ("session", "slots", "ranking")


def valued_by(declarations: Declarations, experiment: str, reward_version: int) -> Declarations:
    """The older versions of an experiment; reward, its signals and its window are a newer one's.

    Guardrails stay each version's own: one judges what was decided while it was declared. So what
    a refill adds is settled once its reward version is there, whatever is declared later on.
    Versions with other sessions, slots or ranking are left out: their trials would not compare.
    """
    book, versions = Declarations(), declarations.versions(experiment)
    now = max(
        (each for each in versions if each.reward_version == reward_version),
        key=lambda each: each.version,
    )
    for each in versions:
        older = each.reward_version < reward_version
        if older and not each.spec.differs(now.spec, _SHAPE):
            spec = replace(
                each.spec,
                reward=now.spec.reward,
                surrogate=now.spec.surrogate,
                window=now.spec.window,
            )
            book.apply(
                Declaration(
                    version=each.version, reward_version=reward_version, at=each.at, spec=spec
                )
            )
    return book
