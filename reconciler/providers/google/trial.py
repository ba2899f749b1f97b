"""What is assumed of Google alone, tried with a real account. See :mod:`reconciler.providers.trial`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from reconciler.errors import EventError, EventIdUsed
from reconciler.model import Connection, Draft
from reconciler.providers.google import mapping
from reconciler.providers.google.client import About, Client, ScopeMissing
from reconciler.providers.google.provider import GoogleCalendar
from reconciler.providers.trial import Common, Different, NotTried, likely, needed

_EVENTS = "calendar#events"


class GoogleTrial(Common):
    """The trial of one Google account."""

    def __init__(
        self,
        client: Client,
        connection: Connection,
        installation: str,
        now: datetime,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(GoogleCalendar(client, connection, installation), installation, now, sleep)
        self._client = client
        self._connection = connection
        self._default = connection.calendar_id

    @needed("An event is made under the id we choose", "A lost answer would lead to a second event.")
    def _own_id(self) -> str:
        draft = self.draft("id")
        if self.create(draft).event_id != draft.made_as:
            raise Different("made under another id")
        return "made under it"

    @likely("An id in use is refused", "The same is written again; a second event is found and removed.")
    def _used_id(self) -> str:
        draft = self.draft("used id")
        self.create(draft)
        return self._insert_again(draft)

    @likely(
        "An id stays used once its event is deleted", "New events have new ids, whether or not it is free."
    )
    def _dead_id(self) -> str:
        draft = self.draft("dead id")
        self.deleted(draft)
        return self._insert_again(draft)

    @likely("A deleted event may be written to", "It never is: each write carries the version it is for.")
    def _revive(self) -> str:
        event = self.deleted(self.draft("revive"))
        try:
            raw = self._update("patch", event.event_id, {"status": "confirmed"})
        except EventError as refused:
            raise Different(f"refused: {refused.what}") from refused
        return f"it is {raw.get('status')}"

    @likely("Any write brings a deleted event back", "None is written to without the version it is for.")
    def _any_write_revives(self) -> str:
        draft = self.draft("revive by any")
        event = self.deleted(draft)
        body = {name: value for name, value in mapping.body_of(draft).items() if name != "status"}
        try:
            status = self._update("update", event.event_id, body).get("status")
        except EventError as refused:
            raise Different(f"refused: {refused.what}") from refused
        if status == "cancelled":
            raise Different("it stayed deleted")
        return f"it is {status}"

    @likely("A deleted event keeps its texts", "None is read from it.")
    def _details(self) -> str:
        raw = self._raw(self.deleted(self.draft("details")).event_id)
        if "summary" not in raw:
            raise Different(f"it keeps {', '.join(sorted(raw))}")
        return f"it keeps its title and {len(raw) - 1} other fields"

    @likely("Deleted events are listed by property where asked for", "They are asked for by id.")
    def _tombstones(self) -> str:
        draft = self.draft("tombstone")
        event = self.created(draft)
        self.until(lambda: bool(list(self._listed([_of_token(draft)]))))
        self.calendar.delete(event.event_id, self._default, event.etag)
        if not list(self._listed([_of_token(draft)], showDeleted=True)):
            raise Different("not listed")
        return "listed"

    @likely("Several properties in a filter must all match", "Only one is ever used.")
    def _both_properties(self) -> str:
        drafts = [self.draft("one of two"), self.draft("two of two")]
        for draft in drafts:
            self.create(draft)
        if list(self._listed([_of_token(draft) for draft in drafts])):
            raise Different("one that matches is enough")
        return "nothing matches both"

    @likely("A list by property gives no token for changes", "It gives one: changes alone could be listed.")
    def _no_sync_token(self) -> str:
        *_, last = self._pages([f"{mapping.INSTALLATION}={self.installation}"])
        if "nextSyncToken" in last:
            raise Different("a token was given")
        return "none was given"

    @likely("A short list comes on one page", "Every page is followed, empty ones too.")
    def _one_page(self) -> str:
        pages = list(self._pages([f"{mapping.INSTALLATION}={self.installation}"]))
        if len(pages) > 1:
            raise Different(f"pages of {', '.join(str(len(page.get('items', []))) for page in pages[:5])}")
        return f"one page of {len(pages[0].get('items', []))}"

    @needed("Pages together hold every event once", "Events would be taken for deleted.")
    def _whole_pages(self) -> str:
        everything = [f"{mapping.INSTALLATION}={self.installation}"]
        by_two = [raw["id"] for raw in self._listed(everything, maxResults=2)]
        at_once = [raw["id"] for raw in self._listed(everything)]
        if sorted(by_two) != sorted(set(at_once)):
            raise Different(f"{len(at_once)} at once, {len(by_two)} by two")
        return f"{len(by_two)} events, two a page"

    @needed("A moved event is found under its id in its new calendar", "It would be taken for deleted.")
    def _moved(self) -> str:
        draft = self.draft("moved")
        other = self._second_calendar()
        event = self.created(draft)
        self._move(event.event_id, other)
        if self.calendar.get(event.event_id, self._default) is not None:
            raise Different("it is in its first calendar still")
        found = self.calendar.find(draft.marker.token).events
        if [(one.event_id, one.calendar_id) for one in found] != [(event.event_id, other)]:
            raise Different("not found there")
        return "found there"

    @likely("A moved event leaves only its id behind", "Nothing is read from what it leaves.")
    def _left_behind(self) -> str:
        other, event = self._second_calendar(), self.created(self.draft("left behind"))
        self._move(event.event_id, other)
        raw = self._raw(event.event_id)
        if "summary" in raw:
            raise Different(f"it leaves {len(raw)} fields")
        return f"it leaves {', '.join(sorted(raw))}"

    # Requests -------------------------------------------------------------------------------------

    def _insert_again(self, draft: Draft) -> str:
        request = self._client.events.insert(
            calendarId=self._default, body=mapping.body_of(draft), sendUpdates="none"
        )
        try:
            raw = self._client.write(self._connection, "create", About.CREATION, request)
        except EventIdUsed:
            return "refused"
        self.made.append((raw["id"], self._default))
        raise Different("taken" if raw["id"] == draft.made_as else "taken, under another id")

    def _update(self, method: str, event_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """A write without a version, which the provider never sends."""
        call = getattr(self._client.events, method)
        request = call(calendarId=self._default, eventId=event_id, body=body, sendUpdates="none")
        return self._client.write(self._connection, "update", About.EVENT, request)

    def _raw(self, event_id: str) -> dict[str, Any]:
        request = self._client.events.get(calendarId=self._default, eventId=event_id)
        return self._client.read(self._connection, "get", About.EVENT, request)

    def _move(self, event_id: str, other: str) -> None:
        request = self._client.events.move(
            calendarId=self._default, eventId=event_id, destination=other, sendUpdates="none"
        )
        self._client.write(self._connection, "update", About.EVENT, request)
        self.made.append((event_id, other))

    def _pages(self, properties: list[str], **more: Any) -> Iterator[dict[str, Any]]:
        return self._client.pages(
            self._connection,
            "list",
            self._client.events.list,
            _EVENTS,
            calendarId=self._default,
            privateExtendedProperty=properties,
            **{"maxResults": 250, **more},
        )

    def _listed(self, properties: list[str], **more: Any) -> Iterator[dict[str, Any]]:
        for page in self._pages(properties, **more):
            yield from page.get("items", [])

    def _second_calendar(self) -> str:
        """Another calendar that its owner may write to."""
        pages = self._client.pages(
            self._connection,
            "find",
            self._client.calendar_list.list,
            "calendar#calendarList",
            minAccessRole="owner",
        )
        try:
            others = [one["id"] for page in pages for one in page["items"] if one["id"] != self._default]
        except ScopeMissing:
            raise NotTried("the grant does not show other calendars") from None
        if not others:
            raise NotTried("the account has no second calendar of its own")
        return str(others[0])


def _of_token(draft: Draft) -> str:
    return f"{mapping.TOKEN}={draft.marker.token}"
