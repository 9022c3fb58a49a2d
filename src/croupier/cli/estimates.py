"""What an evaluation prints: refusals or estimates, and how far the log carries."""

import sys

from rich.console import Console
from rich.table import Table

from croupier.core.evaluate.answer import Answer, Estimate
from croupier.core.evaluate.estimators import ESTIMATORS
from croupier.core.evaluate.shares import ShareCheck

_WRONG = 10


def report(answer: Answer) -> None:
    """Estimates with their intervals, or the reasons for which there are none."""
    console = Console(highlight=False, markup=False)
    console.print(f"{answer.policy} on {answer.log}: {answer.rounds:,} rounds")
    if answer.learned_from:
        console.print(f"learned from {answer.learned_from:,} rounds")
    for reason, count in answer.left_out.items():
        console.print(f"left out: {count:,} {reason}")
    console.print()
    for reason in answer.warnings:
        console.print(f"beware: {reason}", style="yellow")
    for reason in answer.refused:
        console.print(f"REFUSED: {reason}", style="red")
    for name, reasons in answer.refused_by.items() if not answer.refused else ():
        for reason in reasons:
            console.print(f"REFUSED {name}: {reason}", style="red")
    console.print(_table(answer))
    if answer.diagnostics is not None:
        told = answer.diagnostics
        console.print(
            f"\neffective rounds {told.effective:,.1f}, largest weight {told.largest_weight:,.4g}, "
            f"mean weight {told.mean_weight:.4f} ({told.deviation:+.2f} standard errors from 1), "
            f"target beyond the log {told.unsupported:.2%}"
        )
    _rows(answer)


def report_check(found: ShareCheck) -> None:
    """What is wrong, or that nothing is; then every arm, those furthest out first."""
    console = Console(highlight=False, markup=False)
    console.print(f"{found.rounds:,} rounds: {'ALARM: ' * found.alarm}{found.text}\n")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("arm", "shown", "expected", "of rounds", "z"):
        table.add_column(column, justify="left" if column == "arm" else "right", no_wrap=True)
    for arm in sorted(found.arms, key=lambda arm: -abs(arm.z)):
        meant = "?" if arm.expected is None else f"{arm.expected:,.1f}"
        table.add_row(arm.arm, f"{arm.shown:,}", meant, f"{arm.rounds:,}", f"{arm.z:+.2f}")
    console.print(table)


def _table(answer: Answer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("estimate")
    for column in ("value", f"{answer.confidence:.0%} from", "to", "of logged"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    table.add_row(*_cells("as logged", answer.logged, None), style="dim")
    for name, estimate in (answer.estimates or {}).items():
        table.add_row(*_cells(name, estimate, answer.logged.value))
    return table


def _cells(name: str, estimate: Estimate, logged: float | None) -> list[str]:
    ends = ("?" if end is None else f"{end:.6g}" for end in (estimate.low, estimate.high))
    ratio = f"{estimate.value / logged:.3f}×" if logged else ""
    about = ESTIMATORS[name].about if name in ESTIMATORS else ""
    return [name, f"{estimate.value:.6g}", *ends, ratio, about]


def _rows(answer: Answer) -> None:
    """Rows that could not be used, on stderr: the first of them, and how many."""
    for line in answer.wrong[:_WRONG]:
        print(line, file=sys.stderr)
    if answer.wrong_rows:
        more = f", {answer.wrong_rows - _WRONG:,} more like these" * (answer.wrong_rows > _WRONG)
        print(f"{answer.wrong_rows:,} rows could not be used{more}", file=sys.stderr)
