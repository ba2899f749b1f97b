"""Whether this machine's clock can be right."""

from __future__ import annotations

from datetime import datetime, timedelta

PUT_BACK = timedelta(minutes=5)
"""How far a clock may be put back before that is spoken of."""
LONG_PAUSE = timedelta(days=2)
"""How long nothing may have been done before it is asked whether the clock is ahead."""


def doubted(last: datetime, instant: datetime) -> str | None:
    """What is odd about the time at a start, and what to do; ``None`` if nothing is. ``last`` is when the
    last cycle ended, by the clock of then."""
    gone = instant - last
    if -PUT_BACK <= gone <= LONG_PAUSE:
        return None
    doubt = "one of both is wrong"
    if gone > LONG_PAUSE:
        doubt = f"unless the program stood still for {gone.days} days, the clock is ahead"
    return (
        f"the clock shows {instant:%Y-%m-%d %H:%MZ}, but the last cycle ended at {last:%Y-%m-%d %H:%MZ}: "
        f"{doubt}. "
        "If it is the clock, stop, set it (timedatectl) and start again: what is due depends on it."
    )
