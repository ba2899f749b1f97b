"""Letters of every kind, to try texts with: each text's facts, with and without what may be absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from reconciler.mail.letter import Invite, Letter, Mailbox, Method, Template, day_fact
from reconciler.model import Day

_TO = Mailbox("Ana Öztürk", "ana@example.org")
_FROM = Mailbox("Acme Training", "training@example.org")


def _day(date: int, starts: int = 9, ends: int = 17) -> Day:
    wall = datetime.fromisoformat(f"2026-12-{date:02}")
    return Day(wall.replace(hour=starts), wall.replace(hour=ends), "Europe/Berlin")


_SESSION = {
    "title": "Negotiation: the hard way",
    "course": "Working together",
    "details": "Bring a pen.\nHow to get there: https://example.org/way",
    "location": "Room 3, Main Street 1",
    "url": "https://learn.example.org/session?id=42",
    "instructors": ["Dev Patel", "Chloé Martin"],
}
_BARE = {"title": "Negotiation"}
_DAYS = [day_fact(_day(2), "moved", _day(1)), day_fact(_day(3)), day_fact(_day(4, 10, 12), "new")]
_WAS = {"title": "Negotiation", "location": "Room 1"}
_UNTIL = {"until": "2026-11-28T13:30:00+00:00", "answer_url": "https://calendar.example.org/seats?token=x"}
_CALENDAR = {
    "vendor": "Google",
    "account": "ana@example.com",
    "connect_url": "https://calendar.example.org/me",
}

_FACTS: Mapping[Template, tuple[dict[str, Any], ...]] = {
    Template.INVITATION: (
        {"day": _DAYS[0], "change": "changed", "was": _WAS},
        {"change": "new"},
    ),
    Template.CANCELLED: (
        {"day": day_fact(_day(1))},
        {"day": day_fact(_day(1)), "whole": True, "days": []},
        {"days": [day_fact(_day(1), "cancelled")], "whole": True},
    ),
    Template.CHANGED: ({"was": _WAS}, {}),
    Template.WITHDRAWN: ({"day": day_fact(_day(2)), "vendor": "Google"}, {"day": day_fact(_day(2))}),
    Template.SOON: ({"was": _WAS}, {"whole": True, "days": [day_fact(_day(1), "cancelled")]}),
    Template.DELETED: (_UNTIL,),
    Template.GIVEN_BACK: ({},),
    Template.PUT_BACK: (
        *({"why": why} for why in ("not-allowed", "never", "begun", "attended", "refused")),
        {"why": "too-late", "contact": "training@example.org"},
        {},
    ),
    Template.QUESTION: (
        {**_UNTIL, "sessions": [{**_SESSION, "days": _DAYS}, {"title": "Fire drill", "days": _DAYS[:1]}]},
        _UNTIL,
        {"answer_url": _UNTIL["answer_url"]},
    ),
    Template.REAUTHORIZE: (_CALENDAR,),
    Template.CONNECTED: (_CALENDAR, {"vendor": "Google"}),
    Template.DISCONNECTED: (
        {**_CALENDAR, "why": "person"},
        {**_CALENDAR, "why": "owner"},
        {**_CALENDAR, "why": "operator"},
        {"vendor": "Google"},
    ),
}
_OF_NO_SESSION = (Template.REAUTHORIZE, Template.CONNECTED, Template.DISCONNECTED)
_METHODS = {
    Template.INVITATION: Method.REQUEST,
    Template.CANCELLED: Method.CANCEL,
    Template.WITHDRAWN: Method.CANCEL,
}


def samples(locale: str = "en") -> Iterator[Letter]:
    """Every kind of letter, to learners and to instructors, rich and bare in facts."""
    for template, variants in _FACTS.items():
        for facts in variants:
            for role in ("learner", "instructor"):
                for session in (_SESSION, _BARE):
                    yield _letter(template, facts, role, session, locale)


def _letter(
    template: Template, facts: Mapping[str, Any], role: str, session: Mapping[str, Any], locale: str
) -> Letter:
    about = {} if template in _OF_NO_SESSION else {"session": session, "days": _DAYS}
    whole = {"person": _TO.name if session is _SESSION else "", "role": role, **about, **facts}
    return Letter(_TO, locale, template, whole, _invite(template, session))


def _invite(template: Template, session: Mapping[str, Any]) -> Invite | None:
    method = _METHODS.get(template)
    if method is None:
        return None
    title, place = str(session["title"]), str(session.get("location", ""))
    return Invite(method, "sample@example.org", 1, _FROM, _TO, _day(2), title, place)
