"""A fitted reward from croupier.toml to the page: its signals are summed, its doubt is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from croupier.config.backends import open_backends
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.reward import MICRO
from croupier.core.snapshot import Snapshot
from croupier.runners.declare import read_declarations
from croupier.runners.replay import Replay, differences
from tests.apps.house import NAME, SINGLE, House, a_house, arms

PLAIN = SINGLE.replace("{ click = 1.0 }", "{ click = 0.25, cart = { weight = 1.5, cap = 2 } }")
FITTED = f"""{PLAIN}
surrogate.click = {{ mean = 0.25, covariance = {{ click = 0.04, cart = -0.01 }} }}
surrogate.cart = {{ mean = 0.125, covariance = {{ click = -0.01, cart = 0.09 }} }}
"""


def told(
    house: House, units: int = 60, clicks: Callable[[int], bool] = lambda number: True
) -> None:
    """Units click, all or some; who sees free-trial puts things into the cart, three times each."""
    for number in range(units):
        decision = house.decide(f"u-{number}")
        carts = 3 * (decision["slate"][0]["arm"] == "free-trial")
        kinds = ("impression", "click") if clicks(number) else ("impression",)
        events = [{"kind": kind, "token": decision["token"]} for kind in kinds]
        events += [
            {"kind": "cart", "token": decision["token"], "id": str(each)} for each in range(carts)
        ]
        assert house.report(*events)["rejected"] == []


def test_estimates_are_as_unsure_as_the_weights(tmp_path: Path) -> None:
    """Where arms differ by d clicks and two carts, D = 0.04 d² − 2·0.01·2 d + 0.09·2²."""
    with a_house(tmp_path / "croupier.db", FITTED) as house:
        told(house, clicks=lambda number: number % 2 == 0)
        house.settle()
        page = house.client.get(f"/v1/experiments/{NAME}/estimates").json()
        lift = next(arm["lift"] for arm in page["arms"] if arm["arm"] == "free-trial")
        mean = {name: arm["mean"] for name, arm in arms(house.page()).items()}
        d = (mean["free-trial"] - 3.0 - mean["install"]) / 0.25
        found, doubt = lift["difference"], 0.04 * d**2 - 0.04 * d + 0.36
        assert found["value"] == pytest.approx(mean["free-trial"] - mean["install"])
        assert 0.9 < lift["doubted"] < 1
        reach = 1.959964 * (doubt / lift["doubted"]) ** 0.5
        assert (found["low"], found["high"]) == pytest.approx(
            (found["value"] - reach, found["value"] + reach)
        )


def published(house: House) -> tuple[dict[str, Any], Snapshot]:
    """The page and the snapshot, once all 60 trials are in both: then they change no more."""
    house.settle()
    house.later(11_000)

    def newest() -> Snapshot:
        found = house.embedded.service.snapshot(NAME)
        assert found
        return found

    house.until(lambda _: round(float(newest().posterior.tried().n.sum())) == 60)
    return house.page(), newest()


def test_what_weights_leave_in_doubt_is_published_and_told(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", FITTED) as house:
        told(house)
        page, snapshot = published(house)
        own = snapshot.posterior
        assert isinstance(own, NormalInverseGamma)
        for place, name in enumerate(snapshot.names):
            arm, (click, cart) = arms(page)[name], (0.75, -0.125 + 2 * (name == "free-trial"))
            v = (0.04 * click**2 - 0.02 * click * cart + 0.09 * cart**2) * bool(arm["n"])
            whole = own.beta[place] / own.alpha[place] / own.kappa[place] + v
            assert arm["doubted"] == pytest.approx(v / whole, abs=1e-12)
        assert arms(page)["free-trial"]["doubted"] > 0.5


def test_the_log_gives_the_same_sums_again(tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    with a_house(data, FITTED) as house:
        told(house)
        page = house.settle()
    backends = open_backends(data, read_only=True)
    rebuilt = Replay(backends, read_declarations(backends.log)).rebuild()
    stored = backends.states.load().sums
    assert differences(stored, rebuilt.sums) == []
    strata = {key.stratum for key in stored}
    assert strata == {"policy", "policy:click:signal", "policy:cart:signal"}
    carts = sum(one.r for key, one in stored.items() if key.stratum == "policy:cart:signal")
    assert carts == 2 * arms(page)["free-trial"]["n"] * MICRO  # three came, the cap is two
    backends.close()


def test_a_restart_publishes_the_same(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", FITTED) as house:
        told(house)
        before, _ = published(house)
        house.reopen(FITTED)
        assert arms(house.page()) == arms(before)


def test_a_reward_that_becomes_a_surrogate_is_refilled_with_its_signals(tmp_path: Path) -> None:
    """Its sums begin empty, for trials of before have no signals; the log tells them anew."""
    data = tmp_path / "croupier.db"
    with a_house(data, PLAIN) as house:
        told(house)
        was = arms(house.settle())
        assert {key.stratum for key in house.embedded.backends.states.load().sums} == {"policy"}
        house.reopen(FITTED)
        page = house.page()
        assert (page["reward_version"], sum(arm["n"] for arm in page["arms"])) == (2, 0)
    backends = open_backends(data)
    commit = Replay(backends, read_declarations(backends.log)).fill()
    backends.states.commit(commit)
    backends.close()
    with a_house(data, FITTED) as house:
        now = house.until(lambda page: any("doubted" in arm for arm in page["arms"]))
        for name, arm in arms(now).items():
            assert (arm["n"], arm["reward_sum"]) == (was[name]["n"], was[name]["reward_sum"])


def test_past_trials_that_do_not_say_their_signals_are_refused(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", FITTED) as house:
        row = {"arm": "install", "n": 10, "reward_sum": 5, "reward_square_sum": 4}
        answer = house.post(
            f"/v1/experiments/{NAME}/import", [row], **{"idempotency-key": "k"}
        ).json()
        assert (answer["accepted"], answer["rejected"][0]["column"]) == (0, "reward_sum")
        assert "the reward is a surrogate" in answer["rejected"][0]["reason"]
