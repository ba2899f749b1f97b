"""What is intended becomes a letter: the facts that its text can speak of, and its entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.diff.letters import DayNote, Entry, Intended, Kind
from reconciler.mail.letter import Invite, Letter, Mailbox, Method, Template, day_fact
from reconciler.model import Person, Role, Session

VENDORS = {"google": "Google", "microsoft": "Microsoft 365"}


def letter_of(intended: Intended, person: Person, sender: Mailbox, vendor: str) -> Letter:
    """The letter to this person. ``vendor`` is whose calendar they have connected, empty without one."""
    to = Mailbox(person.name, intended.address)
    facts: dict[str, Any] = {
        **person_facts(person, intended.role),
        "session": session_facts(intended.of, intended.title),
        "days": [note_fact(note) for note in intended.timetable],
    }
    match intended.kind:
        case Kind.INVITATION:
            change = "new" if intended.new else "changed"
            facts |= {"about": intended.about, "change": change, "was": dict(intended.was)}
        case Kind.CANCELLED:
            facts |= {"day": day_fact(intended.day) if intended.day else None, "whole": intended.whole}
        case Kind.WITHDRAWN:
            facts |= {
                "day": day_fact(intended.day) if intended.day else None,
                "vendor": "" if intended.firm else VENDORS.get(vendor, vendor),
            }
        case Kind.CHANGED | Kind.SOON:
            facts |= {"was": dict(intended.was), "whole": intended.whole}
    entry = intended.entry
    return Letter(
        to=to,
        locale=person.locale,
        template=Template(intended.kind.value),
        facts=facts,
        invite=_invite(entry, sender, to) if entry else None,
    )


def _invite(entry: Entry, sender: Mailbox, to: Mailbox) -> Invite:
    return Invite(
        method=Method.CANCEL if entry.cancels else Method.REQUEST,
        uid=entry.uid,
        sequence=entry.sequence,
        organizer=sender,
        attendee=to,
        day=entry.day,
        title=entry.title,
        location=entry.location,
        url=entry.url,
        description=entry.description,
    )


def person_facts(person: Person, role: Role) -> dict[str, Any]:
    """What every text knows."""
    return {"person": person.name, "role": role.value}


def session_facts(session: Session | None, title: str = "") -> dict[str, Any]:
    """A session; of one that is gone, the title by which it was known."""
    return {
        "title": session.title if session else title,
        "course": session.course if session else "",
        "details": session.details if session else "",
        "location": session.location if session else "",
        "url": session.url if session else "",
        "instructors": list(session.instructors) if session else [],
    }


def days_of(session: Session | None) -> list[dict[str, Any]]:
    """A session's timetable, nothing told of any day."""
    days = session.days if session else ()
    return [day_fact(day) for day in sorted(days, key=lambda day: day.start_instant)]


def note_fact(note: DayNote) -> dict[str, Any]:
    """A day of a timetable with what is told of it."""
    return day_fact(note.day, note.change, note.was)


def with_sessions(sessions: Iterable[Session]) -> list[Mapping[str, Any]]:
    """Several sessions, each with its title and days."""
    return [{"title": one.title, "days": days_of(one)} for one in sessions]
