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


def test_signals_that_say_the_same_are_named_and_not_fitted(
    croupier: CommandLine, tmp_path: Path
) -> None:
    cart = np.tile([0.0, 0.0, 1.0], 40)
    file = columns(tmp_path / "t.csv", late=2 * CLICKS + cart, click=CLICKS, cart=cart, view=CLICKS)
    asked = ("surrogate", "fit", file, "--late", "late", "--signals", "click,cart,view")
    for more in ((), ("--json",)):
        told = croupier(*asked, *more)
        assert (told.code, told.out) == (1, "")
        assert "columns 'click', 'view': each follows from the others; of 120 trials" in told.err


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
        (("check", "{}", "--late", "late", "--signals", "click=nan"), "such as click=0.2"),
        (("check", "{}", "--late", "late", "--signals", "click=-inf"), "such as click=0.2"),
        (("check", "{}", "--late", "late", "--signals", "click=1,click=2"), "named twice"),
        (("fit", "{}", "--late", "late", "--signals", "click=1"), "fit finds weights itself"),
        (("fit", "nowhere.csv", "--late", "late", "--signals", "click"), "no such file"),
    ],
)
def test_what_is_wrong_is_said(
    croupier: CommandLine, matured: Path, words: tuple[str, ...], reason: str
) -> None:
    told = croupier("surrogate", *(word.format(matured) for word in words))
    assert told.code == 2
    assert reason in told.err


def columns(file: Path, **values: np.ndarray) -> Path:
    """A file with these columns."""
    rows = zip(*(column.tolist() for column in values.values()), strict=True)
    file.write_text("\n".join([",".join(values), *(",".join(map(str, row)) for row in rows)]))
    return file


@pytest.mark.parametrize("name", ["page click", "'click'", "k" * 65, "clïck", "impression"])
def test_a_column_that_no_kind_can_be_named_by_is_refused(
    croupier: CommandLine, matured: Path, name: str
) -> None:
    matured.write_text(matured.read_text().replace("click", name))
    told = croupier("surrogate", "fit", matured, "--late", "late", "--signals", f"{name},cart")
    assert (told.code, told.out) == (2, "")
    assert f"column {name!r}: not a name for an outcome kind: " in told.err
    assert name == "impression" or "1 to 64 letters, digits, '.', '_' or '-'" in told.err


HUGE = np.tile([1e200, -1e200, 3e200], 40)
CLICKS = np.tile([0.0, 1.0, 0.0, 1.0, 1.0], 24)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"late": HUGE, "click": CLICKS}, "column 'late': numbers up to 3e+200, too large"),
        (
            {"late": 1e200 * CLICKS, "click": np.where(CLICKS > 0, 3e200, 0.5)},
            "column 'click': numbers up to 3e+200, too large",
        ),
        ({"late": CLICKS, "click": CLICKS - 1}, "column 'click': row 1: expected a count or an"),
        ({"late": 1e12 * CLICKS, "click": CLICKS}, "reward.click: weight must be"),
        ({"late": 1e5 * CLICKS, "click": 1e9 * CLICKS + 0.5}, "reward.click: "),
    ],
)
def test_numbers_of_which_there_is_no_reward_are_refused(
    croupier: CommandLine, tmp_path: Path, values: dict[str, np.ndarray], said: str
) -> None:
    file = columns(tmp_path / "trials.csv", **values)
    for more in ((), ("--json",)):
        told = croupier("surrogate", "fit", file, "--late", "late", "--signals", "click", *more)
        assert (told.code, told.out) == (2, "")
        assert said in told.err
        assert "Warning" not in told.err


def test_a_check_of_numbers_too_large_is_refused(croupier: CommandLine, tmp_path: Path) -> None:
    arm = np.tile(["a", "b"], 60)
    file = columns(tmp_path / "trials.csv", late=HUGE, click=CLICKS, arm=arm)
    asked = ("--late", "late", "--signals", "click=1", "--arm", "arm")
    told = croupier("surrogate", "check", file, *asked)
    assert (told.code, told.out) == (2, "")
    assert "column 'late': numbers up to 3e+200" in told.err


def test_a_check_of_one_arm_cannot_tell_and_says_so(croupier: CommandLine, tmp_path: Path) -> None:
    asked = ("--late", "late", "--signals", "click=1", "--arm", "arm")
    for count, said in ((120, "only 'a': a check compares arms"), (0, "no trial")):
        arm = np.full(count, "a")
        file = columns(tmp_path / "t.csv", late=CLICKS[:count], click=CLICKS[:count], arm=arm)
        told = croupier("surrogate", "check", file, *asked)
        assert (told.code, told.out) == (2, "")
        assert said in told.err


def test_a_row_with_more_cells_than_columns_is_refused(
    croupier: CommandLine, matured: Path
) -> None:
    matured.write_text(matured.read_text() + "a,1,0,0,5\n")
    told = croupier("surrogate", "fit", matured, "--late", "late", "--signals", "click")
    assert (told.code, "row 401: more cells than columns" in told.err) == (2, True)


def test_where_no_signal_is_worth_anything_there_is_no_reward(
    croupier: CommandLine, tmp_path: Path
) -> None:
    file = columns(tmp_path / "trials.csv", late=np.full(120, 3.0), click=CLICKS)
    asked = ("surrogate", "fit", file, "--late", "late", "--signals", "click")
    told = croupier(*asked)
    assert (told.code, told.out) == (1, "")
    assert "no signal tells anything of late" in told.err
    as_json = croupier(*asked, "--json")
    assert (as_json.code, as_json.json()["surrogate"]) == (1, {})


def test_counts_above_what_is_counted_are_fitted_as_they_will_count(
    croupier: CommandLine, tmp_path: Path
) -> None:
    """A trial of 400 views will earn what one of 256 does: so it must in the fit, and its mean."""
    views = np.random.default_rng(1).integers(0, 400, 600)
    late = 0.5 * np.minimum(views, 256) + np.tile([0.1, -0.1], 300)
    file = columns(tmp_path / "trials.csv", late=late, views=views)
    told = croupier("surrogate", "fit", file, "--late", "late", "--signals", "views")
    assert told.code == 0
    assert f"# views: {(views > 256).sum()} of 600 trials have more than 256" in told.err
    spec = parse_settings(TOP_BUTTON.replace("reward = { click = 1.0 }", told.out.strip()))
    one = spec.experiments[0]
    assert one.reward.terms["views"].cap == 256
    assert one.reward.terms["views"].weight == pytest.approx(0.5, abs=1e-3)
    assert one.signals["views"].mean == pytest.approx(np.minimum(views, 256).mean())
