"""The ledger, against cases that were counted by hand."""

import numpy as np

from croupier.core.duration import MINUTE, SECOND
from croupier.core.experiment import Experiment
from croupier.core.reward import MICRO, Reward, Term
from croupier.core.worlds.delivery import ABSENT
from croupier.core.worlds.ledger import Account, Shown, account, outcome_kind, worth
from croupier.core.worlds.world import Visits
from tests.worlds import experiment

SOON = [[SECOND, ABSENT], [SECOND, ABSENT]]


def of(
    spec: Experiment,
    arms: list[int],
    won: list[bool],
    sees: int = SECOND,
    acts: int = SECOND,
    lags: list[list[int]] | None = None,
) -> Account:
    """One unit that visits once a minute, in one session."""
    count = len(arms)
    visits = Visits(
        at=np.arange(count) * MINUTE,
        unit=np.zeros(count, dtype=np.int64),
        luck=np.zeros(count),
        sees=np.full(count, sees),
        acts=np.full(count, acts),
        lags=np.array([lags or SOON] * count),
    )
    session = np.zeros(count, dtype=np.int64)
    none = np.zeros(count, dtype=bool)
    return account(spec, visits, Shown(np.array(arms), session, none, np.array(won)))


def test_a_session_is_one_trial_of_its_first_arm() -> None:
    found = of(experiment(), [1, 1, 2], [False, True, True])
    assert found == Account((0, 1, 0), (0, MICRO, 0), late=0, repeats=2, held_out=0)


def test_without_sessions_each_visit_is_a_trial() -> None:
    found = of(experiment(session=None), [1, 1, 2], [False, True, True])
    assert found == Account((0, 2, 1), (0, MICRO, MICRO), late=0, repeats=0, held_out=0)


def test_who_acts_after_the_window_did_not_act() -> None:
    found = of(experiment(), [0], [True], acts=15 * MINUTE + 1)
    assert (found.n, found.reward) == ((1, 0, 0), (0, 0, 0))


def test_who_sees_too_late_saw_nothing() -> None:
    assert of(experiment(), [0], [True], sees=5 * MINUTE + 1).n == (0, 0, 0)


def test_a_late_copy_is_counted_and_the_one_in_time_counts() -> None:
    hour = 60 * MINUTE
    late = [[hour, SECOND], [hour, ABSENT]]
    found = of(experiment(), [0], [True], lags=late)
    assert found == Account((1, 0, 0), (0, 0, 0), late=2, repeats=0, held_out=0)


def test_a_success_is_the_kind_of_largest_weight() -> None:
    spec = experiment()
    assert outcome_kind(spec) == "click"
    terms = {"click": Term(1.0), "buy": Term(0.5, of="value", max=20.0)}
    two = Experiment("b", ("a",), "a", Reward(terms))
    assert (outcome_kind(two), worth(two, 3)) == ("click", MICRO)
