"""croupier estimates: what is known of the arms, and what follows."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from croupier.cli.ask import HERE, Key, Server, ask, place
from croupier.cli.options import Json
from croupier.core.figure import figure

if TYPE_CHECKING:
    from rich.table import Table

File = Annotated[
    str | None, typer.Option("--data", "-d", help="Read this data file instead of a server.")
]
_WIDTH = 110
Worth = Annotated[
    float,
    typer.Option("--worth", min=0.0, help="How much a trial must earn more to matter."),
]


def estimates(
    experiment: Annotated[str, typer.Argument(help="The name of the experiment.")],
    server: Server = HERE,
    data: File = None,
    worth: Worth = 0.0,
    api_key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Lifts that survive changing shares, intervals that hold at any time, and a verdict.

    Arms are compared within periods, so that neither a base rate that moves nor shares that
    follow it favour any. "At any time" intervals may be looked at every day, and acted on. P(best)
    says where traffic goes; it is no verdict. The pooled lift is the wrong way, to compare with.

    Examples:
      croupier estimates top-button

      croupier estimates top-button --data shop.db --worth 0.001 --json
    """
    if data is not None and server != HERE:
        raise typer.BadParameter("--data and --server: a data file is read, or a server is asked")
    if data is None:
        page = ask(place(server, "experiments", experiment, "estimates", worth=worth), api_key)
    else:
        page = _of_file(data, experiment, worth)
    if as_json:
        print(json.dumps(page))
        return
    _report(page)


def _of_file(data: str, name: str, worth: float) -> Any:
    import msgspec

    from croupier.apps.serve.estimates import known_of
    from croupier.config.backends import data_file, open_backends
    from croupier.core.estimate import page
    from croupier.runners.declare import must_be_declared, read_declarations

    backends = open_backends(data_file(data), read_only=True)
    try:
        declarations = read_declarations(backends.log)
        must_be_declared(declarations, name)
        stores = backends.log, backends.states, backends.cache
        known = known_of(*stores, declarations, name)
    finally:
        backends.close()
    return msgspec.to_builtins(page.estimates(known, worth))


def _report(page: Any) -> None:
    from rich.console import Console

    from croupier.cli.guardrails import report_guardrails

    console = Console(highlight=False, markup=False)
    console.width = max(console.width, _WIDTH)  # a table that is cut says nothing
    console.print(f"{page['name']}: {page['trials']:,} trials in {_periods(page)}\n")
    console.print(_table(page))
    held = page["holdout"]
    if held is not None:
        lift = held["ratio"] or held["difference"]
        console.print(f"\nall arms over the holdout: {_lift(held, lift)}")
    report_guardrails(console, page.get("guardrails", []))
    console.print(f"\n{page['verdict']['text']}", style="bold")
    balance = page["balance_p"]
    shares = "not checked" if balance is None else f"p = {balance:.2g}"
    alarm = ", ALARM" if page["balance_alarm"] else ""
    wider = f"; a lift's variance is widened by up to {page['widened']:.2f}" * (page["widened"] > 1)
    units = page.get("returning")
    returning = f", over groups of units: {units:.2f}" if units is not None else ""
    lifts = [held, *(arm["lift"] for arm in page["arms"])]
    doubted = max(((each or {}).get("doubted") or 0.0 for each in lifts), default=0.0)
    if doubted:
        part = f"up to {doubted:.0%} of a lift's variance"
        console.print(f"fitted weights of the reward: {part}, whatever the traffic", style="dim")
    console.print(f"shares against propensities: {shares}{alarm}", style="dim" * (not alarm))
    console.print(
        f"dispersion over periods: {page['dispersion']:.2f}{returning}{wider}", style="dim"
    )


def _periods(page: Any) -> str:
    return f"{page['periods']:,} period{'s' * (page['periods'] != 1)}"


def _table(page: Any) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("arm")
    for title in ("n", "mean", "95 %", "lift", "95 %", "at any time", "P(best)*", "pooled**"):
        table.add_column(title, justify="right", no_wrap=True)
    for arm in page["arms"]:
        mean, lift = arm["mean"], arm["lift"]
        cells = ["", "", "", ""]
        if lift is not None:
            once, ever = lift["ratio"], lift["ratio_anytime"]
            if once is None:
                once, ever = lift["difference"], lift["difference_anytime"]
            pooled = None if lift["pooled_ratio"] is None else lift["pooled_ratio"] - 1
            cells = [_lift(lift, once), _ends(lift, once), _ends(lift, ever), _percent(pooled)]
        best = "" if arm["best"] is None else f"{arm['best']:.1%}"
        name = arm["arm"] if arm["status"] == "active" else f"{arm['arm']} ({arm['status']})"
        row = [name, f"{arm['n']:,}", figure(mean["value"]), _pair(mean, figure), *cells[:3]]
        table.add_row(*row, best, Text(cells[3], style="dim strike"))
    table.caption = "* where traffic goes, no verdict   ** the wrong way, to compare with"
    table.caption_justify = "left"
    return table


def _lift(lift: Any, interval: Any) -> str:
    if lift["ratio"] is None:
        return figure(interval["value"])
    return _percent(None if interval["value"] is None else interval["value"] - 1)


def _ends(lift: Any, interval: Any) -> str:
    if lift["ratio"] is None:
        return _pair(interval, figure)
    return _pair(interval, lambda end: _percent(None if end is None else end - 1))


def _pair(interval: Any, form: Callable[[float | None], str]) -> str:
    return f"{form(interval['low'])} … {form(interval['high'])}"


def _percent(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:+.1%}" if abs(value) < 1 else f"{value:+.0%}"
