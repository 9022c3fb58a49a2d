"""What a simulation prints: regret by policy, and shares of the visits over time."""

from collections.abc import Sequence
from itertools import pairwise

from rich.console import Console
from rich.table import Table
from rich.text import Text

from croupier.core.duration import HOUR, MINUTE, SECOND, format_duration
from croupier.core.worlds.regret import Simulation
from croupier.runners.picture import Rows, fewer

_ROWS, _BAR, _GLYPHS = 10, 36, "█▓▒░▚╳▪·"


def report(found: Simulation) -> None:
    """What each policy lost, and who got which share of the visits when."""
    console = Console(highlight=False, markup=False)
    pairs = zip(found.arms, found.rates, strict=True)
    rates = ", ".join(f"{arm} {rate * 100:.3g}%" for arm, rate in pairs)
    console.print(f"{found.visits:,} visits to the {found.world} world, seed {found.seed}: {rates}")
    console.print()
    console.print(_regrets(found))
    names, panels, colours = fewer(found.arms, [(run.policy, run.shares) for run in found.runs])
    glyphs = "█" * len(names) if console.is_terminal else _GLYPHS
    legend = [
        Text.assemble((glyph, colour), " ", name)
        for name, colour, glyph in zip(names, colours, glyphs, strict=False)
    ]
    room = console.width - _BAR - 20
    roomy = sum(max(4, len(entry)) + 2 for entry in legend) <= room
    if not roomy:
        console.print()
        console.print(Text("   ").join(legend))
    for policy, rows in panels:
        console.print(f"\n{policy}", style="bold")
        console.print(_shares(found, rows, legend if roomy else [], colours, glyphs))


def _regrets(found: Simulation) -> Table:
    slots = len(found.attention)
    best = "best arm\nat the end" if slots == 1 else f"best {slots}\nat the end"
    table = _table("policy", "regret", "of\nuniform's", best, "reward", "trials")
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    for column in ("late", "sent\ntwice", "churn"):
        table.add_column(column, justify="right", no_wrap=True)
    evenly = len(found.attention) / len(found.arms)
    uniform = (f"{found.uniform_regret[-1]:,.1f}", "100%", f"{evenly:.0%}")
    table.add_row("equal shares", *uniform, style="dim")
    for run in found.runs:
        table.add_row(
            run.policy,
            f"{run.regret[-1]:,.1f}",
            f"{run.of_uniform:.0%}",
            f"{run.best_share:.0%}",
            f"{run.reward:,.0f}",
            f"{sum(run.learned.n):,}",
            f"{run.learned.late:,}",
            f"{run.duplicates:,}",
            "-" if run.churn is None else f"{run.churn:.1%}",
        )
        if not run.exact:
            table.add_row(f"  WRONG: {run.learned} is not {run.expected}", style="red")
    return table


def _shares(
    found: Simulation, rows: Rows, legend: Sequence[Text], colours: Sequence[str], glyphs: str
) -> Table:
    """Ten rows of shares, as numbers where there is room and as a stacked bar.

    Where there is no colour, arms are told apart by glyph.
    """
    table = _table("until", "best")
    for entry in legend:
        table.add_column(entry, justify="right", no_wrap=True)
    of = "visits" if len(found.attention) == 1 else "slots"
    table.add_column(f"share of the {of}", no_wrap=True)
    grains = [grain for grain in (MINUTE, 10 * MINUTE, HOUR) if grain <= found.times[-1] / 50]
    grain = max(grains, default=SECOND)
    for row in range(_ROWS):
        first, last = row * len(rows) // _ROWS, (row + 1) * len(rows) // _ROWS
        share = [sum(column) / (last - first) for column in zip(*rows[first:last], strict=True)]
        edges = [round(_BAR * sum(share[:arm])) for arm in range(len(share) + 1)]
        bar = Text()
        for arm, (left, right) in enumerate(pairwise(edges)):
            bar.append(glyphs[arm] * (right - left), colours[arm])
        until = format_duration(round(found.times[last - 1] / grain) * grain)
        numbers = [f"{each:.0%}" for each in share[: len(legend)]]
        table.add_row(until, found.best[last - 1], *numbers, bar)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    return table
