"""A guardrail from croupier.toml to the page: declared, folded once, broken, shown, explained."""

from pathlib import Path

from croupier.config.backends import open_backends
from croupier.core.reward import MICRO
from croupier.runners.declare import read_declarations
from croupier.runners.replay import Replay, differences
from tests.apps.house import NAME, SINGLE, House, a_house, arms

UNIFORM = SINGLE.replace('kind = "thompson", floor = 0.01', 'kind = "uniform"')
GUARDED = f"""{UNIFORM.replace("holdout = 0.0", "holdout = 0.1")}
[experiment.guardrail.unsubscribe]
reward = {{ unsubscribe = 1.0 }}
margin = 0.05
"""
HARMFUL = "see-recipes"


def told(house: House) -> int:
    """400 decisions that were seen; every unit that sees the harmful arm leaves. How many did."""
    seen = 0
    for number in range(400):
        decision = house.decide(f"u-{number}")
        token, harmful = decision["token"], decision["slate"][0]["arm"] == HARMFUL
        kinds = ["impression", "click"] + ["unsubscribe", "unsubscribe"] * harmful
        assert house.report(*[{"kind": kind, "token": token} for kind in kinds])["accepted"]
        seen += harmful
    return seen


def test_a_harmful_arm_is_taken_out_and_everything_says_why(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", GUARDED) as house:
        seen = told(house)
        assert arms(house.page())[HARMFUL].get("barred") is None
        house.settle()
        page = house.until(lambda page: "barred" in arms(page)[HARMFUL])
        harmful = arms(page)[HARMFUL]
        assert (harmful["weight"], harmful["status"]) == (0.0, "active")
        assert harmful["barred"].startswith("guardrail unsubscribe: +1 a trial against the default")
        assert sum(arm["weight"] for arm in page["arms"]) == 1.0
        assert house.metric("croupier_barred_arms", experiment=NAME, guardrail="unsubscribe") == 1
        shown = {house.decide(f"v-{number}")["slate"][0]["arm"] for number in range(50)}
        assert HARMFUL not in shown
        found = house.client.get(f"/v1/experiments/{NAME}/estimates").json()
        (guardrail,) = found["guardrails"]
        assert [arm["arm"] for arm in guardrail["arms"]] == ["free-trial", HARMFUL]
        assert (guardrail["arms"][1]["n"], guardrail["arms"][1]["mean"]) == (seen, 1.0)
        assert guardrail["holdout"]["arm"] == "all arms"
        change = {"change": "remove", "arm": HARMFUL}
        assert house.client.post(f"/v1/experiments/{NAME}/arms", json=change).status_code == 200
        assert "barred" not in arms(house.page())[HARMFUL]
        assert house.metric("croupier_barred_arms", experiment=NAME, guardrail="unsubscribe") == 0


def test_the_log_gives_the_same_sums_again(tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    with a_house(data, GUARDED) as house:
        seen = told(house)
        house.settle()
    backends = open_backends(data, read_only=True)
    rebuilt = Replay(backends, read_declarations(backends.log)).rebuild()
    stored = backends.states.load().sums
    assert differences(stored, rebuilt.sums) == []
    groups = {key.stratum.split(".")[2] for key in stored if key.stratum.startswith("group.")}
    strata = {
        key.stratum.partition(":")[0::2] for key in stored if not key.stratum.startswith("group.")
    }
    assert groups == {f"{who}:{what}" if what else who for who, what in strata}
    assert {who for who, _ in strata} == {"policy", "holdout"}
    assert {what.partition(":")[0] for _, what in strata} == {"", "unsubscribe"}
    left = sum(sums.r for key, sums in stored.items() if key.stratum.startswith("policy:"))
    assert left == seen * MICRO  # two reports of one kind without an id count once
    backends.close()


def test_what_is_not_declared_is_not_measured(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", SINGLE) as house:
        house.trial("u", "click", "unsubscribe")
        house.settle()
        assert house.metric("croupier_events_without_effect_total", experiment=NAME) == 1
        assert {key.stratum for key in house.embedded.backends.states.load().sums} == {"policy"}
        assert "croupier_barred_arms" not in house.client.get("/metrics").text
        assert "guardrails" not in house.client.get(f"/v1/experiments/{NAME}/estimates").json()


def test_an_amount_needs_its_value(tmp_path: Path) -> None:
    amount = 'reward = { unsubscribe = { weight = 1.0, of = "value", max = 2.0 } }'
    toml = GUARDED.replace("reward = { unsubscribe = 1.0 }", amount)
    with a_house(tmp_path / "croupier.db", toml) as house:
        event = {"kind": "unsubscribe", "token": house.decide()["token"]}
        reason = "value is required: the guardrail of unsubscribe is one"
        assert house.refusal(event) == reason
