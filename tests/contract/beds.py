"""Every vendor as the contract's tests see it: a calendar, and what its owner does to it by hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

from reconciler.model import ActualEvent
from reconciler.ports import Calendar
from reconciler.providers import block
from reconciler.providers.memory import MemoryProvider
from tests.support.builders import a_connection
from tests.support.caldav_bed import CalDavBed
from tests.support.google import ANA, Google, running
from tests.support.microsoft_bed import MicrosoftBed, a_microsoft


class Bed(ABC):
    """One person's calendars at one vendor. ``heeds_etags``: a write under an old etag is refused.
    ``sees_everything``: a search can say that an event is nowhere."""

    heeds_etags = True
    sees_everything = True
    keeps_notes = True
    has_a_wire = True
    spare_note = "Ask Sam for the key"

    @property
    @abstractmethod
    def calendar(self) -> Calendar:
        """As a turn opens it."""

    @property
    @abstractmethod
    def calendar_id(self) -> str:
        """The default calendar."""

    @abstractmethod
    def remove(self, event_id: str) -> None:
        """Its owner deletes an event."""

    @abstractmethod
    def retitle(self, event_id: str, title: str) -> None:
        """Its owner gives an event another title."""

    @abstractmethod
    def move(self, event_id: str) -> str:
        """Its owner moves an event to another calendar: which."""

    def annotate(self, event_id: str, note: str) -> None:
        """Its owner writes something below our block."""
        raise NotImplementedError

    def notes(self, event_id: str) -> str:
        """The whole description as it lies there."""
        raise NotImplementedError


class MemoryBed(Bed):
    """The reference provider."""

    keeps_notes = False
    has_a_wire = False

    def __init__(self) -> None:
        self.provider = MemoryProvider()
        self.connection = a_connection(provider="google")
        self.provider.open(self.connection)
        self.mailbox = self.provider.mailboxes[self.connection.subject]

    @property
    def calendar(self) -> Calendar:
        return self.provider.open(self.connection)

    @property
    def calendar_id(self) -> str:
        return self.connection.calendar_id

    def remove(self, event_id: str) -> None:
        del self.mailbox.calendars[self.mailbox.default][event_id]
        self.mailbox.deleted.add(event_id)

    def retitle(self, event_id: str, title: str) -> None:
        events = self.mailbox.calendars[self.mailbox.default]
        events[event_id] = replace(events[event_id], title=title, etag=f'"{next(self.provider.etags)}"')

    def move(self, event_id: str) -> str:
        event: ActualEvent = self.mailbox.calendars[self.mailbox.default].pop(event_id)
        self.mailbox.calendars["other"] = {event_id: replace(event, calendar_id="other")}
        return "other"


class GoogleBed(Bed):
    """Simulated Google."""

    def __init__(self, google: Google) -> None:
        self.google = google

    @property
    def calendar(self) -> Calendar:
        return self.google.open(self.google.ana)

    @property
    def calendar_id(self) -> str:
        return ANA

    def remove(self, event_id: str) -> None:
        self.google.sim.owner.delete(ANA, event_id)

    def retitle(self, event_id: str, title: str) -> None:
        self.google.sim.owner.edit(ANA, event_id, summary=title)

    def move(self, event_id: str) -> str:
        other = self.google.sim.owner.add_calendar(ANA, "Other")
        self.google.sim.owner.move(ANA, event_id, other)
        return other

    def annotate(self, event_id: str, note: str) -> None:
        old = self.google.stored(event_id)["description"]
        self.google.sim.owner.edit(ANA, event_id, description=f"{old}\n\n{note}")

    def notes(self, event_id: str) -> str:
        return str(self.google.stored(event_id)["description"])


class MicrosoftHere(Bed):
    """Simulated Microsoft, with any switch in any position."""

    def __init__(self, bed: MicrosoftBed, heeds_etags: bool) -> None:
        self.bed = bed
        self.heeds_etags = heeds_etags

    @property
    def calendar(self) -> Calendar:
        return self.bed.calendar

    @property
    def calendar_id(self) -> str:
        return self.bed.connection.calendar_id

    def remove(self, event_id: str) -> None:
        self.bed.owner.delete(event_id)

    def retitle(self, event_id: str, title: str) -> None:
        self.bed.owner.edit(event_id, subject=title)

    def move(self, event_id: str) -> str:
        other = self.bed.owner.add_calendar("Other")
        self.bed.owner.move(event_id, "Other")
        return other.id

    def annotate(self, event_id: str, note: str) -> None:
        old = self.notes(event_id)
        changed = f"{old}<p>{note}</p>" if block.looks_like_html(old) else f"{old}\n\n{note}"
        kind = "html" if block.looks_like_html(old) else "text"
        self.bed.owner.edit(event_id, body={"contentType": kind, "content": changed})

    def notes(self, event_id: str) -> str:
        found = next(one for one in self.bed.owner.look() if one["id"] == event_id)
        return str(found["body"]["content"])


class CalDavHere(Bed):
    """A real CalDAV server."""

    def __init__(self, bed: CalDavBed) -> None:
        self.bed = bed
        self.sees_everything = bed.manners.filters

    @property
    def calendar(self) -> Calendar:
        return self.bed.calendar

    @property
    def calendar_id(self) -> str:
        return self.bed.connection.calendar_id

    def remove(self, event_id: str) -> None:
        self.bed.remove(event_id)

    def retitle(self, event_id: str, title: str) -> None:
        self.bed.retitle(event_id, title)

    def move(self, event_id: str) -> str:
        return self.bed.move(event_id)

    def annotate(self, event_id: str, note: str) -> None:
        self.bed.annotate(event_id, note)

    def notes(self, event_id: str) -> str:
        return self.bed.text(event_id)


@contextmanager
def memory() -> Iterator[Bed]:
    """The reference provider."""
    yield MemoryBed()


@contextmanager
def google() -> Iterator[Bed]:
    """Simulated Google."""
    with running() as started:
        yield GoogleBed(started)


def microsoft(**switches: Any) -> Callable[[], AbstractContextManager[Bed]]:
    """Simulated Microsoft with these switches."""

    @contextmanager
    def opened() -> Iterator[Bed]:
        ignored = "ignored" in (switches.get("stale_update"), switches.get("stale_delete"))
        with a_microsoft(**switches) as bed:
            yield MicrosoftHere(bed, heeds_etags=not ignored)

    return opened


MICROSOFT: dict[str, dict[str, Any]] = {
    "microsoft": {},
    "microsoft-repeat-200": {"transaction_repeat": "first_200"},
    "microsoft-repeat-409": {"transaction_repeat": "conflict_409"},
    "microsoft-repeat-another": {"transaction_repeat": "another"},
    "microsoft-after-delete-first": {"transaction_after_delete": "first_201"},
    "microsoft-after-delete-409": {"transaction_after_delete": "conflict_409"},
    "microsoft-forgets": {"transaction_memory_seconds": 0.0},
    "microsoft-strips": {"strips_properties_on_create": frozenset({"work"})},
    "microsoft-stale-409": {"stale_update": "409", "stale_delete": "409"},
    "microsoft-stale-ignored": {"stale_update": "ignored", "stale_delete": "ignored"},
    "microsoft-bin-answers": {"soft_deleted_answers_get": True},
    "microsoft-spans": {"events_span_calendars": True},
    "microsoft-windows-zones": {"original_zone_as": "windows"},
    "microsoft-second-pass": {"ambiguous_time_is_second": True},
    "microsoft-all-day-fixed": {"all_day_floats": False},
    "microsoft-new-zone": {"unknown_zones": frozenset({"Europe/Berlin"})},
    "microsoft-meetings": {"adds_online_meeting": True},
    "microsoft-no-nulls": {"omits_nulls": True},
    "microsoft-short-pages": {"page_cap": 1},
}
"""Each switch of the simulator in its other positions."""
