"""A page of maths for every policy, posterior and estimator, whose numbers are computed."""

import doctest
from pathlib import Path
from typing import get_args

import pytest

from croupier.core.arms.posterior import Posterior
from croupier.core.evaluate.estimators import ESTIMATORS
from croupier.core.policies.registry import POLICIES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "maths"
EVALUATION = [*ESTIMATORS, "replay", "sequence", "refusals", "ratio_check", "expected_loss"]
NAMES = [*POLICIES, *(str(each.__struct_config__.tag) for each in get_args(Posterior)), "prior"]
NAMES += ["slates", "examination", *EVALUATION]
METHODS = ["lift", "adaptive_mean", "anytime", "balance", "dispersion", "deconfounded", "guardrail", "maturing", "returning", "surrogate"]
"""Pages of `core/estimate`, and of options that policies share."""
NAMES += METHODS
PARTS = ("**What for.**", "## Formula", "## When not", "## A number", "## Reference")


def test_everything_has_a_page_and_no_page_is_idle() -> None:
    assert sorted(page.stem for page in FOLDER.glob("*.md")) == sorted(NAMES)


BESIDE = {"croupier.core.evaluate.ratio_check": "ratio_check", "croupier.core.evaluate.loss": "expected_loss"}
"""What nothing in the program uses, and its page: others' published figures are checked with it."""


def test_what_no_command_computes_is_said_to_be_so() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines()
    for module, page in BESIDE.items():
        assert f"from {module} import" not in source, f"{page} is used: say so"
        (row,) = [line for line in index if f"(maths/{page}.md)" in line]
        assert row.startswith("| by no command")
        assert "No command computes it" in (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    assert [row.count("](maths/") for row in index if row.startswith("| by no command")] == [len(BESIDE)]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_it_all_and_its_numbers_hold(name: str) -> None:
    page = FOLDER / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    assert [text.count(part) for part in PARTS] == [1] * len(PARTS)
    code = text.replace("```", "")  # a fence would be taken for the expected output's last line
    example = doctest.DocTestParser().get_doctest(code, {}, name, str(page), 0)
    ran = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert ran.attempted > 0
    assert ran.failed == 0
