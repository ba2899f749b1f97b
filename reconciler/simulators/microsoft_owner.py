"""What a calendar's owner does in Outlook, apart from the vendor's API: never counted as a request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reconciler.simulators.microsoft_accept import check_times, merge, read_draft
from reconciler.simulators.microsoft_render import Preferences, View, show_calendar, show_event
from reconciler.simulators.microsoft_store import Calendar, Mailbox, StoredEvent
from reconciler.simulators.microsoft_switches import MicrosoftSwitches

_SWITCHES = MicrosoftSwitches()


class Owner:
    """One person at one mailbox. Events are named by either kind of id, calendars by id or name.

    KeyError for an event or calendar that is not there.
    """

    ACTIONS = frozenset(
        [
            "create",
            "delete",
            "restore",
            "purge",
            "move",
            "copy",
            "edit",
            "recur",
            "guest",
            "unmark",
            "add_calendar",
            "remove_calendar",
        ]
    )

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def act(self, action: str, event: str | None, fields: dict[str, Any]) -> str | None:
        """One action by name, as the control endpoint is told; the immutable id or calendar id concerned."""
        if action not in self.ACTIONS:
            raise KeyError(action)
        named = [event] if event is not None else []
        result = getattr(self, action)(*named, **fields)
        return result.immutable_id if isinstance(result, StoredEvent) else result.id if result else None

    def create(self, calendar: str | None = None, **fields: Any) -> StoredEvent:
        """An event of the owner's own; ``fields`` as Graph writes them, with start and end."""
        draft = read_draft(fields, _SWITCHES)
        times = check_times(draft.start, draft.end, bool(draft.fields.get("isAllDay")))
        properties = {name: value for name, value in draft.properties.items() if value is not None}
        return self.mailbox.add(draft.fields, times, properties, self._calendar(calendar))

    def delete(self, event: str) -> StoredEvent:
        """Into Deleted Items."""
        found = self._event(event)
        self.mailbox.delete(found)
        return found

    def restore(self, event: str) -> StoredEvent:
        """Out of Deleted Items, back to where it was."""
        return self.mailbox.restore(self._event(event))

    def purge(self, event: str) -> None:
        """For good: from the bin too."""
        self.mailbox.purge(self._event(event))

    def move(self, event: str, calendar: str) -> StoredEvent:
        """Into another calendar of the same mailbox."""
        found = self._event(event)
        self.mailbox.move(found, self._calendar(calendar))
        return found

    def copy(self, event: str, calendar: str | None = None) -> StoredEvent:
        """The copy keeps the extended properties, has new ids and no transaction id."""
        found = self._event(event)
        return self.mailbox.copy(found, self._calendar(calendar) if calendar else self._calendar_of(found))

    def edit(self, event: str, **fields: Any) -> StoredEvent:
        """Change fields, in Graph's shape."""
        found = self._event(event)
        merge(found, read_draft(fields, _SWITCHES))
        self.mailbox.touch(found)
        return found

    def recur(self, event: str, weeks: int = 4) -> StoredEvent:
        """Make a weekly series of it."""
        found = self._event(event)
        first = found.start.wall.date()
        found.fields["recurrence"] = {
            "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": [first.strftime("%A").lower()]},
            "range": {
                "type": "endDate",
                "startDate": str(first),
                "endDate": str(first + timedelta(weeks=weeks - 1)),
                "recurrenceTimeZone": found.start.zone,
            },
        }
        self.mailbox.touch(found)
        return found

    def guest(self, event: str, *addresses: str, attendees: list[str] | None = None) -> StoredEvent:
        """Invite people: from now on a change or deletion by anyone sends them mail."""
        found = self._event(event)
        wanted = [*addresses, *(attendees or [])]
        added = [{"type": "required", "emailAddress": {"name": one, "address": one}} for one in wanted]
        found.fields["attendees"] = [*found.attendees, *added]
        self.mailbox.touch(found)
        return found

    def unmark(self, event: str) -> StoredEvent:
        """Take every extended property off, as some migration tools do."""
        found = self._event(event)
        self.mailbox.set_properties(found, {})
        self.mailbox.touch(found)
        return found

    def add_calendar(self, name: str) -> Calendar:
        """A further calendar."""
        return self.mailbox.add_calendar(name)

    def remove_calendar(self, calendar: str) -> None:
        """A calendar and everything in it."""
        self.mailbox.remove_calendar(self._calendar(calendar))

    def look(self, deleted: bool = False) -> list[dict[str, Any]]:
        """Every event with what Graph would show (text body) and what only the store knows."""
        return [self._seen(event) for event in self.mailbox.events.values() if deleted or not event.deleted]

    def calendars(self) -> list[dict[str, Any]]:
        """Every calendar, as Graph shows it."""
        return [show_calendar(one, self.mailbox) for one in self.mailbox.calendars.values()]

    def _seen(self, event: StoredEvent) -> dict[str, Any]:
        view = View(self.mailbox, Preferences(immutable_ids=True, zone=event.start.zone, text_bodies=True))
        return {
            **show_event(event, view),
            "plainId": event.plain_id,
            "calendar": self._calendar_of(event).name,
            "properties": event.properties,
            "deleted": event.deleted,
        }

    def _event(self, event_id: str) -> StoredEvent:
        found = self.mailbox.find(event_id)
        if found is None:
            raise KeyError(event_id)
        return found

    def _calendar(self, name_or_id: str | None) -> Calendar:
        found = self.mailbox.default if name_or_id is None else self.mailbox.calendar(name_or_id)
        if found is None:
            raise KeyError(name_or_id)
        return found

    def _calendar_of(self, event: StoredEvent) -> Calendar:
        return self.mailbox.calendars[event.calendar]
