"""croupier prior: fits a prior to past arms, and prints what can be pasted."""

from pathlib import Path

import pytest

from croupier.config.settings import parse_settings
from croupier.core.arms.prior import Prior
from tests.apps.house import NAME, SINGLE, a_house
from tests.cli.command import CommandLine, Outcome

OTHER = SINGLE.replace(NAME, "banner")
DIFFERENT = OTHER.replace("click = 1.0", "click = 2.0")
COUNTED = SINGLE.replace("{ click = 1.0 }", "{ click = { weight = 0.5, cap = 3 } }")


def run(croupier: CommandLine, shop: Path, *words: object) -> Outcome:
    return croupier("prior", "--data", shop / "croupier.db", *words)


def learned(folder: Path, toml: str) -> Path:
    """A folder with a data file in which ten trials were learned, mixed ones of each arm."""
    spec = parse_settings(toml).experiments[0]
    name = spec.name
    with a_house(folder / "croupier.db", toml) as house:
        for number in range(10):
            clicks = ["click"] if number % 2 else []
            house.trial(f"u-{number}", *clicks, name=name, eligible=[spec.arms[number % 3]])
        house.settle(name)
    return folder


def test_it_prints_a_line_that_can_be_pasted(croupier: CommandLine, shop: Path) -> None:
    found = run(croupier, shop)
    assert found.code == 0
    (line,) = found.out.splitlines()
    declared = parse_settings(SINGLE + line).experiments[0].prior
    told = run(croupier, shop, "--json").json()
    assert declared == Prior(**told["prior"])
    assert (told["experiments"], told["trials"]) == ([NAME], 10)
    assert f"# from {told['arms']} arms with 10 trials of {NAME}" in found.err
    assert "so few arms tell little" in found.err


def test_it_changes_nothing_and_may_run_beside_the_server(
    croupier: CommandLine, shop: Path
) -> None:
    with a_house(shop / "croupier.db", SINGLE) as house:
        before = house.page()
        assert run(croupier, shop).code == 0
        assert house.page() == before


def test_several_experiments_are_pooled(croupier: CommandLine, shop: Path) -> None:
    learned(shop, OTHER)
    pooled = run(croupier, shop, "--json").json()
    assert (pooled["experiments"], pooled["trials"]) == ([NAME, "banner"], 20)
    one = run(croupier, shop, "--experiment", "banner", "--experiment", "banner", "--json").json()
    assert (one["experiments"], one["trials"]) == (["banner"], 10)


def test_different_rewards_are_not_pooled(croupier: CommandLine, shop: Path) -> None:
    learned(shop, DIFFERENT)
    found = run(croupier, shop)
    assert (found.code, found.out) == (2, "")
    assert f"{NAME} and banner have different rewards" in found.err
    assert run(croupier, shop, "--experiment", "banner").code == 0


@pytest.mark.parametrize("kind", ["normal", "count"])
def test_amounts_have_a_deviation_and_counts_have_none(
    croupier: CommandLine, tmp_path: Path, kind: str
) -> None:
    toml = f'{COUNTED}posterior = "{kind}"\n'
    found = run(croupier, learned(tmp_path, toml))
    assert ("deviation" in found.out) == (kind == "normal")
    assert parse_settings(toml + found.out).experiments[0].prior is not None


def test_what_cannot_be_fitted_is_said(croupier: CommandLine, shop: Path, tmp_path: Path) -> None:
    found = run(croupier, shop, "--experiment", "footer")
    assert (found.code, "none of top-button" in found.err) == (2, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    found = run(croupier, empty)
    assert (found.code, "no such data file" in found.err) == (2, True)
    with a_house(empty / "croupier.db", SINGLE):
        pass
    found = run(croupier, empty)
    assert (found.code, "at least two arms must have been tried" in found.err) == (2, True)
    with a_house(empty / "croupier.db", SINGLE) as house:
        for number in range(10):
            house.trial(f"u-{number}")
        house.settle()
    found = run(croupier, empty)
    assert (found.code, "nothing to declare" in found.err) == (2, True)
