"""What croupier estimates prints of guardrails."""

from rich.console import Console

from croupier.cli.guardrails import report_guardrails

BETWEEN = {"value": -0.001, "low": -0.01, "high": 0.008}
ARM = {
    "arm": "b", "n": 12_345, "mean": 0.035, "difference": BETWEEN, "difference_anytime": BETWEEN,
    "stands": "open", "barred": None,
}  # fmt: skip


def test_a_mean_says_that_a_difference_need_not_agree_with_it() -> None:
    """0.035 against 0.02, and less than the default: both are so, and a reader is told why."""
    console = Console(width=110, record=True)
    page = {"name": "refund", "margin": 0.002, "worse": "more", "default": 0.02, "holdout": None}
    report_guardrails(console, [{**page, "arms": [ARM]}])
    report_guardrails(console, [])
    told = console.export_text()
    assert "default's 0.02*" in told
    assert told.count("mean*") == told.count("* over all trials") == 1
