"""What croupier estimates prints of guardrails: differences, and who is barred."""

from typing import TYPE_CHECKING, Any

from croupier.core.figure import figure

if TYPE_CHECKING:
    from rich.console import Console


_MEANS = (
    "* over all trials; a difference is of trials in the same periods, and need not agree with it"
)


def report_guardrails(console: "Console", guardrails: list[Any]) -> None:
    """A table a guardrail, and a line for each arm that is not shown because of it."""
    from rich.table import Table

    for each in guardrails:
        console.print(
            f"\nguardrail {each['name']}: at most {each['margin']:g} {each['worse']} a trial than "
            f"the default's {figure(each['default'])}*"
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("arm")
        for title in ("n", "mean*", "difference", "95 %", "at any time", ""):
            table.add_column(title, justify="right", no_wrap=True)
        held = [] if each["holdout"] is None else [each["holdout"]]
        for arm in (*each["arms"], *held):
            once, ever = arm["difference"], arm["difference_anytime"]
            name = f"{arm['arm']} over the holdout" if arm in held else arm["arm"]
            row = [name, f"{arm['n']:,}", figure(arm["mean"]), figure(once["value"])]
            table.add_row(*row, _ends(once), _ends(ever), arm["stands"])
        console.print(table)
        for arm in each["arms"]:
            if arm["barred"]:
                console.print(f"{arm['arm']} is shown no more: {arm['barred']}", style="red")
    if guardrails:
        console.print(_MEANS, style="dim")


def _ends(interval: Any) -> str:
    return f"{figure(interval['low'])} … {figure(interval['high'])}"
