"""The picture of who gets which share of the traffic over time, as an SVG."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from croupier.core.duration import UNITS

Rows = Sequence[Sequence[float]]
"""The share of each arm (columns) in each step (rows)."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#7a5195")
"""Told apart with any colour vision (Okabe & Ito 2008, Color Universal Design), and a violet."""
_OTHERS = "#8c8c8c"

_WIDTH, _PLOT, _LEFT, _TOP, _GAP, _LEGEND = 880, 210, 58, 82, 82, 190
_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
         fill: #24292f }
  .paper { fill: #ffffff } .title { font-size: 17px; font-weight: 600 }
  .panel { font-weight: 600 } .end { text-anchor: end }
  .axis, .end { fill: #57606a; font-size: 12px }
  .grid { stroke: #ffffff; stroke-opacity: .45; stroke-dasharray: 2 4 } .tick { stroke: #8c959f }
  .area { stroke: #ffffff; stroke-width: 1; stroke-linejoin: round }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .paper { fill: #0d1117 } .axis, .end { fill: #9198a1 }
    .area { stroke: #0d1117 }
  }
"""


class Panel(NamedTuple):
    """One policy's shares, and how it is called."""

    title: str
    shares: Rows


def share_picture(
    title: str, times: Sequence[float], names: Sequence[str], shares: Rows, axis: str = "visitors"
) -> str:
    """A stacked area of shares over time; `times` are the ends of steps, in units of `axis`.

    With "time" as the axis they are milliseconds. Beyond eight arms the smallest become "others".

    >>> share_picture("Two buttons", [50, 100], ["A", "B"], [[0.5, 0.5], [0.2, 0.8]])[:38]
    '<svg xmlns="http://www.w3.org/2000/svg'
    """
    return share_pictures(title, times, names, {"": shares}, axis)


def share_pictures(
    title: str,
    times: Sequence[float],
    names: Sequence[str],
    panels: Mapping[str, Rows],
    axis: str = "visitors",
    best: Sequence[str] = (),
) -> str:
    """The same for several policies, as small multiples under one title.

    `best` names the truly best arm of each step, where somebody knows: a strip above the shares.
    """
    names, drawn, colours = fewer(names, panels.items())
    height = _TOP + len(drawn) * (_PLOT + _GAP) - 40
    edges = [_LEFT + x / times[-1] * (_WIDTH - _LEGEND - _LEFT) for x in (0.0, *times)]
    colour = dict(zip(names, colours, strict=False))
    strip = [(step, colour.get(name, _OTHERS)) for step, name in enumerate(best)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        f'<text class="title" x="{_LEFT}" y="30">{escape(title)}</text>',
    ]
    for place, panel in enumerate(drawn):
        top = _TOP + place * (_PLOT + _GAP)
        parts += _areas(panel.shares, edges, names, colours, top)
        parts += _axes(times[-1], top, axis)
        parts += _strip(strip, edges, top)
        parts += _legend(names, colours, panel.shares[-1], top)
        parts.append(f'<text class="panel" x="{_LEFT}" y="{top - 24}">{escape(panel.title)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def fewer(
    names: Sequence[str], panels: Iterable[tuple[str, Rows]]
) -> tuple[list[str], list[Panel], list[str]]:
    """Names, panels and colours, with all but the arms of largest share merged into "others"."""
    if len(names) <= len(COLOURS):
        return list(names), [Panel(*panel) for panel in panels], list(COLOURS)
    panels = list(panels)
    most = [max(row[arm] for _, rows in panels for row in rows) for arm in range(len(names))]
    keep = sorted(sorted(range(len(names)), key=lambda arm: -most[arm])[: len(COLOURS) - 1])
    fewer = [
        Panel(
            one, [[*(row[arm] for arm in keep), 1 - sum(row[arm] for arm in keep)] for row in rows]
        )
        for one, rows in panels
    ]
    rest = f"{len(names) - len(keep)} others"
    return [*(names[arm] for arm in keep), rest], fewer, [*COLOURS[: len(keep)], _OTHERS]


def _areas(
    shares: Rows, edges: Sequence[float], names: Sequence[str], colours: Sequence[str], top: float
) -> list[str]:
    """Areas from the bottom up, each step's share at its middle."""
    middles = ((a + b) / 2 for a, b in pairwise(edges))
    across = [edges[0], *middles, edges[-1]]
    rows = [shares[0], *shares, shares[-1]]
    below, parts = [0.0] * len(rows), []
    for arm, name in enumerate(names):
        above = [base + row[arm] for base, row in zip(below, rows, strict=True)]
        path = [*zip(across, above, strict=True), *reversed([*zip(across, below, strict=True)])]
        points = " ".join(f"{x:.1f},{top + _PLOT * (1 - min(y, 1.0)):.1f}" for x, y in path)
        area = f'<polygon class="area" fill="{colours[arm]}" points="{points}">'
        parts.append(f"{area}<title>{escape(name)}</title></polygon>")
        below = above
    return parts


def _strip(strip: Sequence[tuple[int, str]], edges: Sequence[float], top: float) -> list[str]:
    """Above the shares, step by step: the colour of the arm that deserves them."""
    parts = [
        f'<rect x="{edges[step]:.1f}" width="{edges[step + 1] - edges[step] + 0.3:.1f}" '
        f'y="{top - 16}" height="6" shape-rendering="crispEdges" fill="{colour}"/>'
        for step, colour in strip
    ]
    label = f'<text class="end" x="{_LEFT - 8}" y="{top - 9}">best</text>'
    return [*parts, label] if parts else []


def _axes(end: float, top: float, axis: str) -> list[str]:
    parts, bottom, right = [], top + _PLOT, _WIDTH - _LEGEND
    for percent in (0, 25, 50, 75, 100):
        y = bottom - _PLOT * percent / 100
        parts += [
            f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>',
            f'<text class="end" x="{_LEFT - 8}" y="{y + 4}">{percent} %</text>',
        ]
    for tick, text in _ticks(end, axis):
        x = _LEFT + tick / end * (right - _LEFT)
        parts += [
            f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>',
            f'<text class="axis" x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{text}</text>',
        ]
    label = f'<text class="axis" x="{right + 32}" y="{bottom + 19}">{escape(axis)}</text>'
    return [*parts, label]


def _legend(
    names: Sequence[str], colours: Sequence[str], last: Sequence[float], top: float
) -> list[str]:
    """The arms in the order in which they are stacked, each with its share at the end."""
    x, parts = _WIDTH - _LEGEND + 16, []
    parts.append(f'<text class="end" x="{_WIDTH - 14}" y="{top - 6}">at the end</text>')
    for place, arm in enumerate(reversed(range(len(names)))):
        y = top + 4 + place * 22
        name = names[arm] if len(names[arm]) <= 14 else names[arm][:13] + "…"
        parts += [
            f'<rect x="{x}" y="{y}" width="13" height="13" rx="3" fill="{colours[arm]}"/>',
            f'<text x="{x + 20}" y="{y + 11}">{escape(name)}</text>',
            f'<text class="end" x="{_WIDTH - 14}" y="{y + 11}">{last[arm]:.0%}</text>',
        ]
    return parts


def _ticks(end: float, axis: str) -> list[tuple[float, str]]:
    """Round numbers from 0 to the end, some five of them; of time, in its own units.

    >>> [text for _, text in _ticks(1_200, "visitors")], [text for _, text in _ticks(4e8, "time")]
    (['0', '200', '400', '600', '800', '1,000', '1,200'], ['0 d', '1 d', '2 d', '3 d', '4 d'])
    """
    unit, name = 1.0, ""
    steps = [m * 10.0**e for e in range(12) for m in (1, 2, 5)]
    if axis == "time":
        fits = [unit for unit in ("s", "m", "h", "d") if end >= 2 * UNITS[unit]]
        name = fits[-1] if fits else "ms"
        unit, name = float(UNITS[name]), f" {name}"
        steps = [1, 2, 3, 4, 6, 7, 12, 14, 28] if unit >= UNITS["h"] else [1, 5, 10, 15, 30, *steps]
    step = next((step for step in steps if end / unit / step <= 7), steps[-1])
    count = int(end / unit / step + 1e-9)
    return [(tick * step * unit, f"{tick * step:,.0f}{name}") for tick in range(count + 1)]
