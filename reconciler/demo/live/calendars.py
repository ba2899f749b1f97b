"""People's calendars as their owners see them, and what owners do there by hand: at either vendor the same.

Times are wall times in Vienna, where everybody in the story is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from reconciler.demo.cast import VIENNA
from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.microsoft import MicrosoftSimulator

HERE = ZoneInfo(VIENNA)


@dataclass(frozen=True, slots=True)
class Shown:
    """One event as its owner sees it. ``training``: it is one of the program's; ``deleted``: in the bin."""

    id: str
    title: str
    location: str
    starts: datetime
    ends: datetime
    all_day: bool
    text: str
    training: bool
    deleted: bool


class Calendar(Protocol):
    """One person's calendar, in their own hands. ``KeyError`` for an event that is nowhere."""

    def events(self) -> Sequence[Shown]:
        """Everything in it and in its bin, in order of time."""

    def add(self, title: str, starts: datetime, ends: datetime) -> None:
        """An event of their own."""

    def delete(self, event: str) -> None:
        """Into the bin."""

    def restore(self, event: str) -> None:
        """Out of the bin."""

    def change(self, event: str, title: str, by: timedelta) -> None:
        """Another title, and another time."""


@dataclass(frozen=True)
class GoogleCalendar:
    """A :class:`Calendar` at simulated Google."""

    vendor: GoogleSimulator
    address: str

    def events(self) -> Sequence[Shown]:
        """Everything in it and in its bin."""
        found = self.vendor.owner.dump(self.address, deleted=True)
        return _in_order(_of_google(event) for event in found if "start" in event)

    def add(self, title: str, starts: datetime, ends: datetime) -> None:
        """An event of their own."""
        start, end = ({"dateTime": at.isoformat(), "timeZone": VIENNA} for at in (starts, ends))
        self.vendor.owner.add(self.address, start, end, summary=title)

    def delete(self, event: str) -> None:
        """Into the bin."""
        self.vendor.owner.delete(self.address, event)

    def restore(self, event: str) -> None:
        """Out of the bin."""
        self.vendor.owner.restore(self.address, event)

    def change(self, event: str, title: str, by: timedelta) -> None:
        """Another title, and another time."""
        self.vendor.owner.edit(self.address, event, summary=title)
        if by:
            self.vendor.owner.shift(self.address, event, int(by.total_seconds() // 60))


@dataclass(frozen=True)
class OutlookCalendar:
    """A :class:`Calendar` at simulated Microsoft 365."""

    vendor: MicrosoftSimulator
    address: str

    def events(self) -> Sequence[Shown]:
        """Everything in it and in its bin."""
        with self.vendor.lock:
            return _in_order(map(_of_outlook, self.vendor.owner(self.address).look(deleted=True)))

    def add(self, title: str, starts: datetime, ends: datetime) -> None:
        """An event of their own."""
        start, end = ({"dateTime": at.isoformat(), "timeZone": VIENNA} for at in (starts, ends))
        with self.vendor.lock:
            self.vendor.owner(self.address).create(subject=title, start=start, end=end)

    def delete(self, event: str) -> None:
        """Into the bin."""
        with self.vendor.lock:
            self.vendor.owner(self.address).delete(event)

    def restore(self, event: str) -> None:
        """Out of the bin."""
        with self.vendor.lock:
            self.vendor.owner(self.address).restore(event)

    def change(self, event: str, title: str, by: timedelta) -> None:
        """Another title, and another time."""
        with self.vendor.lock:
            owner = self.vendor.owner(self.address)
            seen = next(one for one in owner.look(deleted=True) if one["id"] == event)
            times = {edge: _moved(seen[edge], by) for edge in ("start", "end")} if by else {}
            owner.edit(event, subject=title, **times)


def _moved(edge: Mapping[str, str], by: timedelta) -> dict[str, str]:
    wall = datetime.fromisoformat(edge["dateTime"]) + by
    return {"dateTime": wall.replace(tzinfo=None).isoformat(), "timeZone": edge["timeZone"]}


def _in_order(events: Any) -> list[Shown]:
    return sorted(events, key=lambda one: (one.starts, one.title, one.id))


def _of_google(event: Mapping[str, Any]) -> Shown:
    start, end = event["start"], event["end"]
    return Shown(
        id=event["id"],
        title=event.get("summary", ""),
        location=event.get("location", ""),
        starts=_here(start.get("dateTime") or start["date"], VIENNA),
        ends=_here(end.get("dateTime") or end["date"], VIENNA),
        all_day="date" in start,
        text=event.get("description", ""),
        training=bool(event.get("extendedProperties", {}).get("private")),
        deleted=event["status"] == "cancelled",
    )


def _of_outlook(event: Mapping[str, Any]) -> Shown:
    zone = VIENNA if event["isAllDay"] else event["start"]["timeZone"]
    return Shown(
        id=event["id"],
        title=event["subject"],
        location=event["location"]["displayName"],
        starts=_here(event["start"]["dateTime"], zone),
        ends=_here(event["end"]["dateTime"], zone),
        all_day=event["isAllDay"],
        text=event["body"]["content"],
        training=bool(event["properties"]),
        deleted=event["deleted"],
    )


def _here(text: str, zone: str) -> datetime:
    """A vendor's time as the clocks on Vienna's walls show it."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=ZoneInfo(zone))
    return instant.astimezone(HERE).replace(tzinfo=None)
