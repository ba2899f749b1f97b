"""What is mailed, as values: before it has words, a form and a fate.

A letter is stored before it is sent, so all of it is JSON-able: :func:`packed` and :func:`unpacked`.
Which facts a text can speak of is told by :class:`Template`; they are the contract with whoever replaces one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.model import Day


class Template(StrEnum):
    """The texts there are, each a template of this name in every language.

    Every text knows ``person`` (their name) and ``role`` (``learner``, ``instructor``). Texts of a session
    also know ``session`` (``title course details location url instructors``) and ``days``, its timetable:
    :func:`day_fact` each, in order of time. What else each one knows:
    """

    INVITATION = "invitation"
    """One day, new or changed, with its entry. ``day``: that day (without it, the entry's). ``change``:
    ``new`` or ``changed``; ``was``: what was other before, as :attr:`CHANGED` has it."""
    CANCELLED = "cancelled"
    """One day is lost, with the entry's cancellation. ``day``: that day. ``days``: those that remain.
    ``whole``: the seat or the session is gone, not just this day."""
    CHANGED = "changed"
    """A plain notice: moved, another room, another title. ``was``: a mapping of what was other before:
    ``title``, ``location``, ``details``, ``instructors`` (texts); what moved is told by ``days``."""
    WITHDRAWN = "withdrawn"
    """One day's entry is taken back, and nothing else changes: because a calendar was connected (``vendor``),
    or because it goes to a new address. ``day``."""
    SOON = "soon"
    """It changed, or was cancelled, within 48 hours. ``was`` as above; ``whole``: it does not take place,
    or the seat is gone."""
    DELETED = "deleted"
    """The event was deleted; the seat is given back at ``until`` (an instant) unless it is kept by
    ``answer_url``."""
    GIVEN_BACK = "given-back"
    """The seat was given back. ``session.url`` is where to ask for it again."""
    PUT_BACK = "put-back"
    """The event was put back: deleting it does not give the seat back. ``why``: ``not-allowed``,
    ``never``, ``instructor``, ``too-late``, ``begun``, ``attended``, ``refused`` (by the LMS) or empty.
    ``contact``: whom to ask, where known."""
    QUESTION = "question"
    """Give back, or put back? ``answer_url``; ``until``: put back without an answer by then;
    ``sessions``: a list of ``title``, ``days``, in place of ``session`` and ``days``."""
    REAUTHORIZE = "reauthorize"
    """The vendor no longer lets us in. ``vendor``, ``account`` (the address there), ``connect_url``."""
    CONNECTED = "connected"
    """A calendar was connected. ``vendor``, ``account``, ``connect_url`` (where to disconnect it)."""
    DISCONNECTED = "disconnected"
    """A calendar was disconnected. ``vendor``, ``account``, ``connect_url``; ``why``: ``person``,
    ``owner``, ``operator`` or empty: who did it."""


class Method(StrEnum):
    """What an entry says to the calendar that receives it (RFC 5546 section 1.4)."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Somebody with an address. ``name`` may be empty."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Invite:
    """One day's entry, as one message brings it. ``uid`` never changes for a seat and day, ``sequence`` rises
    with every message about it; ``organizer`` is who sends it, ``attendee`` who gets it."""

    method: Method
    uid: str
    sequence: int
    organizer: Mailbox
    attendee: Mailbox
    day: Day
    title: str
    location: str = ""
    url: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one person. ``locale`` is theirs as the LMS has it (``de_AT``), perhaps empty."""

    to: Mailbox
    locale: str
    template: Template
    facts: Mapping[str, Any] = field(default_factory=dict)
    invite: Invite | None = None


# JSON ---------------------------------------------------------------------------------------------


def day_fact(day: Day, change: str = "", was: Day | None = None) -> dict[str, Any]:
    """A day of the timetable. ``change`` is what the letter tells of it: ``new``, ``moved`` (``was`` when),
    ``changed``, ``cancelled``, or nothing."""
    fact: dict[str, Any] = {
        "starts": day.starts.isoformat(),
        "ends": day.ends.isoformat(),
        "zone": day.zone,
        "all_day": day.all_day,
    }
    if change:
        fact["change"] = change
    if was is not None:
        fact["was"] = day_fact(was)
    return fact


def day_of(fact: Mapping[str, Any]) -> Day:
    """The day that a fact tells of."""
    starts, ends = (datetime.fromisoformat(fact[name]) for name in ("starts", "ends"))
    return Day(starts, ends, fact["zone"], fact["all_day"])


def packed(letter: Letter) -> str:
    """A letter as JSON."""
    invite = letter.invite
    whole = {
        "to": _mailbox_fact(letter.to),
        "locale": letter.locale,
        "template": letter.template,
        "facts": letter.facts,
        "invite": _invite_fact(invite) if invite else None,
    }
    return json.dumps(whole, ensure_ascii=False, sort_keys=True)


def unpacked(text: str) -> Letter:
    """The letter that :func:`packed` packed."""
    whole = json.loads(text)
    invite = whole["invite"]
    return Letter(
        to=Mailbox(**whole["to"]),
        locale=whole["locale"],
        template=Template(whole["template"]),
        facts=whole["facts"],
        invite=_invite_of(invite) if invite else None,
    )


def _mailbox_fact(mailbox: Mailbox) -> dict[str, str]:
    return {"name": mailbox.name, "address": mailbox.address}


def _invite_fact(invite: Invite) -> dict[str, Any]:
    return {
        "method": invite.method,
        "uid": invite.uid,
        "sequence": invite.sequence,
        "organizer": _mailbox_fact(invite.organizer),
        "attendee": _mailbox_fact(invite.attendee),
        "day": day_fact(invite.day),
        "title": invite.title,
        "location": invite.location,
        "url": invite.url,
        "description": invite.description,
    }


def _invite_of(fact: Mapping[str, Any]) -> Invite:
    own = {
        "method": Method(fact["method"]),
        "organizer": Mailbox(**fact["organizer"]),
        "attendee": Mailbox(**fact["attendee"]),
        "day": day_of(fact["day"]),
    }
    return Invite(**{**fact, **own})
