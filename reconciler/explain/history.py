"""What happened to somebody's events so far, line by line: what was done, asked and answered, and the proof
on which a seat was given back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from reconciler.diff.why import WHY_HELD
from reconciler.explain.words import CAUSES, MAILS, REFUSALS, Names, Times
from reconciler.ledger.audit import AuditLine
from reconciler.model import Answer, EventKey
from reconciler.ports import Evidence, Occurrence

_INTENDED = {
    "create intended": "to be put into the calendar",
    "update intended": "to be changed in the calendar",
    "delete intended": "to be deleted by us",
}
_UNANSWERED = "; we stopped before the vendor's answer was written down"
_SAID = {
    "created": "put into the calendar ({why})",
    "adopted": "found in the calendar, and taken up ({why})",
    "updated": "{why}",
    "seen": "seen in the calendar again",
    "missing": "not in the calendar any more, which was read whole: a suspicion that its owner deleted it",
    "deleted": "deleted by us ({why})",
    "forgotten": "not needed any more, and in no calendar ({why})",
    "refused": "refused by the vendor: {why}",
    "found again": "found again, {why}; nothing follows from its absence",
    "proven a first time": "asked for by its id and looked for in every calendar: in none. The seat can be "
    "kept until {why}",
    "held": "held, waiting for an answer: {why}",
    "being put back": "to be put back: {why}",
    "dismissed": "left away until the session changes: {why}",
    "not given back yet": "proven, but the LMS could not be reached, so the seat was not given back: {why}",
    "still registered": "the LMS did not cancel the seat: {why}",
    "not ours to give back any more": "the seat was not ours to give back any more: {why}",
    "seat given back": "proven again; the LMS has cancelled the seat",
}
_MAILED = {
    "mail sent": "told by mail {about}",
    "mail refused": "could not be told by mail {about}, as the mail server refused it{why}",
    "mail unknown": "mailed {about}, and nobody knows whether it arrived{why}; it is not sent again unasked",
    "mail dropped": "not told by mail {about}{why}",
}
_LETTER = re.compile(r"(?P<kind>[a-z-]+)(?: \((?P<why>.*)\))?", re.DOTALL)
_ANSWERS = {
    f"answered {Answer.KEEP}": "answered: keep the seat",
    f"answered {Answer.GIVE_BACK}": "answered: give the seat back, once it is proven",
}
_UPDATED = re.compile(r"(?P<adopted>adopted, )?(?P<what>.*?) (?:put right|updated \((?P<cause>[a-z-]+)\))")


def happened(history: Sequence[Occurrence], answers: Sequence[AuditLine], names: Names) -> Iterator[str]:
    """Every line, oldest first; lines of one minute that say the same of several days are one."""
    lines = [(one.at, one.session, _day_of(one, names), _said(one, names.times)) for one in _settled(history)]
    lines += [
        (one.at, one.detail.removeprefix("session "), "", f"{_ANSWERS[one.what]} ({one.who}, {one.origin})")
        for one in answers
    ]
    lines.sort(key=lambda line: line[0])
    for (minute, session, text), some in groupby(
        lines, key=lambda line: (names.times.at(line[0]), line[1], line[3])
    ):
        days = " and ".join(dict.fromkeys(day for _at, _session, day, _text in some if day))
        of_all = f"session {session}" if session and not names.session else ""
        whose = ", ".join(part for part in (of_all, days) if part)
        yield f"  {minute}  {whose}: {text}" if whose else f"  {minute}  {text}"


def _key(line: Occurrence) -> EventKey:
    return EventKey(line.person, line.session, line.slot)


def _day_of(line: Occurrence, names: Names) -> str:
    """Which day it is of; a letter may be of none, or of one that was never in the calendar."""
    key = _key(line)
    return names.short(key) if line.what not in _MAILED or names.knows(key) else ""


def _settled(history: Sequence[Occurrence]) -> Iterator[Occurrence]:
    """The history without intents that were carried out in the next line of the same event."""
    following: dict[EventKey, Occurrence] = {}
    kept: list[Occurrence] = []
    for line in reversed(history):
        after = following.get(_key(line))
        if line.what not in _INTENDED or after is None or after.what == line.what:
            kept.append(line)
        following[_key(line)] = line
    return reversed(kept)


def _said(line: Occurrence, times: Times) -> str:
    if line.what in _INTENDED:
        return _INTENDED[line.what] + _UNANSWERED
    if line.what in _MAILED:
        return _mailed(line)
    known = _SAID.get(line.what)
    return known.format(why=_why(line, times)) if known else f"{line.what} ({line.why})"


def _mailed(line: Occurrence) -> str:
    found = _LETTER.fullmatch(line.why)
    kind, why = (found["kind"], found["why"]) if found else (line.why, None)
    about = MAILS.get(kind, f"({kind})")
    return _MAILED[line.what].format(about=about, why=f": {why}" if why else "")


def _why(line: Occurrence, times: Times) -> str:
    if line.what == "updated":
        return _updated(line.why)
    if line.what == "proven a first time":
        return times.of(line.why)
    if line.what == "held":
        return next((text for reason, text in WHY_HELD.items() if reason == line.why), line.why)
    if line.what == "found again":
        return "in its calendar or another"
    return next((text for cause, text in CAUSES.items() if cause == line.why), _spelled(line.why))


def _spelled(why: str) -> str:
    """A reason that ends in, or is, a code of the LMS, in words."""
    before, colon, code = why.rpartition(": ")
    return f"{before}{colon}{REFUSALS.get(code, code or 'no reason was given')}"


def _updated(why: str) -> str:
    found = _UPDATED.fullmatch(why)
    if found is None:
        return f"changed: {why}"
    if found["adopted"]:
        return f"found in the calendar and taken up; put right: {found['what']}"
    cause = next((text for cause, text in CAUSES.items() if cause == found["cause"]), found["cause"])
    return f"changed: {found['what']} ({cause})"


# The proof ----------------------------------------------------------------------------------------


def proofs(evidence: Sequence[Evidence], names: Names) -> Iterator[str]:
    """What was written down each time before the LMS was asked to cancel a seat."""
    for one in evidence:
        yield from _proof(one, names)


def _proof(one: Evidence, names: Names) -> Iterator[str]:
    facts, times = one.facts, names.times
    seats = facts.get("seats")
    which = ", ".join(str(seat) for seat in seats) if isinstance(seats, list) else one.seat
    yield f"  {times.at(one.at)}: the LMS was about to be asked to cancel seat {which}, because:"
    events = facts.get("events")
    for event in events if isinstance(events, list) else []:
        yield f"    {_event_proof(event, one, names)}"
    yield from _answers(facts.get("answers"))
    yield f"    The calendar had been watched without a gap since {times.of(facts.get('baseline_since'))}."
    yield (
        f"    The LMS had until {_clock(facts.get('deadline'))} by its own clock; the request's reference is "
        f"{facts.get('reference')}."
    )


def _event_proof(event: Mapping[str, object], one: Evidence, names: Names) -> str:
    times = names.times
    key = EventKey(one.person, one.session, int(str(event.get("slot", 0))))
    name = names.short(key)
    first = event.get("confirmed_at")
    proven = f", in no calendar on {times.of(first)}" if first else ", let go by an answer"
    text = (
        f"missed since {times.of(event.get('missing_since'))}{proven}; and again now: asked for by its id "
        f"({event.get('event_id')}) it was {event.get('by_id')}, and it was {event.get('by_key')}."
    )
    return f"The {name}: {text}" if name else f"The event: {text}"


def _answers(answers: object) -> Iterator[str]:
    """What the vendor answered during the proof, which its support can look up."""
    heard = answers if isinstance(answers, list) else []
    if not heard:
        return
    counted = Counter(f"{one['operation']} {one['status']}" for one in heard)
    said = ", ".join(f"{what} ({times} times)" if times > 1 else what for what, times in counted.items())
    first, last = heard[0]["date"], heard[-1]["date"]
    when = f"at {first}" if first == last else f"from {first} to {last}"
    yield f"    By its own clock, the calendar's server answered {when}: {said}."
    named = [one["request_id"] for one in heard if one["request_id"]]
    if named:
        yield f"    It calls these requests {', '.join(named)}."


def _clock(text: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return str(text)
