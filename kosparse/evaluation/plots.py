"""Small inline SVG plots. Colours come from the page's CSS, so they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 22
_NOT_PLOTTED = ("step", "seconds", "epoch")


def bar(value: float, maximum: float, interval: tuple[float, float] | None = None, kind: str = "") -> Markup:
    """A horizontal bar as wide as its place on the page, with an interval drawn over it.

    Args:
        value: Length, >= 0.
        maximum: The value that fills the width.
        interval: Ends of the error bar, in the units of ``value``.
        kind: CSS class of the bar's colour.
    """

    def percent(number: float) -> str:
        return f"{100 * min(max(number / maximum, 0.0), 1.0):.2f}%" if maximum > 0 else "0%"

    parts = [f'<rect class="bar {escape(kind)}" x="0" y="4" width="{percent(value)}" height="14" rx="2"/>']
    if interval is not None:
        low, high = percent(interval[0]), percent(interval[1])
        parts.append(f'<line class="interval" x1="{low}" x2="{high}" y1="11" y2="11"/>')
        parts += [f'<line class="interval" x1="{end}" x2="{end}" y1="7" y2="15"/>' for end in (low, high)]
    return Markup(f'<svg class="barplot" height="22" role="img" aria-hidden="true">{"".join(parts)}</svg>')


def training_curves(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """One line chart for every number that the training history follows; ``[]`` for fewer than two points."""
    names = dict.fromkeys(key for row in history for key in row if key not in _NOT_PLOTTED)
    charts = []
    for name in names:
        points = [
            (float(row["step"]), float(row[name])) for row in history if _is_number(row.get(name)) and "step" in row
        ]
        if len(points) > 1:
            charts.append((name, line_chart(points)))
    return charts


def line_chart(points: Sequence[tuple[float, float]]) -> Markup:
    """A line through points, with the ends of both axes written out."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    span_x, span_y = (max(xs) - min(xs)) or 1.0, (high - low) or 1.0

    def place(x: float, y: float) -> str:
        across = _LEFT + (x - min(xs)) / span_x * (_WIDTH - _LEFT - _RIGHT)
        down = _TOP + (1 - (y - low) / span_y) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f},{down:.1f}"

    base, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    path = " ".join(place(x, y) for x, y in points)
    return Markup(
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-hidden="true">'
        f'<path class="axis" d="M{_LEFT},{_TOP} V{base} H{right}"/><polyline class="line" points="{path}"/>'
        f'<text x="{_LEFT - 4}" y="{_TOP + 9}" text-anchor="end">{short(high)}</text>'
        f'<text x="{_LEFT - 4}" y="{base}" text-anchor="end">{short(low)}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{short(min(xs))}</text>'
        f'<text x="{right}" y="{_HEIGHT - 6}" text-anchor="end">{short(max(xs))}</text></svg>'
    )


def short(number: float) -> str:
    """A number in at most about six characters.

    >>> short(1500), short(0.01234), short(12.3), short(0)
    ('1,500', '0.0123', '12.3', '0')
    """
    if number == int(number) and abs(number) < 1e6:
        return f"{int(number):,}"
    return f"{number:.3g}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
