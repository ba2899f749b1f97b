"""How far the vendors' quotas reach: calls that looking takes, and how quickly a deletion is noticed.

Reckoned from the LMS as it is and the settings as they are; nothing is asked of a vendor. A look is one call.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.due import Chosen
from reconciler.loop import lms_window
from reconciler.model import AccountSwitches, ConnectionState, PersonState
from reconciler.pace import LAPSING, Ahead, Allowance, AuditIntervals, ahead_of
from reconciler.world import World

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Crowd:
    """How many people have a calendar that is kept and a session to come, by vendor and by how far ahead the
    next one is; ``without`` have a session to come and no such calendar."""

    connected: Mapping[str, Counter[Ahead]]
    without: int

    def times(self, factor: int) -> Crowd:
        """The same with so many times the people."""
        grown = {
            vendor: Counter({ahead: factor * count for ahead, count in counts.items()})
            for vendor, counts in self.connected.items()
        }
        return Crowd(grown, factor * self.without)


@dataclass(frozen=True)
class Notice:
    """How late a deletion is noticed: half of them earlier than ``median``, 95 of 100 than ``p95``."""

    median: timedelta
    p95: timedelta


@dataclass(frozen=True)
class Reach:
    """How one vendor's quota is spent. Shares are of the whole quota, ``None`` where there is none. With
    ``wanted`` looks a day every interval is kept; ``looks`` are those the quota leaves room for."""

    people: Mapping[Ahead, int]
    wanted: int
    looks: int
    of_minute: float | None
    of_day: float | None
    noticed: Mapping[Ahead, Notice]

    @property
    def short(self) -> bool:
        """Whether calendars are looked at less often than the intervals say."""
        return self.looks < self.wanted


def crowd_of(world: World, switches: Mapping[str, AccountSwitches], now: datetime) -> Crowd:
    """Count them, in two ordered streams. Raises ``CycleError`` like a cycle."""
    connected: dict[str, Counter[Ahead]] = {provider: Counter() for provider in world.providers}
    chosen = Chosen(world, switches, now)
    without = 0
    with world.lms.scan(lms_window(now), now) as scan, world.ledger.people() as states:
        state = next(states, None)
        for glance in scan.people:
            while state is not None and state.person < glance.person:
                state = next(states, None)
            if glance.next_start is None:
                continue
            provider = _where_kept(chosen, state) if state and state.person == glance.person else None
            if provider is None:
                without += 1
            else:
                connected[provider][ahead_of(glance.next_start, now)] += 1
    return Crowd(connected, without)


def _where_kept(chosen: Chosen, state: PersonState) -> str | None:
    """The vendor of somebody's calendar, if it is kept."""
    leaving = state.connection is ConnectionState.LEAVING
    return state.provider if chosen.workable(state) and not leaving else None


def reach_of(people: Mapping[Ahead, int], audits: AuditIntervals, allowance: Allowance | None) -> Reach:
    """What looking at these people's calendars takes, and how late it finds out."""
    demand = {ahead: people.get(ahead, 0) * _looks_a_day(audits, ahead) for ahead in Ahead}
    wanted = sum(demand.values())
    room = allowance.looks_a_second * DAY.total_seconds() if allowance else math.inf
    looks = min(wanted, room)
    near = demand[Ahead.SOON]
    stretch = {Ahead.SOON: max(1.0, near / room)}
    left = room - near
    far = max(1.0, (wanted - near) / left) if left > 0 else math.inf
    stretch |= {Ahead.FORTNIGHT: far, Ahead.LATER: far}
    a_day = allowance.per_day if allowance else None
    return Reach(
        people={ahead: people.get(ahead, 0) for ahead in Ahead},
        wanted=round(wanted),
        looks=round(looks),
        of_minute=looks / (24 * 60 * allowance.per_minute) if allowance else None,
        of_day=looks / a_day if a_day else None,
        noticed={ahead: _noticed(audits.every(ahead), stretch[ahead]) for ahead in Ahead},
    )


def _looks_a_day(audits: AuditIntervals, ahead: Ahead) -> float:
    """One person's; an interval is shortened by half its jitter on average."""
    return DAY / (audits.every(ahead) * (1 - audits.jitter / 2))


