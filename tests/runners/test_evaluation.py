"""Evaluation of Croupier's own log, of logs with all propensities; and its picture."""

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from msgspec.structs import replace
from typer import BadParameter

from croupier.cli.asked import Asked
from croupier.cli.questions import question
from croupier.config.backends import open_backends
from croupier.config.settings import parse_settings
from croupier.core import codec
from croupier.core.barred import Barred
from croupier.core.evaluate.answer import Answer, Estimate
from croupier.core.evaluate.model import RewardModel
from croupier.core.evaluate.targets import (
    Logged,
    Target,
    always,
    heaviest_weight,
    rounds_of,
    uniform,
)
from croupier.core.policies.thompson import Thompson
from croupier.core.publish import publish
from croupier.core.records import Observation, Reason
from croupier.core.reward import MICRO
from croupier.ports import OBSERVATIONS
from croupier.runners.declare import declare, read_declarations
from croupier.runners.evaluation import Evaluation, Terms
from croupier.runners.forest import forest
from croupier.runners.own_trials import OwnTrials
from tests.apps.house import NAME, SINGLE

SHARES, RATES = (0.6, 0.3, 0.1), (0.1, 0.2, 0.5)


def observed(number: int, arm: int, reward: int, reason: Reason = "policy") -> bytes:
    unit = number.to_bytes(16, "little")
    return codec.encode(
        Observation(
            id=unit,
            experiment=NAME,
            arm=arm,
            slot=0,
            unit=unit,
            declaration=1,
            reward_version=1,
            reason=reason,
            propensity=float(np.float32(SHARES[arm])),
            reward=reward * MICRO,
            at=number,
        )
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnTrials]:
    """3,000 trials of three arms in a data file, and 30 that were held out."""
    dice = np.random.default_rng(12)
    backends = open_backends(tmp_path_factory.mktemp("own") / "croupier.db")
    declare(parse_settings(SINGLE), backends.log, backends.clock)
    records = []
    for number in range(3_000):
        arm = int(dice.choice(3, p=SHARES))
        records.append(observed(number, arm, int(dice.random() < RATES[arm])))
    records += [observed(9_000 + number, 0, 1, "holdout") for number in range(30)]
    for at in range(0, len(records), 500):
        backends.log.append(OBSERVATIONS, records[at : at + 500]).result()
    yield OwnTrials(backends, read_declarations(backends.log), NAME)
    backends.close()


def test_croupiers_own_log_tells_of_another_arm(own: OwnTrials) -> None:
    work = Evaluation(own, Terms())
    work.with_floor(own.floor)
    found = work.answer(NAME, "always:see-recipes", always(own.arms["see-recipes"], 1, 3))
    assert not found.refused
    assert found.left_out == {"holdout": 30}
    assert found.rounds == 3_000
    assert found.diagnostics
    assert found.diagnostics.largest_weight == pytest.approx(10.0)
    assert found.estimates
    for name in ("ips", "snips", "dr"):
        low, high = found.estimates[name].low, found.estimates[name].high
        assert low is not None
        assert high is not None
        assert low < 0.5 < high
        assert found.logged.high
        assert low > found.logged.high  # plainly better than what was logged, which earned 0.17


def test_what_is_learned_is_of_the_arms_that_may_be_shown(own: OwnTrials) -> None:
    work, kind = Evaluation(own, Terms()), Thompson()
    everyone = work.learned(kind, 1_500, [0, 1, 2])
    some = work.learned(kind, 1_500, [0, 2])
    assert everyone[1] > 0
    assert some[1] == 0
    assert some.sum() == pytest.approx(everyone.sum())


def test_the_logged_policy_earns_the_logged_mean(own: OwnTrials) -> None:
    found = Evaluation(own, Terms()).answer(NAME, "logged", Target(None, as_logged=True))
    assert found.estimates
    assert found.estimates["ips"].value == found.logged.value
    assert found.estimates["snips"].value == found.logged.value


def test_an_arm_of_a_pooled_ranking_is_one_of_k(tmp_path: Path) -> None:
    """Two of three arms are shown, with inclusion 0.9, 0.7, 0.4: as draws 0.45, 0.35, 0.2."""
    backends = open_backends(tmp_path / "croupier.db")
    toml = SINGLE.replace("slots = 1", "slots = 2")
    toml = toml.replace('default = "install"', 'default = ["install", "free-trial"]')
    declare(parse_settings(toml), backends.log, backends.clock)
    dice, inclusion, records = np.random.default_rng(3), (0.9, 0.7, 0.4), []
    for number in range(600):
        missing = int(dice.choice(3, p=[1 - p for p in inclusion]))
        for slot, arm in enumerate({0, 1, 2} - {missing}):
            one = codec.decode(observed(2 * number + slot, arm, int(dice.random() < RATES[arm])))
            records.append(codec.encode(replace(one, slot=slot, propensity=inclusion[arm])))
    backends.log.append(OBSERVATIONS, records).result()
    log = OwnTrials(backends, read_declarations(backends.log), NAME)
    work = Evaluation(log, Terms())
    found = work.answer(NAME, "uniform", uniform(len(log.positions), len(log.arms)))
    backends.close()
    assert not found.refused
    assert found.diagnostics
    assert found.diagnostics.largest_weight == pytest.approx((1 / 3) / 0.2)
    assert found.diagnostics.mean_weight == pytest.approx(1.0, abs=0.1)  # five standard errors
    assert found.estimates
    low, high = found.estimates["snips"].low, found.estimates["snips"].high
    assert low is not None
    assert high is not None
    assert low < sum(RATES) / 3 < high


