"""croupier surrogate: a file of matured trials becomes a reward, and is checked."""

from pathlib import Path

import numpy as np
import pytest

from croupier.config.settings import parse_settings
from tests.apps.house import TOP_BUTTON
from tests.cli.command import CommandLine


@pytest.fixture
def matured(tmp_path: Path) -> Path:
    """Trials whose late metric is 0.2 a click (up to three) and 1.1 a cart; arm b hides 1 more."""
    dice = np.random.default_rng(1)
    lines = ["arm,click,cart,late"]
    for trial in range(400):
        clicks, cart = dice.integers(0, 4), dice.integers(0, 2)
        late = 0.05 + 0.2 * clicks + 1.1 * cart + dice.normal(0, 0.2) + (trial % 2)
        lines.append(f"{'ab'[trial % 2]},{clicks},{cart},{late:.4f}")
    file = tmp_path / "matured.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_fit_is_a_reward_that_a_declaration_takes(croupier: CommandLine, matured: Path) -> None:
    told = croupier("surrogate", "fit", matured, "--late", "late", "--signals", "click,cart")
    assert told.code == 0
    assert "click: 0." in told.err
    spec = parse_settings(TOP_BUTTON.replace("reward = { click = 1.0 }", told.out.strip()))
    terms, signals = spec.experiments[0].reward.terms, spec.experiments[0].signals
    assert terms["click"].cap == 3
    assert terms["cart"].weight == pytest.approx(1.1, abs=0.3)
    as_json = croupier(
        "surrogate", "fit", matured, "--late", "late", "--signals", "click,cart", "--json"
    ).json()
    assert as_json["trials"] == 400
    told_error = as_json["signals"]["cart"]["error"]
    assert signals["cart"].covariance["cart"] == pytest.approx(told_error**2)
    assert as_json["surrogate"]["click"]["mean"] == pytest.approx(signals["click"].mean)


def test_a_column_with_a_dot_in_its_name_and_one_worth_nothing(
    croupier: CommandLine, matured: Path
) -> None:
    head, *rows = matured.read_text().splitlines()
    text = [head.replace("click", "page.click") + ",idle", *(f"{row},1" for row in rows)]
    matured.write_text("\n".join(text))
    asked = ("--late", "late", "--signals", "page.click,cart,idle")
    told = croupier("surrogate", "fit", matured, *asked)
    assert "# idle: left out" in told.err
    spec = parse_settings(TOP_BUTTON.replace("reward = { click = 1.0 }", told.out.strip()))
    one = spec.experiments[0]
    assert one.signals.keys() == one.reward.terms.keys() == {"page.click", "cart"}


def test_an_arm_that_drifts_is_named(croupier: CommandLine, matured: Path) -> None:
    asked = ("--late", "late", "--signals", "click=0.2,cart=1.1", "--arm", "arm")
    told = croupier("surrogate", "check", matured, *asked)
    assert (told.code, "drifted: a, b" in told.out) == (1, True)
    assert croupier("surrogate", "check", matured, *asked, "--json").json()["drifted"] == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("fit", "{}", "--late", "lat", "--signals", "click"), "no column 'lat'"),
        (("fit", "{}", "--late", "late", "--signals", "arm"), "row 1: expected numbers"),
        (("check", "{}", "--late", "late", "--signals", "click"), "a weight for click"),
        (("check", "{}", "--late", "late", "--signals", "click=1"), "--arm"),
        (("check", "{}", "--late", "late", "--signals", "click=x"), "such as click=0.2"),
        (("fit", "nowhere.csv", "--late", "late", "--signals", "click"), "no such file"),
    ],
)
def test_what_is_wrong_is_said(
    croupier: CommandLine, matured: Path, words: tuple[str, ...], reason: str
) -> None:
    told = croupier("surrogate", *(word.format(matured) for word in words))
    assert told.code == 2
    assert reason in told.err
