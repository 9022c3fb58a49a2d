"""A refill values past trials by a newer reward; nothing that is declared later changes what it is.

Invariant: what a refill of (experiment, reward version) adds is a function of the trials and of
the declarations up to that version's first. A guardrail's sums are of the trials that were decided
under a declaration that has it.
"""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from croupier.core.declarations import Declarations
from croupier.core.duration import MINUTE
from croupier.core.experiment import STORY_FIELDS, Experiment
from croupier.core.guardrail import Guardrail
from croupier.core.records import Declaration
from croupier.core.revalue import valued_by
from croupier.core.reward import Reward, Term
from croupier.core.signals import Signal

FIRST = Experiment("b", ("x", "y"), "x", Reward({"click": Term(1.0)}))
DEARER = Reward({"click": Term(2.0, cap=3)})
ONCE, THRICE = ({"refund": Guardrail(each, margin=0.1)} for each in (FIRST.reward, DEARER))
REWARDS = st.sampled_from([FIRST.reward, DEARER])
GUARDRAILS = st.dictionaries(
    st.sampled_from(["refund", "error"]),
    st.builds(Guardrail, REWARDS, margin=st.sampled_from([0.1, 0.2])),
    max_size=2,
)
SURROGATES = st.sampled_from(
    [msgspec.UNSET, *({"click": Signal(mean, {"click": 0.01})} for mean in (0.1, 0.2))]
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "reward": REWARDS,
        "guardrail": GUARDRAILS,
        "surrogate": SURROGATES,
        "window": st.sampled_from([5 * MINUTE, 10 * MINUTE]),
        "slots": st.sampled_from([1, 2]),
        "sticky": st.sampled_from(["session", "unit"]),
        "holdout": st.sampled_from([0.0, 0.1]),
    },
)


def told(book: Declarations, reward_version: int) -> dict[int, tuple[object, ...]]:
    """All that shapes what a refill of this reward version adds, by declaration version."""
    past = valued_by(book, "b", reward_version)
    return {
        each.version: tuple(getattr(each.spec, field) for field in STORY_FIELDS)
        for each in (past.versions("b") if past.names() else ())
    }


def declare(book: Declarations, spec: Experiment) -> None:
    for record in book.changes(spec, at=1):
        book.apply(record)


@example(changes=[{"guardrail": ONCE}, {"reward": DEARER}, {"guardrail": THRICE}])
@given(changes=st.lists(CHANGES, min_size=2, max_size=6))
def test_no_later_declaration_changes_what_a_refill_adds(
    changes: list[dict[str, object]],
) -> None:
    book, spec = Declarations(), FIRST
    declare(book, spec)
    known: dict[int, dict[int, tuple[object, ...]]] = {}
    for change in changes:
        spec = msgspec.structs.replace(spec, **change)
        declare(book, spec)
        known.setdefault(
            book.latest("b").reward_version, told(book, book.latest("b").reward_version)
        )
        assert {version: told(book, version) for version in known} == known


@given(changes=st.lists(CHANGES, min_size=1, max_size=6))
def test_a_refill_gives_trials_the_guardrails_that_they_were_decided_under(
    changes: list[dict[str, object]],
) -> None:
    book, spec = Declarations(), FIRST
    for change in changes:
        spec = msgspec.structs.replace(spec, **change)
        declare(book, spec)
    newest: Declaration = book.latest("b")
    past = valued_by(book, "b", newest.reward_version)
    for each in past.versions("b") if past.names() else ():
        assert each.spec.guardrails == book.need("b", each.version).spec.guardrails
        assert (each.spec.reward, each.spec.counted) == (newest.spec.reward, newest.spec.counted)
