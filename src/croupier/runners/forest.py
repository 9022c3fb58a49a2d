"""The picture of an evaluation, as an SVG: each estimator with its interval."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

from croupier.core.evaluate.answer import Answer, Estimate
from croupier.core.figure import figure

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 880, 150, 250, 84, 38
_COLOUR, _LOGGED, _LINES = "#0072b2", "#8c8c8c", 104
_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
         fill: #24292f }
  .paper { fill: #ffffff } .title { font-size: 17px; font-weight: 600 }
  .small, .axis { fill: #57606a; font-size: 12px } .axis { text-anchor: middle }
  .end { text-anchor: end } .why { fill: #b3261e }
  .grid { stroke: #8c959f; stroke-opacity: .3 } .logged { stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .paper { fill: #0d1117 } .small, .axis { fill: #9198a1 }
    .why { fill: #ffb4ab }
  }
"""


class _Scale(NamedTuple):
    low: float
    high: float

    def x(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _RIGHT - _LEFT)


def forest(answer: Answer) -> str:
    """Value and interval of each estimator, the logged value as a line; or why there is none.

    >>> forest(Answer("log", "uniform", 9, Estimate(0.5, 0.1, 0.9), 0.95))[:38]
    '<svg xmlns="http://www.w3.org/2000/svg'
    """
    rows = [("as logged", answer.logged), *(answer.estimates or {}).items()]
    scale = _scale([estimate for _, estimate in rows])
    bottom = _TOP + _ROW * len(rows)
    why = [line for text in answer.refused for line in _wrapped(f"refused: {text}")]
    height = bottom + 58 + 20 * len(why)
    title = f"{answer.policy} on {answer.log}: {answer.rounds:,} rounds"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        f'<text class="title" x="24" y="30">{escape(title)}</text>',
        f'<text class="small" x="24" y="52">{_subtitle(answer)}</text>',
        *_axis(scale, answer.logged.value, bottom),
    ]
    for place, (name, estimate) in enumerate(rows):
        parts += _row(name, estimate, scale, _TOP + _ROW * place + _ROW / 2)
    for place, line in enumerate(why):
        parts.append(
            f'<text class="why" x="24" y="{bottom + 52 + 20 * place}">{escape(line)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _subtitle(answer: Answer) -> str:
    words = f"mean reward; bars are {answer.confidence:.0%} confidence sequences"
    if answer.diagnostics is None:
        return words
    told = answer.diagnostics
    return (
        f"{words}; {told.effective:,.0f} effective rounds, largest weight {told.largest_weight:.3g}"
    )


def _scale(estimates: Sequence[Estimate]) -> _Scale:
    """All values, and intervals as far as they are within four times the values' own range."""
    ends = [end for each in estimates for end in (each.low, each.high) if end is not None]
    values = [each.value for each in estimates]
    low, high = min(values), max(values)
    room = 4 * max(high - low, abs(high), 1e-9)
    low, high = (
        min([low, *(max(e, low - room) for e in ends)]),
        max([high, *(min(e, high + room) for e in ends)]),
    )
    edge = 0.04 * max(high - low, 1e-9)
    return _Scale(low - edge, high + edge)


def _axis(scale: _Scale, logged: float, bottom: float) -> list[str]:
    parts = []
    for value in ticks(scale.low, scale.high):
        x = scale.x(value)
        parts += [
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{bottom}"/>',
            f'<text class="axis" x="{x:.1f}" y="{bottom + 20}">{value:.4g}</text>',
        ]
    x = scale.x(logged)
    line = f'<line class="logged" stroke="{_LOGGED}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}"'
    return [*parts, f'{line} y2="{bottom}"/>']


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two, some five of them.

    >>> ticks(-0.0051, 0.025)
    [-0.005, 0.0, 0.005, 0.01, 0.015, 0.02, 0.025]
    """
    unit = 10.0 ** floor(log10((high - low) / 4))
    step = next(unit * m for m in (1, 2, 5, 10) if (high - low) / (unit * m) <= 7)
    return [
        round(k * step, 12) for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    ]


def _row(name: str, estimate: Estimate, scale: _Scale, y: float) -> list[str]:
    colour = _LOGGED if name == "as logged" else _COLOUR
    parts = [f'<text class="end" x="{_LEFT - 14}" y="{y + 4}">{escape(name)}</text>']
    said = f"{estimate.value:.5g}"
    if estimate.low is not None or estimate.high is not None:
        low = scale.low if estimate.low is None else estimate.low
        high = scale.high if estimate.high is None else estimate.high
        ends = (figure(estimate.low), figure(estimate.high))
        said += f"  [{ends[0]}, {ends[1]}]"
        parts.append(
            f'<line stroke="{colour}" stroke-width="3" stroke-linecap="round" '
            f'x1="{scale.x(low):.1f}" x2="{scale.x(high):.1f}" y1="{y}" y2="{y}"/>'
        )
    return [
        *parts,
        f'<circle cx="{scale.x(estimate.value):.1f}" cy="{y}" r="6" fill="{colour}"/>',
        f'<text x="{_WIDTH - _RIGHT + 16}" y="{y + 4}">{said}</text>',
    ]


def _wrapped(text: str) -> list[str]:
    """A line a hundred characters or so."""
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) >= _LINES:
            lines.append(line)
            line = "   "
        line = f"{line} {word}".lstrip() if not line.isspace() else f"   {word}"
    return [*lines, line]
