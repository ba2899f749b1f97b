"""Trying out, with a real account, what a provider assumes of its vendor.

A trial makes events of its own, under an installation of its own, so that nothing else in the calendar is
listed or touched; it removes them afterwards, and those that an earlier trial had to leave. What both vendors
must do is tried here through the port; each vendor's own assumptions are tried beside its provider.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from reconciler.diff.fields import differences, made_as, token_of
from reconciler.errors import EventChanged, EventGone, EventIdUsed, EventRefused, ReconcilerError
from reconciler.model import ActualEvent, Content, Day, Draft, EventKey, Marker, Written
from reconciler.ports import Calendar, Finding

PATIENCE = 60.0
"""Seconds within which an event that was just made must be listed."""

_TITLE = "Trial of the calendar reconciler (removes itself)"
_AHEAD = timedelta(days=200)


class Different(Exception):
    """It was tried, and is not so; the text is what was seen."""


class NotTried(Exception):
    """It cannot be tried here; the text is why."""


@dataclass(frozen=True)
class _Check:
    """One assumption and how it is tried."""

    assumption: str
    otherwise: str
    matters: bool
    attempt: Callable[[Any], str]

    def __call__(self, trial: Trial) -> Finding:
        try:
            held, seen = True, self.attempt(trial)
        except Different as different:
            held, seen = False, str(different)
        except NotTried as why:
            return Finding(self.assumption, None, str(why), "", self.matters)
        except ReconcilerError as problem:
            held, seen = False, f"an error: {problem.what}"
        return Finding(self.assumption, held, seen, "" if held else self.otherwise, self.matters)


def needed(assumption: str, otherwise: str) -> Callable[[Callable[[Any], str]], _Check]:
    """Without it the program would do wrong; ``otherwise`` says what."""
    return lambda attempt: _Check(assumption, otherwise, True, attempt)


def likely(assumption: str, otherwise: str) -> Callable[[Callable[[Any], str]], _Check]:
    """The program is right either way; ``otherwise`` says how."""
    return lambda attempt: _Check(assumption, otherwise, False, attempt)


class Trial:
    """The trial of one connection. ``now`` is the present instant; ``sleep`` waits between looks."""

    checks: ClassVar[tuple[_Check, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.checks = (*cls.checks, *(one for one in vars(cls).values() if isinstance(one, _Check)))

    def __init__(
        self,
        calendar: Calendar,
        installation: str,
        now: datetime,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.calendar = calendar
        self.installation = installation
        self.now = now
        self.sleep = sleep
        self.made: list[tuple[str, str]] = []
        self._run = secrets.token_hex(4)

    def run(self) -> Iterator[Finding]:
        """Try everything, one after the other."""
        for check in self.checks:
            yield check(self)

    def clean_up(self) -> list[str]:
        """Remove every event that was made, and those of earlier trials; what could not be removed."""
        left = {event.event_id: event.calendar_id for event in self.calendar.listing(self.now).events}
        problems = []
        for event_id, calendar_id in {**left, **dict(self.made)}.items():
            try:
                self.calendar.delete(event_id, calendar_id, None)
            except EventGone:
                continue
            except ReconcilerError as problem:
                problems.append(f"{event_id} in {calendar_id}: {problem.what}")
        return problems

    # What is tried with ---------------------------------------------------------------------------

    def day(self, hours: int = 0, zone: str = "Europe/Berlin") -> Day:
        """A day far enough ahead to disturb nobody; a wall time."""
        starts = (self.now + _AHEAD).replace(hour=10, minute=0, second=0, microsecond=0, tzinfo=None)
        starts += timedelta(hours=hours)
        return Day(starts, starts + timedelta(hours=1), zone)

    def draft(self, name: str, day: Day | None = None, **content: str) -> Draft:
        """An event ready to be written. ``content``: title, location, block."""
        key = EventKey("trial", f"{self._run} {name}", 0)
        marker = Marker(self.installation, key, token_of(self.installation, key), 0, "tried.only.once")
        texts = {"title": _TITLE, "location": "Room 1", "block": "Nothing to do here.", **content}
        return Draft(Content(**texts), day or self.day(), marker, made_as(self.installation, key, 0))

    def create(self, draft: Draft) -> Written:
        """Create, and remember it for the end."""
        written = self.calendar.create(draft)
        self.made.append((written.event_id, written.calendar_id))
        return written

    def created(self, draft: Draft) -> ActualEvent:
        """Create, and read it back."""
        written = self.create(draft)
        event = self.calendar.get(written.event_id, written.calendar_id)
        if event is None:
            raise Different("what was just made is not there")
        return event

    def deleted(self, draft: Draft) -> ActualEvent:
        """As it was before it was deleted."""
        event = self.created(draft)
        self.calendar.delete(event.event_id, event.calendar_id, event.etag)
        return event

    def same(self, draft: Draft) -> str:
        """Write it; raise unless it reads back as it was written."""
        event = self.created(draft)
        wrong = differences(draft.content, draft.day, event)
        if wrong:
            raise Different(f"came back otherwise: {', '.join(sorted(wrong))}")
        return "came back as written"

    def until(self, there: Callable[[], bool]) -> float:
        """How many seconds it took until it was so; raises when it is not so in time."""
        begun = time.monotonic()
        while not there():
            if time.monotonic() - begun > PATIENCE:
                raise Different(f"not even after {PATIENCE:.0f} seconds")
            self.sleep(1.0)
        return time.monotonic() - begun


class Common(Trial):
    """What is assumed of every vendor."""

    @needed("Texts come back as they were written", "Their events would be rewritten at every look.")
    def _texts(self) -> str:
        text = 'Ends & <begins> "so" \u2013 d\u00e9j\u00e0 vu \U0001f600\n\nhttps://example.org/?a=1&b=2'
        return self.same(
            self.draft(
                "texts", title='Caf\u00e9 & <b> "x" \U0001f600', location="B\u00fcro <3> & 4", block=text
            )
        )

    @needed("Long texts come back whole", "Sessions with long texts would be rewritten at every look.")
    def _long_texts(self) -> str:
        line = "Twenty characters. \n"
        return self.same(self.draft("long", title="T" * 250, location="L" * 250, block=(line * 400).strip()))

    @needed("The marker comes back as it was written", "No event of ours would be known again.")
    def _marker(self) -> str:
        draft = self.draft("marker")
        if self.created(draft).marker != draft.marker:
            raise Different("came back otherwise, or not at all")
        return "came back as written"

    @needed("Times come back as the same instants, in their zone", "Events would be moved at every look.")
    def _times(self) -> str:
        for zone in ("Europe/Berlin", "America/New_York", "Asia/Kolkata"):
            self.same(self.draft(f"zone {zone}", self.day(zone=zone)))
        return "came back as written, in three zones"

    @needed("The hour that clocks show twice means one instant", "Events would be an hour off in that hour.")
    def _fold(self) -> str:
        return self.same(self.draft("fold", fold_after(self.now)))

    @needed("Whole days come back as dates", "Whole days would be rewritten at every look.")
    def _whole_days(self) -> str:
        starts = self.day().starts.replace(hour=0)
        return self.same(
            self.draft("days", Day(starts, starts + timedelta(days=2), "Asia/Tokyo", all_day=True))
        )

    @likely("A new event is listed by its marker at once", "It is waited for, and looked for by its id.")
    def _listed_at_once(self) -> str:
        draft = self.draft("listed")
        written = self.create(draft)
        if self._lists(written):
            return "listed at the first look"
        raise Different(f"listed after {self.until(lambda: self._lists(written)):.0f} seconds")

    @needed("An event is found by its key in the end", "Events that their owners moved would not be found.")
    def _found_by_key(self) -> str:
        draft = self.draft("found")
        written = self.create(draft)
        seconds = self.until(lambda: self._finds(draft, written))
        return f"found after {seconds:.0f} seconds"

    @likely(
        "A creation that is repeated makes no second event", "The second one is deleted at its second sight."
    )
    def _repeated(self) -> str:
        draft = self.draft("repeated")
        first = self.create(draft)
        try:
            again = self.create(draft)
        except EventIdUsed:
            return "refused"
        if again.event_id != first.event_id:
            raise Different("made another event")
        return "answered with the first"

    @needed("A change is refused once the event has changed", "An owner's edits could be overwritten unseen.")
    def _stale_update(self) -> str:
        draft = self.draft("update")
        old = self.created(draft)
        self.calendar.update(_titled(draft, "changed"), old)
        try:
            self.calendar.update(_titled(draft, "changed again"), old)
        except EventChanged:
            return "refused"
        raise Different("taken")

    @needed("A deletion is refused once the event has changed", "An owner's edits could be deleted unseen.")
    def _stale_delete(self) -> str:
        draft = self.draft("delete")
        old = self.created(draft)
        self.calendar.update(_titled(draft, "changed"), old)
        try:
            self.calendar.delete(old.event_id, old.calendar_id, old.etag)
        except EventChanged:
            return "refused"
        raise Different("taken")

    @needed("A deleted event is not there when asked for by id", "No deletion could be proven; seats stay.")
    def _deleted(self) -> str:
        event = self.deleted(self.draft("deleted"))
        if self.calendar.get(event.event_id, event.calendar_id) is not None:
            raise Different("it is there")
        return "not there"

    @needed(
        "A deleted event cannot be deleted again", "A removal that was interrupted could not be finished."
    )
    def _deleted_again(self) -> str:
        event = self.deleted(self.draft("deleted again"))
        try:
            self.calendar.delete(event.event_id, event.calendar_id, None)
        except EventGone:
            return "said to be gone"
        raise Different("taken")

    @needed("A change brings no deleted event back", "An owner's deletion could be undone by an update.")
    def _no_revival(self) -> str:
        draft = self.draft("revival")
        event = self.deleted(draft)
        try:
            self.calendar.update(_titled(draft, "back again"), event)
        except (EventChanged, EventGone, EventRefused) as refused:
            if self.calendar.get(event.event_id, event.calendar_id) is None:
                return f"refused ({type(refused).__name__})"
        raise Different("it is back")

    def _lists(self, written: Written) -> bool:
        return any(one.event_id == written.event_id for one in self.calendar.listing(self.now).events)

    def _finds(self, draft: Draft, written: Written) -> bool:
        found = self.calendar.find(draft.marker.token)
        return any(one.event_id == written.event_id for one in found.events)


def _titled(draft: Draft, title: str) -> Draft:
    return replace(draft, content=replace(draft.content, title=f"{_TITLE}: {title}"))


def fold_after(now: datetime, name: str = "Europe/Berlin") -> Day:
    """A day that begins in the hour which the clocks of this zone show twice, the next one but a month away;
    as UTC instants, since as a wall time it would mean two."""
    zone, instant = ZoneInfo(name), now.astimezone(UTC).replace(minute=30, second=0, microsecond=0)
    instant += timedelta(days=30)
    while instant.astimezone(zone).fold == 0:
        instant += timedelta(hours=1)
    return Day(instant, instant + timedelta(hours=1), name)
