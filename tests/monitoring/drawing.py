"""The dashboard as a picture: each panel where Grafana has it, drawn from what Prometheus answered."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from tests.monitoring.dashboard import Curve, Panel

_COLUMN, _ROW, _GAP = 60, 30, 5
_COLOURS = ("#1f5fa8", "#c8553d", "#2e7d5b", "#8a5a00", "#7b4fa3", "#2a93a8", "#b03a6b", "#6b7a1f")
_QUIET, _LINE, _INK = "#55605c", "#dcd8ce", "#1e2523"
_TIME = timedelta(minutes=15)
_SIZES = (("G", 1e9), ("M", 1e6), ("k", 1e3))
_SPANS = (("d", 86_400), ("h", 3_600), ("min", 60))


def picture(answers: Sequence[tuple[Panel, Sequence[Curve]]], begins: datetime, ends: datetime) -> str:
    """An SVG of the whole dashboard over this span."""
    width = 24 * _COLUMN
    height = max(panel.y + panel.height for panel, _ in answers) * _ROW + _GAP
    drawn = [line for panel, curves in answers for line in _Drawn(panel, curves, begins, ends).whole()]
    opened = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11" fill="{_INK}">'
    )
    return "\n".join([opened, '<rect width="100%" height="100%" fill="#f6f4ef"/>', *drawn, "</svg>"]) + "\n"


class _Drawn:
    """One panel and its curves."""

    def __init__(self, panel: Panel, curves: Sequence[Curve], begins: datetime, ends: datetime) -> None:
        self.panel, self.curves = panel, curves
        self.begins, self.ends = begins.timestamp(), ends.timestamp()
        self.x, self.y = panel.x * _COLUMN + _GAP, panel.y * _ROW + _GAP
        self.width, self.height = panel.width * _COLUMN - _GAP, panel.height * _ROW - _GAP

    def whole(self) -> Iterator[str]:
        if self.panel.type == "row":
            yield _text(self.x, self.y + 18, self.panel.title, size=15, weight="bold")
            return
        yield (
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="6" '
            f'fill="#fff" stroke="{_LINE}"/>'
        )
        yield _text(self.x + 12, self.y + 20, self.panel.title, size=13, weight="bold")
        yield from self._numbers() if self.panel.type == "stat" else self._curves()

    # One number -----------------------------------------------------------------------------------

    def _numbers(self) -> Iterator[str]:
        room = self.height - 75
        size = min(44, room / max(1, len(self.curves)) * 0.8)
        for place, curve in enumerate(self.curves):
            y = self.y + 45 + room * (place + 0.5) / len(self.curves) + size / 3
            name = curve.name if len(self.curves) > 1 or self.panel.unit == "s" else ""
            shown = _shown(curve.points[-1][1], self.panel.unit)
            yield _text(self.x + 14, y, shown, size=round(size), fill=_COLOURS[0])
            yield _text(self.x + self.width - 14, y, name, anchor="end", fill=_QUIET)
        for number, line in enumerate(_wrapped(self.panel.good, self.width / 6.1)[:2]):
            yield _text(self.x + 14, self.y + self.height - 24 + 13 * number, line, fill=_QUIET, size=10)

    # Curves ---------------------------------------------------------------------------------------

    def _curves(self) -> Iterator[str]:
        moving = [curve for curve in self.curves if any(value for _, value in curve.points)]
        shown = moving[: len(_COLOURS)]
        highest = _ceiling(
            max((value for one in shown for _, value in one.points), default=0), self.panel.unit
        )
        self.left, self.right = self.x + 52, self.x + self.width - 22
        lines = -(-len(shown) // 2) if shown else 1
        self.top, self.bottom = self.y + 36, self.y + self.height - 34 - 14 * lines
        yield from self._frame(highest)
        for colour, curve in zip(_COLOURS, shown, strict=False):
            yield from self._curve(curve, highest, colour)
        yield from self._legend(shown, len(self.curves) - len(shown))

    def _frame(self, highest: float) -> Iterator[str]:
        for part in range(3):
            y = self._up(highest * part / 2, highest)
            yield f'<path d="M{self.left} {y:.1f}H{self.right}" stroke="{_LINE}"/>'
            yield _text(
                self.left - 6, y + 4, _shown(highest * part / 2, self.panel.unit), anchor="end", fill=_QUIET
            )
        instant = datetime.fromtimestamp(self.begins, UTC)
        while instant.timestamp() <= self.ends:
            x = self._across(instant.timestamp())
            yield _text(x, self.bottom + 16, f"{instant:%H:%M}", anchor="middle", fill=_QUIET)
            instant += _TIME

    def _curve(self, curve: Curve, highest: float, colour: str) -> Iterator[str]:
        """A line for each stretch without a gap; a point where there is but one value."""
        for stretch in _stretches(curve.points):
            places = [f"{self._across(at):.1f},{self._up(value, highest):.1f}" for at, value in stretch]
            if len(places) == 1:
                x, _, y = places[0].partition(",")
                yield f'<circle cx="{x}" cy="{y}" r="1.8" fill="{colour}"/>'
            else:
                joined = " ".join(places)
                yield f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.5"/>'

    def _legend(self, shown: Sequence[Curve], flat: int) -> Iterator[str]:
        y = self.bottom + 34
        for place, curve in enumerate(shown):
            x = self.x + 14 + (place % 2) * (self.width / 2 - 6)
            yield f'<rect x="{x:.0f}" y="{y - 8}" width="9" height="9" fill="{_COLOURS[place]}"/>'
            yield _text(x + 14, y, curve.name)
            y += 14 * (place % 2)
        if flat:
            said = f"{flat} more at 0" if shown else "all at 0"
            yield _text(self.right, self.y + 20, said, anchor="end", fill=_QUIET)

    def _across(self, at: float) -> float:
        return self.left + (self.right - self.left) * (at - self.begins) / (self.ends - self.begins)

    def _up(self, value: float, highest: float) -> float:
        return self.bottom - (self.bottom - self.top) * min(max(value / highest, 0), 1)


def _stretches(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The points, parted where some are missing; of equal ones in a row the outer two."""
    found: list[list[tuple[float, float]]] = []
    for at, value in points:
        if not found or at - found[-1][-1][0] > 60:
            found.append([])
        stretch = found[-1]
        if len(stretch) > 1 and stretch[-1][1] == stretch[-2][1] == value:
            stretch[-1] = (at, value)
        else:
            stretch.append((at, value))
    return found


def _ceiling(value: float, unit: str) -> float:
    """The next number above that is easy to read."""
    if unit == "s" and value > 60:
        return min((step for step in (120, 300, 600, 1200, 1800, 3600, 7200) if step >= value), default=value)
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= value * 0.9999)


def _shown(value: float, unit: str) -> str:
    """A value with its unit, short."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    table: Mapping[str, Sequence[tuple[str, float]]] = {"s": _SPANS, "bytes": _SIZES}
    name, size = next(((n, s) for n, s in table.get(unit, ()) if abs(value) >= s), ("", 1.0))
    ending = {"s": name or "s", "bytes": f"{name}B", "reqps": "/s"}.get(unit, "")
    return f"{value / size:.3g} {ending}".strip()


def _wrapped(text: str, letters: float) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > letters:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _text(
    x: float,
    y: float,
    said: str,
    *,
    anchor: str = "start",
    weight: str = "normal",
    fill: str = _INK,
    size: int = 11,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}" '
        f'font-size="{size}">{escape(said)}</text>'
    )
