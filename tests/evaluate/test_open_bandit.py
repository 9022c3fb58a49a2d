"""Open Bandit Dataset: estimates on real logs, against the numbers of the data set's own library.

IPS and SNIPS agree to the last digit. DM and DR there use a logistic regression on the users'
features; ours is a smoothed mean by item and position, so that only the estimators are compared.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from croupier.config.trial_logs import open_trial_log, read_weights
from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.replay import replay
from croupier.core.evaluate.targets import Target, uniform
from croupier.core.policies.ucb1 import ucb1_index
from croupier.ports import TrialLog
from croupier.runners.evaluation import Evaluation, Terms
from tests.cli.command import CommandLine
from tests.evaluate.shared import reference, shared

CASES = [(campaign, log) for campaign in ("all", "men") for log in ("random", "bts")]


@cache
def evaluation(part: str) -> tuple[TrialLog, Evaluation]:
    """One of the four logs, surveyed."""
    log = open_trial_log(shared("open_bandit_small"), part, {})
    return log, Evaluation(log, Terms())


def bts(campaign: str, log: Any) -> Target:
    """The production policy's published probabilities, by position and item."""
    known = read_weights(shared("open_bandit_small", f"bts_action_dist_{campaign}.csv"))
    weights = np.zeros((len(log.positions), len(log.arms)))
    for position, row in log.positions.items():
        for item, weight in known[position].items():
            weights[row, log.arms[item]] = weight
    return Target(weights)


@pytest.mark.parametrize(("campaign", "logged_by"), CASES)
def test_ips_snips_and_diagnostics_are_those_of_the_reference(
    campaign: str, logged_by: str
) -> None:
    other = "bts" if logged_by == "random" else "random"
    expected = reference("open_bandit_small", "reference.json")["computed"]
    wanted = expected[f"{campaign}: log={logged_by} eval={other}"]
    log, work = evaluation(f"{logged_by}_{campaign}")
    target = bts(campaign, log) if other == "bts" else uniform(len(log.positions), len(log.arms))
    found = work.answer("obd", other, target)
    assert not found.refused
    assert found.estimates
    assert found.diagnostics
    assert (found.rounds, len(log.arms)) == (wanted["n_rounds"], wanted["n_actions"])
    assert found.logged.value == pytest.approx(wanted["on_policy_behavior"], rel=1e-14)
    assert found.estimates["ips"].value == pytest.approx(wanted["ipw"], rel=1e-12)
    assert found.estimates["snips"].value == pytest.approx(wanted["snipw"], rel=1e-12)
    told = found.diagnostics
    assert told.mean_weight == pytest.approx(wanted["mean_weight"], rel=1e-12)
    assert told.largest_weight == pytest.approx(wanted["max_weight"], rel=1e-12)
    assert told.effective == pytest.approx(wanted["ess"], rel=1e-12)
    # Our intervals hold the value that the other policy's own log shows.
    for name in ("ips", "snips"):
        low, high = found.estimates[name].low, found.estimates[name].high
        assert low is not None
        assert high is not None
        assert low <= wanted["on_policy_eval"] <= high


def test_the_published_quick_start_number() -> None:
    published = reference("open_bandit_small", "reference.json")["published"]
    log, work = evaluation("random_all")
    found = work.answer("obd", "bts", bts("all", log))
    assert found.estimates
    assert round(found.estimates["ips"].value, 6) == published["ipw"]
    relative = found.estimates["ips"].value / found.logged.value
    assert round(relative, 6) == published["ipw_relative_to_random"]
    # Another model: the doubly robust value is near theirs, and within their bootstrap interval.
    _, low, high = published["bootstrap_mean_and_95ci"]["dr"]
    assert low < found.estimates["dr"].value < high
    assert found.estimates["dr"].value == pytest.approx(published["dr"], rel=0.15)


@pytest.mark.parametrize("campaign", ["all", "men"])
def test_ucb1_replayed_agrees_with_as_many_rounds(campaign: str) -> None:
    """The rule of the reference: unplayed items first by number, then the highest index."""
    wanted = reference("open_bandit_small", "reference.json")["ucb1_replay"][campaign]
    log, _ = evaluation(f"random_{campaign}")
    parts = list(log.parts())
    arm, reward = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("arm", "reward")
    )
    items = np.array([int(name) for name in log.arms])  # our numbers are by first appearance

    def highest(n: FloatArray, r: FloatArray, _: FloatArray) -> FloatArray:
        index = ucb1_index(n, np.divide(r, n, out=np.zeros_like(r), where=n > 0), n.sum())
        return np.asarray(np.eye(len(n))[int(np.argmax(index))])

    assert len(items) == wanted["items_logged"]
    found = replay(items[arm], reward, len(items), highest, np.zeros(len(arm)))
    assert found.tally.n == wanted["ucb1_replay_matched"]
    assert found.tally.sum("r") == wanted["ucb1_replay_clicks"]


def test_the_command_line_gives_the_same(croupier: CommandLine, tmp_path: Path) -> None:
    folder, picture = shared("open_bandit_small"), tmp_path / "forest.svg"
    asked = ("evaluate", folder, "--part", "random_all", "--policy", "bts")
    told = croupier(*asked, "--json", "--picture", picture)
    assert told.code == 0
    found = told.json()
    assert found["refused"] == []
    assert round(found["estimates"]["ips"]["value"], 8) == 0.00455288
    assert "snips" in picture.read_text()
    replayed = croupier(*asked[:4], "--policy", "ucb1", "--replay", "--json").json()
    assert replayed["learned_from"] > 80
    chosen = croupier("evaluate", folder, "--json")
    assert (chosen.code, "random_men" in chosen.err) == (2, True)
