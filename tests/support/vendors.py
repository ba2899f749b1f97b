"""Both simulated vendors as a test sees them: what lies in people's calendars, and what was asked of them.

Calendars are read from the vendors' own stores, behind the program's back. Each account gets an event of
its owner's own, which nobody may ever look at or touch.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from werkzeug.wrappers import Response

from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.microsoft import MicrosoftSimulator
from reconciler.simulators.wire import Call, Simulator
from tests.support.discovery import problems
from tests.support.graph_openapi import objections

SCOPES = (
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)
WRITES = ("create", "update", "delete")


@dataclass(frozen=True, order=True)
class Seen:
    """An event as it lies in a calendar. Start and end are instants, or dates (naive midnights) for one of
    whole days. What does not compare: its id, the zone it is shown in, the description, the vendor's form."""

    person: str
    title: str
    starts: datetime
    ends: datetime
    location: str
    id: str = field(compare=False, default="")
    zone: str = field(compare=False, default="")
    text: str = field(compare=False, default="", repr=False)
    raw: dict[str, Any] = field(compare=False, default_factory=dict, repr=False)


class Grant(NamedTuple):
    """What connecting an account gives: its immutable subject, its calendar, a refresh token."""

    subject: str
    calendar: str
    refresh_token: str


class Vendor(Simulator):
    """What both have in common. ``on_effect`` is called with each operation that has had its effect and
    whose answer has not left yet."""

    name: str
    on_effect: Callable[[str], None] | None = None

    @abstractmethod
    def move_in(self, address: str) -> None:
        """A new account, with an event of its owner's own, that has consented to nothing yet."""

    def grant(self, address: str) -> Grant:
        """A new account that consents to everything asked for."""
        self.move_in(address)
        return self.again(address)

    @abstractmethod
    def again(self, address: str) -> Grant:
        """The same account consents once more."""

    @abstractmethod
    def events(self, address: str, person: str = "") -> list[Seen]:
        """All events of an account, the owner's own left out."""

    @abstractmethod
    def own_events(self) -> str:
        """Every event of the owners' own, as stored."""

    @abstractmethod
    def remove(self, address: str, event_id: str) -> None:
        """Its owner deletes an event."""

    @abstractmethod
    def rename(self, address: str, event_id: str, title: str) -> None:
        """Its owner gives an event another title."""

    @abstractmethod
    def wrongs(self) -> list[str]:
        """What was asked or shown that must never be."""

    def perform(self, call: Call) -> Response:
        """The vendor's answer, and what a test lets happen before it leaves."""
        answer = super().perform(call)
        if self.on_effect is not None:
            self.on_effect(call.operation)
        return answer

    def calls(self) -> Counter[str]:
        """What was asked so far, by operation; requests for tokens left out."""
        asked = (seen.operation for seen in self.recorder.seen)
        return Counter(one for one in asked if one not in ("token", "auth"))


class Google(Vendor, GoogleSimulator):
    """Simulated Google."""

    name = "google"

    def move_in(self, address: str) -> None:
        self.add_account(address, "Europe/Berlin")
        dentist = {"dateTime": "2026-12-07T08:00:00+01:00"}, {"dateTime": "2026-12-07T08:30:00+01:00"}
        self.owner.add(address, *dentist, summary="Dentist")

    def again(self, address: str) -> Grant:
        account = self.store.accounts[address]
        return Grant(account.sub, address, self.issue_refresh_token(address, SCOPES))

    def events(self, address: str, person: str = "") -> list[Seen]:
        return [self._seen(person, one) for one in self.owner.dump(address) if one["summary"] != "Dentist"]

    def own_events(self) -> str:
        everything = (one for address in self.store.accounts for one in self.owner.dump(address))
        return _stored(one for one in everything if one["summary"] == "Dentist")

    def remove(self, address: str, event_id: str) -> None:
        self.owner.delete(address, event_id)

    def rename(self, address: str, event_id: str, title: str) -> None:
        self.owner.edit(address, event_id, summary=title)

    def wrongs(self) -> list[str]:
        return problems(self.recorder.seen) + [repr(one) for one in self.foreign_events_shown()]

    def _seen(self, person: str, event: dict[str, Any]) -> Seen:
        starts, ends = (_google_moment(event[name]) for name in ("start", "end"))
        title, location, text = (event.get(name, "") for name in ("summary", "location", "description"))
        zone = event["start"].get("timeZone", "")
        return Seen(person, title, starts, ends, location, event["id"], zone, text, event)


class Microsoft(Vendor, MicrosoftSimulator):
    """Simulated Microsoft 365."""

    name = "microsoft"

    def move_in(self, address: str) -> None:
        self.add_account(address)
        start, end = (
            {"dateTime": f"2026-12-07T08:{minute}:00", "timeZone": "UTC"} for minute in ("00", "30")
        )
        self.owner(address).create(subject="Dentist", start=start, end=end)

    def again(self, address: str) -> Grant:
        mailbox = self.mailbox(address)
        subject = f"{mailbox.account.tenant}:{mailbox.account.oid}"
        return Grant(subject, mailbox.default.id, self.issue_refresh_token(address))

    def events(self, address: str, person: str = "") -> list[Seen]:
        with self.lock:
            return [self._seen(person, one) for one in self.owner(address).look() if not _dentist(one)]

    def own_events(self) -> str:
        everything = (one for it in self.directory.accounts() for one in self.owner(it.upn).look())
        return _stored(one for one in everything if _dentist(one))

    def remove(self, address: str, event_id: str) -> None:
        self.owner(address).delete(event_id)

    def rename(self, address: str, event_id: str, title: str) -> None:
        self.owner(address).edit(event_id, subject=title)

    def wrongs(self) -> list[str]:
        shown = [repr(one) for one in (*self.foreign_events_shown(), *self.mails_sent())]
        return objections(self.recorder.seen) + shown

    def _seen(self, person: str, event: dict[str, Any]) -> Seen:
        starts, ends = (_graph_moment(event[name], event["isAllDay"]) for name in ("start", "end"))
        location, text = event["location"]["displayName"], event["body"]["content"]
        zone = "" if event["isAllDay"] else event["originalStartTimeZone"]
        return Seen(person, event["subject"], starts, ends, location, event["id"], zone, text, event)


def _dentist(event: dict[str, Any]) -> bool:
    return bool(event["subject"] == "Dentist")


def _stored(events: Any) -> str:
    return json.dumps(list(events), sort_keys=True, default=str)


def _google_moment(given: dict[str, str]) -> datetime:
    if "date" in given:
        return datetime.fromisoformat(given["date"])
    return datetime.fromisoformat(given["dateTime"]).astimezone(UTC)


def _graph_moment(given: dict[str, str], all_day: bool) -> datetime:
    wall = datetime.fromisoformat(given["dateTime"][:19])
    return wall if all_day else wall.replace(tzinfo=ZoneInfo(given["timeZone"])).astimezone(UTC)
