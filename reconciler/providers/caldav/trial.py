"""What is assumed of a CalDAV server, tried with a real account. See :mod:`reconciler.providers.trial`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property

from reconciler.model import Connection
from reconciler.providers.caldav import mapping
from reconciler.providers.caldav.client import Server, Wire, login_of
from reconciler.providers.caldav.discovery import calendars_in, manners_of
from reconciler.providers.caldav.looking import Looking, Made
from reconciler.providers.caldav.manners import Manners
from reconciler.providers.caldav.mapping import Raw
from reconciler.providers.caldav.provider import CalDavCalendar
from reconciler.providers.trial import Common, Different, NotTried, likely, needed

_ALARM = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Leave now\r\nEND:VALARM\r\n"
_ADDED = f"CATEGORIES:Work\r\n{_ALARM}END:VEVENT"


class CalDavTrial(Common):
    """The trial of one calendar. ``credentials`` are those that were stored on connecting."""

    def __init__(
        self,
        wire: Wire,
        connection: Connection,
        credentials: Mapping[str, str],
        installation: str,
        now: datetime,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._server = Server(wire, login_of(credentials, f"connection {connection.id}"))
        self._known = Manners.of(credentials.get("manners", ""))
        self._default, self._home = connection.calendar_id, credentials.get("home", "")
        looking = Looking(
            self._server, connection, self._known, _Remembering(), installation, lambda: now, Made()
        )
        super().__init__(CalDavCalendar(looking, self._home), installation, now, sleep)

    @cached_property
    def _manners(self) -> Manners:
        return manners_of(self._server, self._default)

    @needed("It is as it was on connecting", "It is trusted with what it does not do: connect it again.")
    def _as_known(self) -> str:
        if self._manners != self._known:
            raise Different(f"now: {self._manners}; on connecting: {self._known}")
        return "the same"

    @likely("A sync token that it never gave is refused", "Its tokens are not used; etags are compared.")
    def _tokens(self) -> str:
        return self._so(self._manners.syncs, "refused", "taken")

    @likely("Conditions of writes are heeded", "Each event is read right before it is written.")
    def _conditions(self) -> str:
        return self._so(self._manners.conditional, "heeded", "not heeded")

    @likely("A second event of one UID is refused", "It is asked for the UID first.")
    def _uids(self) -> str:
        return self._so(self._manners.unique_uids, "refused", "taken")

    @likely(
        "A search by our marker finds nothing else",
        "Only what bears a name of our making is read; a learner whose event is gone is asked.",
    )
    def _searches(self) -> str:
        return self._so(self._manners.filters, "nothing else", "finds other events too")

    @likely(
        "It writes to nobody's guests by itself", "Events to which guests were invited are left as they are."
    )
    def _schedules(self) -> str:
        return self._so(not self._manners.schedules, "it does not say that it would", "it says that it would")

    @needed("What an owner adds is kept by a change", "Their reminders and categories would be lost.")
    def _additions(self) -> str:
        draft = self.draft("additions")
        raw = self._raw(self.create(draft).event_id)
        self._server.update(raw.path, raw.text.replace("END:VEVENT", _ADDED, 1), raw.etag)
        event = mapping.event_of(self._raw(draft.made_as), self._default)
        self.calendar.update(self.draft("additions", title="Changed"), event)
        text = self._raw(draft.made_as).text
        lost = [one for one in ("CATEGORIES:Work", "TRIGGER:-PT15M") if one not in text]
        if lost:
            raise Different(f"lost: {', '.join(lost)}")
        return "a reminder and a category are still there"

    @needed("An event in another calendar is found by its key", "What is moved would be taken for deleted.")
    def _elsewhere(self) -> str:
        draft = self.draft("elsewhere")
        raw, other = self._raw(self.create(draft).event_id), self._second_calendar()
        self._server.delete(raw.path, raw.etag)
        self._server.create(f"{other}{draft.made_as}.ics", raw.text)
        self.made.append((draft.made_as, other))
        if not any(one.calendar_id == other for one in self.calendar.find(draft.marker.token).events):
            raise Different("not found")
        return "found by its key"

    def _raw(self, event_id: str) -> Raw:
        raw = self._server.get(f"{self._default.rstrip('/')}/{event_id}.ics")
        if raw is None:
            raise Different("what was just made is not there")
        return raw

    def _so(self, held: bool, seen: str, otherwise: str) -> str:
        if not held:
            raise Different(otherwise)
        return seen

    def _second_calendar(self) -> str:
        found = calendars_in(self._server, self._home) if self._home else []
        others = [one.path for one in found if one.writable and one.path != self._default]
        if not others:
            raise NotTried("the account has no second calendar that can be written to")
        return others[0]


class _Remembering:
    """What is remembered between two looks of this trial; nothing of the connection's own memory."""

    def __init__(self) -> None:
        self._text: str | None = None

    def recall(self, connection: Connection) -> str | None:
        return self._text

    def remember(self, connection: Connection, text: str) -> None:
        self._text = text
