"""What is assumed of Microsoft alone, tried with a real account. See :mod:`reconciler.providers.trial`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from reconciler.errors import EventChanged, EventGone, EventIdUsed
from reconciler.model import ActualEvent, Connection, Day, Draft
from reconciler.providers.microsoft import mapping
from reconciler.providers.microsoft.client import Graph, Mailbox, ZoneNotKnown, segment
from reconciler.providers.microsoft.mapping import Json
from reconciler.providers.microsoft.provider import MicrosoftCalendar
from reconciler.providers.trial import Common, Different, NotTried, fold_after, likely, needed

_WHOLE = {"$select": mapping.SELECT, "$expand": mapping.EXPAND}
_RECENT_ZONES = ("Europe/Kyiv", "America/Nuuk", "America/Ciudad_Juarez", "America/Coyhaique")
"""Names that the tz database has had since 2022b, 2020a, 2022g and 2025b."""


class MicrosoftTrial(Common):
    """The trial of one mailbox."""

    def __init__(
        self,
        graph: Graph,
        connection: Connection,
        installation: str,
        now: datetime,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._mailbox = Mailbox(graph, connection)
        self._default = connection.calendar_id
        super().__init__(
            MicrosoftCalendar(self._mailbox, self._default, installation), installation, now, sleep
        )

    @likely("A creation repeated is answered 201 with the first event", "Each is looked for by its marker.")
    def _transaction(self) -> str:
        draft = self.draft("transaction")
        first = self._posted(mapping.new_event(draft))
        return self._post_again(draft, first, same=True)

    @likely("A transaction id serves anew once its event is deleted", "An answer is believed when listed.")
    def _dead_transaction(self) -> str:
        draft = self.draft("dead transaction")
        first = self._posted(mapping.new_event(draft))
        self._mailbox.delete(_path(first), None)
        return self._post_again(draft, first, same=False)

    @likely("Properties given at creation are kept", "They are set once more straight after the creation.")
    def _kept_properties(self) -> str:
        draft = self.draft("properties")
        raw = self._mailbox.get(_path(self._posted(mapping.new_event(draft))), _WHOLE)
        if mapping.marker_of(raw) != draft.marker:
            raise Different("lost")
        return "kept"

    @likely("Stale writes are refused with 412", "Any refusal is understood.")
    def _stale_status(self) -> str:
        refusals = [self._stale(deleting) for deleting in (False, True)]
        if refusals != ["412", "412"]:
            raise Different(" and ".join(refusals))
        return "412, for a change and for a deletion"

    @likely("A deleted event does not answer to its id", "It counts as there only where a calendar lists it.")
    def _bin(self) -> str:
        event = self._posted(mapping.new_event(self.draft("bin")))
        self._mailbox.delete(_path(event), None)
        try:
            self._mailbox.get(_path(event), _WHOLE)
        except EventGone:
            return "it does not"
        raise Different("it answers from the bin")

    @likely("A zone comes back under the name it was given", "Windows' names are understood as well.")
    def _zone_name(self) -> str:
        raw = self._posted(mapping.new_event(self.draft("zone name")))
        name = str(raw.get("originalStartTimeZone"))
        if name != "Europe/Berlin":
            raise Different(f"as {name}")
        return f"as {name}"

    @likely("Zones that are some years old are known", "Times in others are sent, and shown, in UTC.")
    def _recent_zones(self) -> str:
        unknown = [name for name in _RECENT_ZONES if not self._knows(name)]
        if unknown:
            raise Different(f"not known: {', '.join(unknown)}")
        return f"known: {', '.join(_RECENT_ZONES)}"

    @likely("Of an hour shown twice the first is meant", "Such times are sent in UTC.")
    def _first_of_two(self) -> str:
        day = fold_after(self.now)
        first = day.start_wall.replace(fold=0)
        content = {**mapping.new_event(self.draft("first of two")), **_times(first, "Europe/Berlin")}
        read = mapping.day_of(self._posted(content))
        if read is None or read.start_instant != day.start_instant - timedelta(hours=1):
            raise Different("the second is meant")
        return "the first is meant"

    @likely("Whole days begin at midnight in whatever zone is asked for", "The date is found either way.")
    def _floating(self) -> str:
        starts = self.day().starts.replace(hour=0)
        day = Day(starts, starts + timedelta(days=1), "Asia/Tokyo", all_day=True)
        raw = self._posted(mapping.new_event(self.draft("floating", day)))
        shown = str(raw.get("start", {}).get("dateTime"))
        if "T00:00:00" not in shown:
            raise Different(f"as {shown} UTC")
        return "at midnight"

    @likely("No online meeting is added", "It is said with each event that there is none.")
    def _no_meeting(self) -> str:
        content = mapping.new_event(self.draft("meeting"))
        del content["isOnlineMeeting"]
        raw = self._mailbox.get(_path(self._posted(content)), {"$select": "id,isOnlineMeeting"})
        if raw.get("isOnlineMeeting"):
            raise Different("one was added where nothing was said")
        return "none was added"

    @likely("A page holds as many events as asked for", "Every page is followed, empty ones too.")
    def _one_page(self) -> str:
        query = {"$filter": mapping.of_installation(self.installation), "$select": "id", "$top": "100"}
        page = self._mailbox.get(f"{self._events(self._default)}", query)
        if "@odata.nextLink" in page:
            raise Different(f"{len(page.get('value', []))} on the first page, and more follow")
        return f"{len(page.get('value', []))} on one page"

    @needed("An event in another calendar is found by its key", "What is moved would be taken for deleted.")
    def _elsewhere(self) -> str:
        other, draft = self._second_calendar(), self.draft("elsewhere")
        raw = self._posted(mapping.new_event(draft), other)
        event_id, marked = raw["id"], {"singleValueExtendedProperties": mapping.properties(draft.marker)}
        self._mailbox.patch(_path(raw), marked, mapping.etag_of(raw))
        self.until(lambda: any(one.calendar_id == other for one in self._found(draft, event_id)))
        if self.calendar.get(event_id, self._default) is None:
            raise Different("found by its key, but not by its id")
        return "found by its key and by its id"

    # Requests -------------------------------------------------------------------------------------

    def _events(self, calendar_id: str) -> str:
        return f"/calendars/{segment(calendar_id)}/events"

    def _posted(self, content: Json, calendar_id: str | None = None) -> dict[str, Any]:
        at = calendar_id or self._default
        raw = dict(self._mailbox.post(self._events(at), content))
        self.made.append((str(raw["id"]), at))
        return raw

    def _post_again(self, draft: Draft, first: Json, *, same: bool) -> str:
        try:
            status, raw = self._mailbox.post_for_status(self._events(self._default), mapping.new_event(draft))
        except EventIdUsed:
            raise Different("refused") from None
        self.made.append((str(raw["id"]), self._default))
        what = f"{status} with {'the first' if raw['id'] == first['id'] else 'another'} event"
        if same != (raw["id"] == first["id"]) or status != 201:
            raise Different(what)
        return what

    def _stale(self, deleting: bool) -> str:
        event = self._posted(mapping.new_event(self.draft(f"stale {deleting}")))
        self._mailbox.patch(_path(event), {"subject": "changed"}, mapping.etag_of(event))
        try:
            if deleting:
                self._mailbox.delete(_path(event), mapping.etag_of(event))
            else:
                self._mailbox.patch(_path(event), {"subject": "changed again"}, mapping.etag_of(event))
        except EventChanged as refused:
            return "412" if "answered 412" in refused.what else "409"
        return "taken"

    def _knows(self, zone: str) -> bool:
        content = {**mapping.new_event(self.draft(f"zone {zone}")), **_times(self.day().starts, zone)}
        try:
            self._posted(content)
        except ZoneNotKnown:
            return False
        return True

    def _found(self, draft: Draft, event_id: str) -> list[ActualEvent]:
        return [one for one in self.calendar.find(draft.marker.token).events if one.event_id == event_id]

    def _second_calendar(self) -> str:
        """Another calendar of the mailbox that can be written to."""
        found = self._mailbox.pages("find", "/calendars", {"$select": "id,canEdit"})
        others = [one["id"] for one in found if one.get("canEdit") and one["id"] != self._default]
        if not others:
            raise NotTried("the mailbox has no second calendar that can be written to")
        return str(others[0])


def _path(raw: Json) -> str:
    return f"/events/{segment(str(raw['id']))}"


def _times(starts: datetime, zone: str) -> dict[str, dict[str, str]]:
    """``start`` and ``end`` as wall times, whether or not this machine knows the zone."""
    moments = {"start": starts, "end": starts + timedelta(minutes=15)}
    return {
        name: {"dateTime": f"{moment:%Y-%m-%dT%H:%M:%S}", "timeZone": zone}
        for name, moment in moments.items()
    }
