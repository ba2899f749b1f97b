"""Whether the process should go on (``/alive``), and whether it does its work (``/ready``).

A process that is not alive should be restarted: its loop hangs. One that is not ready should be looked at:
what it needs is not there, and a restart would not bring it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.ports import Run
from reconciler.pulse import INTERVALS, Pulse

LATE = timedelta(minutes=15)
"""A push that ended longer ago than this, and than three intervals, is late."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what was found."""

    what: str
    well: bool
    found: str

    def __str__(self) -> str:
        return f"{'ok' if self.well else 'NOT OK'}  {self.what}: {self.found}"


def alive(pulse: Pulse) -> list[Check]:
    """Each kind of cycle: when it last got on."""
    stuck = pulse.stuck()
    return [
        Check(cycle, cycle not in stuck, f"last sign of life {seconds:.0f} s ago")
        for cycle, seconds in pulse.since().items()
    ]


def ready(push: Run | None, now: datetime, interval: timedelta, stranger: str) -> list[Check]:
    """What the work needs: our state (read to ask this), the LMS, and to be the installation itself."""
    return [
        Check("state database", True, "readable"),
        _last(push, now, interval),
        Check("installation", not stranger, stranger or "as known"),
    ]


def _last(push: Run | None, now: datetime, interval: timedelta) -> Check:
    if push is None:
        return Check("push", False, "none has ended yet")
    ago = now - push.finished
    well = push.result != "error" and ago <= max(LATE, INTERVALS * interval)
    return Check("push", well, f"{ago.total_seconds():.0f} s ago: {push.sentence}")
