"""The last day as a small chart, from the daemon's own record of its cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.ports import Run

DAY, STEP = timedelta(days=1), timedelta(minutes=15)
_WRITES = ("create ok", "update ok", "delete ok", "adopt ok")
_GRAVITY = ("none", "success", "held", "partial", "error")


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter of an hour: how many events were written, and how the worst push in it ended (``none``
    without any). ``height`` is its share of the highest, in per cent."""

    begins: datetime
    written: int
    worst: str
    height: int

    def __str__(self) -> str:
        said = "no push ended" if self.worst == "none" else f"worst push: {self.worst}"
        return f"{self.begins:%H:%M}Z: {self.written} written, {said}"


def last_day(runs: Sequence[Run], now: datetime) -> list[Quarter]:
    """The 96 quarters up to now, oldest first; ``runs`` are the cycles that ended in them."""
    count = DAY // STEP
    written, worst = [0] * count, ["none"] * count
    for run in runs:
        place = count - 1 - (now - run.finished) // STEP
        if not 0 <= place < count:
            continue
        written[place] += sum(run.counts.get(what, 0) for what in _WRITES)
        if run.cycle == "push":
            worst[place] = max(worst[place], run.result, key=_GRAVITY.index)
    highest = max(written) or 1
    return [
        Quarter(
            now - (count - place) * STEP, written[place], worst[place], round(100 * written[place] / highest)
        )
        for place in range(count)
    ]
