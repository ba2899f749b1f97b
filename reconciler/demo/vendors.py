"""The two simulated vendors of the story, and what a person sees who opens a calendar there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.wrappers import Response

from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.microsoft import MicrosoftSimulator
from reconciler.simulators.wire import Call, Simulator


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as its owner sees it. ``starts`` and ``ends`` are wall times of ``zone``, which is empty for
    one of whole days; ``text`` is the description."""

    person: str
    id: str
    title: str
    location: str
    starts: datetime
    ends: datetime
    zone: str
    all_day: bool
    text: str


class Interrupted(Simulator):
    """A vendor in which something can happen between the effect of a create and its answer."""

    _strike: Callable[[], None] | None = None

    @contextmanager
    def striking(self, strike: Callable[[], None]) -> Iterator[None]:
        """Within this context ``strike`` is called once, as soon as an event has been created."""
        self._strike = strike
        try:
            yield
        finally:
            self._strike = None

    def perform(self, call: Call) -> Response:
        """The vendor's own answer, and the blow before it leaves."""
        answer = super().perform(call)
        strike = self._strike
        if strike is not None and call.operation == "create":
            self._strike = None
            strike()
        return answer


class Google(Interrupted, GoogleSimulator):
    """Simulated Google, for one story."""

    def seen(self, person: str, address: str) -> list[Seen]:
        """The events of one calendar in order of time."""
        return [_of_google(person, event) for event in self.owner.dump(address)]


class Microsoft(Interrupted, MicrosoftSimulator):
    """Simulated Microsoft 365, for one story."""

    def seen(self, person: str, address: str) -> list[Seen]:
        """The events of one calendar in order of time."""
        with self.lock:
            found = [_of_microsoft(person, event) for event in self.owner(address).look()]
        return sorted(found, key=lambda event: event.starts)


def _of_google(person: str, event: dict[str, Any]) -> Seen:
    start, end = event["start"], event["end"]
    all_day = "date" in start
    zone = "" if all_day else start["timeZone"]
    return Seen(
        person,
        event["id"],
        event.get("summary", ""),
        event.get("location", ""),
        datetime.fromisoformat(start["date"]) if all_day else _wall(start["dateTime"], zone),
        datetime.fromisoformat(end["date"]) if all_day else _wall(end["dateTime"], zone),
        zone,
        all_day,
        event.get("description", ""),
    )


def _wall(instant: str, zone: str) -> datetime:
    return datetime.fromisoformat(instant).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _of_microsoft(person: str, event: dict[str, Any]) -> Seen:
    start, end = event["start"], event["end"]
    return Seen(
        person,
        event["id"],
        event["subject"],
        event["location"]["displayName"],
        datetime.fromisoformat(start["dateTime"]),
        datetime.fromisoformat(end["dateTime"]),
        "" if event["isAllDay"] else start["timeZone"],
        event["isAllDay"],
        event["body"]["content"],
    )
