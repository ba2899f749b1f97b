"""One telling of the story: the stage, the teller, what was last seen, and the checks that recur."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from reconciler.demo.cast import PLAYERS, monday_after
from reconciler.demo.stage import Stage
from reconciler.demo.telling import Teller
from reconciler.demo.vendors import Seen
from reconciler.simulators.lms import When

_SILENT = Counter(dict.fromkeys(("people", "idle"), sys.maxsize))
"""Counts of a cycle in which nothing happened."""
NAMES = {player.id: player.name for player in PLAYERS}


@dataclass
class Play:
    """One telling of the story. ``seen`` is what was in the calendars when they were last drawn; ``away``
    are the events, as person and title, that their owners keep away though the LMS has them."""

    stage: Stage
    teller: Teller
    seen: list[Seen] = field(default_factory=list)
    away: set[tuple[str, str]] = field(default_factory=set)

    @property
    def monday(self) -> date:
        """The Monday of the story's week."""
        return self._monday

    def __post_init__(self) -> None:
        self._monday = monday_after(self.stage.clock())

    def once(self) -> None:
        """``reconciler once``, told: the cycles in which something happened, or all if nothing did."""
        self.teller.command("reconciler once")
        runs = self.stage.once()
        told = [run.sentence for run in runs if Counter(run.counts) - _SILENT]
        self.teller.output("\n".join([*told, "[...]"] if told else [run.sentence for run in runs]))
        if any(run.result != "success" for run in runs):
            self.teller.check(False, "every cycle ends in success")

    def plan(self) -> int:
        """``reconciler plan``, told; how many changes it announces."""
        self.teller.command("reconciler plan")
        text, changes = self.stage.plan()
        self.teller.output(text)
        return changes

    def later(self, span: timedelta) -> None:
        """The story's clock jumps, and then one cycle of each kind, told."""
        self.stage.clock.jump(span)
        self.once()

    def explain(self, person: str, session: str, section: str, last: int | None = None) -> None:
        """``reconciler explain``, told; of its output one section, or the last lines of that."""
        self.teller.command(f"reconciler explain {person} {session}")
        sections = self.stage.explain(person, session).split("\n\n")
        title, *lines = next((one for one in sections if one.startswith(section)), "").splitlines() or [""]
        if not lines:
            self.teller.check(False, f"it tells: {section}")
        self.teller.output("\n".join(["[...]", title, *(lines[-last:] if last else lines)]))

    def draw(self) -> None:
        """The calendars that differ from when they were last drawn."""
        after = self.stage.seen()
        self.teller.week(self.monday, self.seen, after)
        self.seen = after

    def check_all(self) -> None:
        """The calendars hold what the LMS says, and nothing else."""
        seats = [
            seat
            for seat in self.stage.lms.timetable()
            if connected(seat.person) and (seat.person, seat.title) not in self.away
        ]
        wanted = sorted((seat.person, seat.title, seat.location, *_shown(seat.when)) for seat in seats)
        present = sorted(
            (one.person, one.title, one.location, one.starts, one.ends, one.zone, one.all_day)
            for one in self.stage.seen()
        )
        sentence = f"the calendars hold exactly the {len(wanted)} days the LMS has booked, each once"
        if self.away:
            sentence += " (but for what its owner keeps away)"
        self.teller.check(wanted == present, sentence)


@dataclass(frozen=True)
class Scene:
    """A part of the story. ``pictured``: it is in the picture of the front page."""

    title: str
    play: Callable[[Play], None]
    pictured: bool = False


def _shown(day: When) -> When:
    """A day as a calendar shows it: all days have a date, and no zone."""
    return day._replace(time_zone="") if day.all_day else day


def connected(person: str) -> bool:
    """Whether somebody has connected a calendar."""
    return any(player.id == person and player.vendor for player in PLAYERS)
