"""One account's calendars at a simulated vendor, and what their owner does in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from reconciler.model import ActualEvent, Day, EventKey, Marker


class Trouble(StrEnum):
    """What may be wrong with a mailbox, or with a whole vendor, for a while."""

    DOWN = "no answer"
    THROTTLED = "too fast"
    EMPTY_LISTING = "lists show nothing, events answer by id"
    LYING = "lists show nothing, no event is found"
    CUT_LISTING = "a page of every list is lost"
    STALE_LISTING = "lists show what was minutes ago"
    NO_MAILBOX = "the mailbox is gone or unlicensed"
    REVOKED = "the grant is not accepted any more"
    REPLIES_LOST = "every write has its effect, and no answer"
    HIDDEN = "the grant does not show other calendars"
    REFUSES = "every write of an event is refused"


LIES = frozenset({Trouble.EMPTY_LISTING, Trouble.LYING, Trouble.STALE_LISTING})


@dataclass
class Stored:
    """An event as it lies in a calendar, or lay.

    ``key`` is what we first wrote it for, whatever has become of its marker; ``None`` for what is none of
    ours. ``ours``: we made it. ``written``: the day that we wrote last, whatever its owner has made of it.
    ``returned``: its owner, not we, made it come (back) where it is; ``forgotten``: what we had written down
    of it was lost. ``version_there``: the last one before it was removed.
    """

    event_id: str
    calendar_id: str
    version: int
    title: str
    location: str
    block: str | None
    day: Day | None
    marker: Marker | None
    made_as: str | None
    key: EventKey | None
    ours: bool
    made_at: datetime
    notes: str = ""
    there: bool = True
    removed_by: str | None = None
    removed_at: datetime | None = None
    returned: bool = False
    forgotten: bool = False
    version_there: int = 0
    written: Day | None = None

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def actual(self) -> ActualEvent:
        """What a calendar shows of it; of what has been removed, what a list that is late still shows."""
        return ActualEvent(
            self.event_id,
            self.calendar_id,
            self.etag if self.there else f'"{self.version_there}"',
            self.marker,
            self.made_as,
            self.title,
            self.location,
            self.block,
            self.day,
            raw=self,
        )


@dataclass
class Mailbox:
    """An account. ``owner`` is the person of the LMS it belongs to; ids go on counting for ever.

    ``conflicts``: so many writes find that another one was quicker; ``refusals``: so many are refused.
    """

    owner: str
    default: str
    calendars: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    events: list[Stored] = field(default_factory=list)
    troubles: set[Trouble] = field(default_factory=set)
    transactions: dict[str, Stored] = field(default_factory=dict)
    conflicts: int = 0
    refusals: int = 0
    versions: int = 0

    def __post_init__(self) -> None:
        self.calendars = self.calendars or [self.default, f"{self.default}-second"]

    def fresh(self) -> int:
        self.versions += 1
        return self.versions

    def there(self, key: EventKey | None = None) -> Iterator[Stored]:
        """The events that are in a calendar now, of one key or all that were ever ours or marked."""
        for event in self.events:
            if event.there and event.key is not None and key in (None, event.key):
                yield event

    def ours(self) -> list[Stored]:
        """Our own events that are in a calendar now."""
        return [event for event in self.there() if event.ours]

    def publish(self) -> None:
        """Something is other than it was: where calendars lie elsewhere, it is carried there."""

    # What the owner does --------------------------------------------------------------------------

    def delete(self, event: Stored, now: datetime, by: str = "owner") -> None:
        event.there, event.removed_by, event.removed_at = False, by, now
        event.version_there, event.version = event.version, self.fresh()
        self.publish()

    def restore(self, event: Stored) -> None:
        """Taken back from the bin, into the calendar it was in."""
        event.there, event.removed_by, event.removed_at = True, None, None
        event.returned = True
        event.version = self.fresh()
        self.publish()

    def move(self, event: Stored, calendar: str, now: datetime) -> None:
        """Into another calendar; where ids belong to a calendar, a cancelled one stays behind."""
        left = replace(event, there=False, removed_by="moved", removed_at=now, version=self.fresh())
        event.calendar_id, event.returned = calendar, True
        event.version = self.fresh()
        self.events.append(left)
        self.publish()

    def edit(self, event: Stored, **changes: object) -> None:
        for name, value in changes.items():
            setattr(event, name, value)
        event.version = self.fresh()
        self.publish()

    def strip(self, event: Stored) -> None:
        """An app that knows nothing of our marker saves the event without it."""
        self.edit(event, marker=None)

    def copy(self, event: Stored, now: datetime) -> Stored:
        """A copy bears the marker, and an id of the vendor's."""
        number = self.fresh()
        made = replace(
            event,
            event_id=f"copy-{number}",
            version=number,
            made_as=None,
            ours=False,
            made_at=now,
            returned=True,
        )
        self.events.append(made)
        self.publish()
        return made

    def migrate(self, now: datetime) -> None:
        """A tool takes every event out and puts it in again: other ids, the same markers."""
        for event in list(self.there()):
            self.copy(event, now)
            self.delete(event, now, by="migration")

    def lose(self, calendar: str, now: datetime) -> None:
        """A whole calendar is deleted."""
        self.lost.add(calendar)
        for event in list(self.there()):
            if event.calendar_id == calendar:
                self.delete(event, now, by="calendar")
