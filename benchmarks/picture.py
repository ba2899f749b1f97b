"""How the cost of an idle push grows with the LMS, as an SVG drawn from the figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.figures import Figure

_SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
_WIDTH, _HEIGHT, _LEFT, _TOP = 330, 220, 60, 50
_BLUE, _GREY = "#1f5fa8", "#8a8a8a"


@dataclass(frozen=True)
class _Panel:
    """One chart: the seats from left to right by powers of ten, values from bottom to top."""

    x: float
    title: str
    lowest: float
    highest: float
    logarithmic: bool
    ticks: Sequence[float]

    def across(self, seats: int) -> float:
        smallest, largest = min(_SIZES.values()), max(_SIZES.values())
        return self.x + _WIDTH * math.log(seats / smallest) / math.log(largest / smallest)

    def up(self, value: float) -> float:
        if self.logarithmic:
            share = math.log(value / self.lowest) / math.log(self.highest / self.lowest)
        else:
            share = (value - self.lowest) / (self.highest - self.lowest)
        return _TOP + _HEIGHT * (1 - share)

    def frame(self) -> Iterator[str]:
        yield _text(self.x, _TOP - 24, self.title, weight="bold")
        for tick in self.ticks:
            y = self.up(tick)
            yield f'<path d="M{self.x:.0f} {y:.1f}h{_WIDTH}" stroke="#ddd"/>'
            yield _text(self.x - 8, y + 4, f"{tick:,.0f}", anchor="end")
        for seats in _SIZES.values():
            yield _text(self.across(seats), _TOP + _HEIGHT + 20, f"{seats:,}", anchor="middle")
        yield _text(self.x + _WIDTH / 2, _TOP + _HEIGHT + 40, "seats", anchor="middle")

    def line(self, points: Mapping[int, float], colour: str, name: str) -> Iterator[str]:
        places = [(self.across(seats), self.up(value)) for seats, value in sorted(points.items())]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places)
        if colour == _GREY:  # on the free side of a line that rises
            x, y = places[-2]
            yield _text(x + 8, y + 30, name, fill=colour)
        else:
            x, y = places[-1]
            yield _text(x - 6, y - 10, name, anchor="end", fill=colour)


def growth(figures: Sequence[Figure]) -> str | None:
    """The picture; ``None`` where fewer than two sizes were measured."""
    ours, bare, peak = (
        {seats: one.value for one in figures for size, seats in _SIZES.items() if one.key == stem + size}
        for stem in ("idle_scan_cost_", "bare_select_cost_", "idle_scan_peak_mb_")
    )
    if len(ours) < 2:
        return None
    most = 10 ** math.ceil(math.log10(max(ours.values())))
    decades = [10.0**n for n in range(round(math.log10(most)) + 1)]
    cost = _Panel(_LEFT, "CPU, as a multiple of the bare SELECT's of 1,000 seats", 0.5, most, True, decades)
    memory = _Panel(_LEFT + _WIDTH + 110, "Peak memory, MB", 0, 300, False, range(0, 301, 100))
    drawn = [
        *cost.frame(),
        *cost.line(bare, _GREY, "bare SELECT"),
        *cost.line(ours, _BLUE, "idle push"),
        *memory.frame(),
        *memory.line(peak, _BLUE, "idle push"),
    ]
    width, height = memory.x + _WIDTH + 50, _TOP + _HEIGHT + 60
    opened = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        'font-family="sans-serif" font-size="12">'
    )
    return "\n".join([opened, '<rect width="100%" height="100%" fill="white"/>', *drawn, "</svg>"]) + "\n"


def _text(
    x: float, y: float, said: str, *, anchor: str = "start", weight: str = "normal", fill: str = "#333"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}">'
        f"{said}</text>"
    )
