"""croupier demo: see the ring turn, in under two minutes."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from croupier.cli.options import Json, Seed
from croupier.cli.pictures import in_a_folder, put_picture

if TYPE_CHECKING:
    from croupier.runners.demo import Summary
    from croupier.runners.visitors import Truth

_BAR = 28


def demo(  # noqa: PLR0913 - the options of a command
    visitors: Annotated[int, typer.Option(min=100, help="How many visitors come.")] = 100_000,
    seconds: Annotated[
        float, typer.Option(min=0, help="Spread them over so many seconds, if the machine can.")
    ] = 50.0,
    seed: Seed = 1,
    kills: Annotated[
        int, typer.Option(min=0, max=20, help="How often the server is killed −9.")
    ] = 1,
    picture: Annotated[
        Path | None,
        typer.Option(help="Write the shares over time as an SVG file.", callback=in_a_folder),
    ] = None,
    log: Annotated[str, typer.Option(help="On services: kafka://host:port/a-new-name")] = "",
    states: Annotated[str, typer.Option(help="postgresql://…?schema=a_new_name")] = "",
    cache: Annotated[str, typer.Option(help="redis://…?prefix=a-new-name")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Start a real server, send it visitors over HTTP, kill it once, and do the accounts.

    Four headlines with the click rates of a real test; Thompson sampling finds the best while the
    visitors come. Some events arrive twice, shuffled and late; nothing is lost or doubled.

    Examples:
      croupier demo

      croupier demo --visitors 20000 --seed 7 --json

      croupier demo --picture shares.svg

    With --log, --states and --cache it is the distributed ring, of seven processes.
    """
    import msgspec

    from croupier.runners.demo import run
    from croupier.runners.demo_rings import OneProcess, Processes

    services = [log, states, cache]
    if any(services) and not all(services):
        raise typer.BadParameter("--log, --states and --cache go together")

    view = _quiet if as_json else _View(visitors)
    with tempfile.TemporaryDirectory(prefix="croupier-demo-") as folder:
        place = Path(folder)
        ring = Processes(place, *services) if log else OneProcess(place)
        try:
            summary = run(ring, visitors, seconds, seed, kills, view)
        except BaseException:
            ring.stop()
            raise
    if as_json:
        print(msgspec.json.encode(summary).decode())
    else:
        _report(summary)
    if picture is not None:
        put_picture(picture, _picture(summary))
    if summary.lost or summary.doubled:
        raise typer.Exit(1)


def _picture(summary: "Summary") -> str:
    from croupier.runners.picture import share_picture

    names = list(summary.share_over_time)
    steps = len(summary.best_arm_share_over_time)
    times = [summary.visitors * (step + 1) / steps for step in range(steps)]
    shares = [[summary.share_over_time[name][step] for name in names] for step in range(steps)]
    return share_picture("Share of each headline", times, names, shares)


def _quiet(truth: "Truth", page: Any) -> None:
    pass


class _View:
    """A line now and then: how far, and who gets which share of the traffic now."""

    def __init__(self, visitors: int) -> None:
        self._visitors, self._next = visitors, 0.0
        self._headed, self._killed = False, 0
        print(f"{visitors:,} visitors are coming; each bar is an arm's share of the traffic.")
        print("A trial closes when its windows have passed, after some seconds here.\n")

    def __call__(self, truth: "Truth", page: Any) -> None:
        done = truth.decisions / self._visitors
        if not self._headed:
            self._headed = True
            print(f"{'':12} " + "".join(f"{arm['arm']:17}" for arm in page["arms"]))
        if truth.killed > self._killed:
            self._killed = truth.killed
            print(f"{done:5.0%}  {truth.victim} was killed −9, and is up again", flush=True)
        if done < self._next and page["open"]:
            return
        if self._next > 1:
            return
        self._next = done + 0.05 if done < 1 else 2.0
        bars = "  ".join(f"{_bar(arm['weight'])} {arm['weight']:4.0%}" for arm in page["arms"])
        print(f"{done:5.0%}  v{page['version']:<4} {bars}", flush=True)


def _bar(share: float, width: int = 10) -> str:
    eighths = round(share * width * 8)
    text = "█" * (eighths // 8) + (" ▏▎▍▌▋▊▉"[eighths % 8] if eighths % 8 else "")
    return text.ljust(width, "·")


def _report(summary: "Summary") -> None:
    print(f"\n{'':12} true rate     shown   clicked    learned n   learned Σr  share at the end")
    for arm in summary.arms:
        last = summary.share_over_time[arm["arm"]][-1]
        star = "★" if arm["arm"] == summary.best_arm else " "
        print(
            f"{star} {arm['arm']:10} {arm['true_rate']:8.2%} {arm['shown']:10,} {arm['clicked']:9,}"
            f" {arm['n']:12,} {arm['reward_sum']:12,.0f}  {_bar(last)} {last:.0%}"
        )
    over_time = " ".join(f"{share:4.0%}" for share in summary.best_arm_share_over_time)
    print(f"\nshare of the best arm over time   {over_time}")
    print(f"reward against uniform            {summary.reward_vs_uniform:.3f}×")
    print(f"decisions a second                {summary.decisions_per_second:,.0f} (over HTTP)")
    print(f"sent twice on purpose             {summary.resent:,} events")
    print(f"killed −9 and restarted           {summary.kills}")
    print(f"lost {summary.lost}, doubled {summary.doubled}, late {summary.late}")