def test_a_barred_arm_is_no_target(tmp_path: Path) -> None:
    """Trials of it end where it was barred; `uniform` is among the others."""
    data = tmp_path / "croupier.db"
    backends = open_backends(data)
    declare(parse_settings(SINGLE), backends.log, backends.clock)
    book = read_declarations(backends.log)
    made = publish(book.latest(NAME), book.arms(NAME), {}, 1, 1, 0)
    number, name = made.arms[2], made.names[2]
    barred = Barred(number, name, "refund", 1, 0.1, 0.05, 0.2, "refund:0", 0.01, "more")
    assert name in OwnTrials(backends, book, NAME).active
    backends.cache.put(replace(made, barred=(barred,)))
    log = OwnTrials(backends, book, NAME)
    assert log.active == list(made.names[:2])
    backends.close()
    sound, some = (tmp_path / each for each in ("sound.json", "some.json"))
    sound.write_text(json.dumps({made.names[0]: 1.0, name: 0.0}))
    some.write_text(json.dumps({"0": {made.names[0]: 0.9, name: 0.1}}))
    for policy in (f"always:{name}", some):
        asked = question(Asked(data, str(policy), url=str(data)), 0.5, 1)
        with pytest.raises(BadParameter, match=rf"'{name}' is barred, .*: guardrail refund: "):
            asked.answer(lambda _: None)
        asked.close()
    asked = question(Asked(data, str(sound), url=str(data)), 0.5, 1)
    assert asked.answer(lambda _: None).rounds == 0
    asked.close()


# --- logs that tell all propensities --------------------------------------------------------------


def offered(*rows: list[float]) -> Logged:
    """Arm 0 was shown in every round."""
    zeros = np.zeros(len(rows), dtype=np.int64)
    every = np.array(rows)
    return Logged(zeros, zeros, zeros, np.ones(len(rows)), every[:, 0], every)


def test_support_is_known_where_all_propensities_are() -> None:
    part = offered([0.5, 0.5, 0.0], [0.25, 0.75, np.nan])
    rounds = rounds_of(part, uniform(1, 3), RewardModel(1, 3))
    assert rounds.target.tolist() == pytest.approx([1 / 3, 1 / 2])
    assert rounds.unsupported is not None
    assert rounds.unsupported.tolist() == pytest.approx([1 / 3, 0.0])
    assert rounds.spread is not None
    assert rounds.spread.tolist() == pytest.approx(
        [2 * (1 / 3) ** 2 / 0.5, 0.25 / 0.25 + 0.25 / 0.75]
    )
    assert heaviest_weight(part, uniform(1, 3), None) == pytest.approx(2.0)


def test_an_arm_that_is_not_offered_is_beyond_the_log() -> None:
    part = offered([0.5, 0.5, np.nan])
    rounds = rounds_of(part, always(2, 1, 3), RewardModel(1, 3))
    assert rounds.unsupported is not None
    assert (rounds.target.tolist(), rounds.unsupported.tolist()) == ([0.0], [1.0])


def test_an_arm_never_shown_at_a_position_is_beyond_the_log() -> None:
    one = np.array([0, 1, 0], dtype=np.int64)
    part = Logged(one, np.array([0, 0, 1]), 0 * one, np.zeros(3), np.full(3, 0.5))
    model = RewardModel(2, 2).add(part.position, part.arm, part.fold, part.reward)
    rounds = rounds_of(part, uniform(2, 2), model)
    assert rounds.unsupported is not None
    assert rounds.unsupported.tolist() == [0.0, 0.0, 0.5]


# --- the picture ----------------------------------------------------------------------------------


def test_the_picture_shows_every_estimate_or_every_reason() -> None:
    svg = "{http://www.w3.org/2000/svg}"
    logged = Estimate(0.1, 0.08, 0.12)
    estimates = {"ips": Estimate(0.2, 0.1, None), "dm": Estimate(0.15)}
    good = Answer("<log>", "a & b", 900, logged, 0.95, estimates=estimates)
    drawn = ET.fromstring(forest(good))
    assert len(list(drawn.iter(f"{svg}circle"))) == 3
    told = [each.text for each in drawn.iter(f"{svg}text")]
    assert "0.2  [0.1, ?]" in told
    assert "a & b on <log>: 900 rounds" in told
    refused = Answer("log", "x", 3, logged, 0.95, refused=["so few rounds " * 12, "another"])
    drawn = ET.fromstring(forest(refused))
    told = [each.text for each in drawn.iter(f"{svg}text") if each.get("class") == "why"]
    assert told[0] is not None
    assert told[0].startswith("refused: so few")
    assert told[-1] == "refused: another"
    assert len(list(drawn.iter(f"{svg}circle"))) == 1


def test_a_folder_of_the_open_bandit_kind_is_found(tmp_path: Path) -> None:
    from croupier.config.errors import ConfigError
    from croupier.config.trial_logs import open_trial_log

    folder = tmp_path / "random" / "all"
    folder.mkdir(parents=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    (folder / "all.csv").write_text("item_id,position,click,propensity_score\n3,1,0,0.5\n")
    (folder / "item_context.csv").write_text("item_id,item_feature_0\n")
    assert next(open_trial_log(tmp_path, None, {}).parts()).propensity.tolist() == [0.5]
    assert next(open_trial_log(tmp_path, "all/all", {}).parts()).arm.tolist() == [0]
    with pytest.raises(ConfigError, match="choose one with --part"):
        open_trial_log(tmp_path, "men", {})
    with pytest.raises(ConfigError, match="no file with columns"):
        open_trial_log(empty, None, {})