def _noticed(every: timedelta, stretch: float) -> Notice:
    """Deletions come at any time between two looks."""
    longest = every + LAPSING
    between = longest if math.isinf(stretch) else min(every * stretch, longest)
    return Notice(between * 0.5, between * 0.95)


# Telling it ---------------------------------------------------------------------------------------

_FACTORS = (1, 2)
_AHEAD = {
    Ahead.SOON: "within 48 hours",
    Ahead.FORTNIGHT: "within 14 days",
    Ahead.LATER: "later",
}


def reaches(world: World, crowd: Crowd) -> dict[str, dict[int, Reach]]:
    """By vendor: with the people there are, and with twice as many."""
    allowances = world.budget.allowances
    return {
        vendor: {
            factor: reach_of(crowd.times(factor).connected[vendor], world.audits, allowances.get(vendor))
            for factor in _FACTORS
        }
        for vendor in sorted(crowd.connected)
    }


def as_text(found: Mapping[str, Mapping[int, Reach]], crowd: Crowd) -> str:
    """For a terminal."""
    return "\n".join(_lines(found, crowd))


def _lines(found: Mapping[str, Mapping[int, Reach]], crowd: Crowd) -> Iterator[str]:
    for vendor, by_factor in found.items():
        now, twice = by_factor[1], by_factor[2]
        told = ", ".join(f"{now.people[ahead]:,} {words}" for ahead, words in _AHEAD.items())
        yield f"{vendor}: {sum(now.people.values()):,} calendars kept, their next session {told}"
        yield _row("", "as it is", "twice as many")
        yield _row("looks a day", f"{now.looks:,}", f"{twice.looks:,}")
        yield _row("looks a minute", _a_minute(now), _a_minute(twice))
        yield _row("of the quota of a day", _share(now.of_day), _share(twice.of_day))
        yield _row("of the quota of a minute", _share(now.of_minute), _share(twice.of_minute))
        yield "  A deleted event is noticed (half of them, 95 of 100), if the session is"
        for ahead, words in _AHEAD.items():
            yield _row(f"  {words}", _late(now.noticed[ahead]), _late(twice.noticed[ahead]))
        for reach, whose in ((now, "what there is"), (twice, "twice as many people")):
            if reach.short:
                yield (
                    f"  The quota is short for {whose}: {reach.wanted:,} looks a day would keep the "
                    "intervals. Far sessions wait; ask the vendor for more, or lengthen intervals.audit."
                )
                break
    yield f"No calendar, so no calls: {crowd.without:,} with a session to come."
    yield "What looks leave of a quota is for changes, which always go first: docs/capacity.md."


def _row(what: str, now: str, twice: str) -> str:
    return f"  {what:<28}{now:>20}{twice:>20}".rstrip()


def _a_minute(reach: Reach) -> str:
    return f"{reach.looks / (24 * 60):,.1f}"


def _share(share: float | None) -> str:
    return "no such quota" if share is None else f"{share:.1%}"


def _late(notice: Notice) -> str:
    return f"{_span(notice.median)}, {_span(notice.p95)}"


def _span(span: timedelta) -> str:
    minutes = span / timedelta(minutes=1)
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def as_json(found: Mapping[str, Mapping[int, Reach]], crowd: Crowd) -> dict[str, object]:
    """The same for programs. Seconds, and shares from 0 to 1."""
    return {
        "without_calendar": crowd.without,
        "vendors": {
            vendor: {
                "as_it_is" if factor == 1 else "twice_as_many": _reach_json(reach)
                for factor, reach in by_factor.items()
            }
            for vendor, by_factor in found.items()
        },
    }


def _reach_json(reach: Reach) -> dict[str, object]:
    return {
        "people": {ahead.value: count for ahead, count in reach.people.items()},
        "looks_wanted_a_day": reach.wanted,
        "looks_a_day": reach.looks,
        "looks_a_minute": round(reach.looks / (24 * 60), 2),
        "share_of_day": reach.of_day,
        "share_of_minute": reach.of_minute,
        "noticed_seconds": {
            ahead.value: {"median": notice.median.total_seconds(), "p95": notice.p95.total_seconds()}
            for ahead, notice in reach.noticed.items()
        },
    }
