"""Who judges: what the owners really did and what the LMS really says, compared with what came of it.

Nothing here asks the program what it thinks, but for what it shows as held or dismissed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from reconciler.model import Answer, EventKey, State
from reconciler.ports import NoticeKind
from tests.harness.facts import WantedDay
from tests.harness.mailbox import Mailbox, Stored, Trouble

if TYPE_CHECKING:
    from tests.harness.site import Site

GRACE, GRACE_NEAR, NEAR = timedelta(minutes=30), timedelta(minutes=10), timedelta(days=1)
_IN_QUESTION = (State.MISSING, State.HELD, State.UNREGISTERING)


@dataclass
class Deletion:
    """An event of ours that its owner deleted, while this seat was theirs. ``void``: why it proves nothing.

    ``answer`` is what the owner, or an operator, said to it. ``taken_back``: the event came back, and was
    seen, before it was deleted once more.
    """

    person: str
    event: Stored
    seats: tuple[str, ...]
    at: datetime
    void: str | None = None
    answer: str | None = None
    taken_back: bool = False

    @property
    def key(self) -> EventKey:
        assert self.event.key is not None
        return self.event.key

    @property
    def stands(self) -> bool:
        """Nobody has taken the event back."""
        return not self.event.there and self.event.removed_by != "us" and not self.taken_back


@dataclass
class Oracle:
    """The judge of one site. ``wrongs`` is what was found."""

    site: Site
    deletions: list[Deletion] = field(default_factory=list)
    given: list[tuple[str, str, str]] = field(default_factory=list)
    given_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    lies: int = 0
    waits: bool = False
    forgotten: bool = False

    # What is told to it ---------------------------------------------------------------------------

    def deleted(self, person: str, event: Stored, void: str | None = None) -> None:
        """The owner has deleted one of our events, or has done what cannot be told from that."""
        if event.key is None or not event.ours:
            return
        _, seats = self.site.facts.booked(person).get(event.key.session, ("", ()))
        waits = any(
            row.event_id == event.event_id and row.state in _IN_QUESTION for row in self.site.rows(person)
        )
        for one in self.deletions:
            one.taken_back |= one.event is event and not waits
        self.deletions.append(Deletion(person, event, seats, self.site.clock(), void))

    def void(self, person: str | None, why: str) -> None:
        """What vanished from this person's calendar (everybody's) proves nothing."""
        for one in self.deletions:
            if person in (None, one.person) and one.void is None:
                one.void = why

    def state_lost(self, why: str) -> None:
        """What the program knew of the calendars is gone, or old."""
        self.void(None, why)
        self.forgotten = True
        for _, mailbox in self.site.people.values():
            for event in mailbox.events:
                event.forgotten = True

    def forget(self, since: datetime) -> int:
        """What was deleted before, and what came of it, is not asked about any more: how many seats that
        were given back are among it."""
        self.deletions = [one for one in self.deletions if one.at > since]
        kept = {(one.person, one.key.session) for one in self.deletions}
        given, told = self.given, self.site.told
        self.given = [one for one in given if one[:2] in kept]
        self.given_at = {whose: at for whose, at in self.given_at.items() if whose in kept}
        told[:] = [one for one in told if (one.person, one.session) in kept]
        return len(given) - len(self.given)

    def shown_late(self, people: Collection[str], by: timedelta) -> None:
        """Their lists are late: what was deleted just before is seen to be there, and vanishes then."""
        for one in self.deletions:
            if one.person in people and one.at + by > self.site.clock():
                one.void = None

    def answered(self, person: str, session: str, answer: str) -> None:
        for one in self._last(person, session):
            one.answer = answer
            if answer == Answer.GIVE_BACK:
                one.void = None  # whoever says so needs no proof

    def given_back(self, person: str, session: str, seats: list[str]) -> None:
        """The program has un-registered somebody: was it proven?"""
        for seat in seats:
            if (person, session, seat) in self.given:
                self._wrong(f"I5: seat {seat} of {person} was given back twice")
            self.given.append((person, session, seat))
            self.given_at[person, session] = self.site.clock()
        if not self._was_heard(person, session):
            self._wrong(f"I6: {person} lost a seat in {session} and had not been told that it would be so")
        for why in self._unproven(person, session, seats):
            self._wrong(f"I4: {person} lost seat {', '.join(seats)} in {session}: {why}")

    # I4 -------------------------------------------------------------------------------------------

    def _unproven(self, person: str, session: str, seats: list[str]) -> Iterator[str]:
        now, facts = self.site.clock(), self.site.facts.session(session)
        standing = [one for one in self._standing(person, session) if set(seats) <= set(one.seats)]
        valid = [one for one in standing if one.void is None]
        if not standing:
            yield "its owner deleted nothing, or another seat's event"
            return
        if not valid:
            yield f"what vanished proves nothing: {standing[0].void}"
            return
        answers = {one.answer for one in valid}
        if "keep" in answers:
            yield "its owner had said to keep it"
        there = self._still_there(person, session, now)
        valid = [one for one in valid if one.key not in there]
        if not valid:
            yield f"its events are still there: {', '.join(sorted(there.values()))}"
            return
        if facts is None or facts.begins is None:
            yield "the session has no day"
            return
        yield from _not_allowed(facts.begins, facts.cancel_until, facts.cancellable, now)
        if "give_back" in answers:
            return
        if not self.site.searchable(person):
            yield "its server cannot be searched, and nobody was asked"
        wait = GRACE_NEAR if facts.begins - now <= NEAR + GRACE else GRACE
        if now - max(one.at for one in valid) < wait:
            yield "the grace time had not passed"
        if self.site.options.asks or (
            self.site.all_days_needed and not self._all_days(valid, facts.days, now)
        ):
            yield "only some days were deleted, or each is to be asked about, and nobody was"

    def _still_there(self, person: str, session: str, now: datetime) -> dict[EventKey, str]:
        """The days that are still to come of which an event is there after all, in another calendar or as a
        copy too, and its id. Where lists show nothing, or cannot be searched, what nobody knows by its id
        cannot be seen."""
        mailbox, there = self.site.mailbox(person), {}
        troubles = mailbox.troubles | self.site.vendors[self.site.people[person][0]].troubles
        known = {row.event_id for row in self.site.rows(person)}
        only_known = Trouble.EMPTY_LISTING in troubles or not self.site.searchable(person)
        for event in mailbox.there():
            if only_known and event.event_id not in known:
                continue
            to_come = event.day is not None and event.day.end_instant > now
            seen = event.marker is not None and event.calendar_id not in mailbox.lost
            if event.key and event.key.session == session and to_come and seen:
                there[event.key] = event.event_id
        return there

    def _all_days(
        self, deletions: list[Deletion], days: tuple[tuple[datetime, datetime], ...], now: datetime
    ) -> bool:
        written = [one.event.written or one.event.day for one in deletions]
        starts = {day.start_instant for day in written if day}
        return all(begin in starts for begin, _ in days)

    # I1, I2: calendars ----------------------------------------------------------------------------

    def calendars(self, finally_: bool = False) -> None:
        """Everything is as the LMS wants it, but for what its owner has just deleted.

        While a seat of a person waits for an answer nothing of theirs counts as applied, and what came back
        to be deleted, or was forgotten, stays until it does.
        """
        self.waits = not finally_
        for person in self.site.people:
            if self.site.healthy(person):
                self._calendar(person, self.site.mailbox(person))

    def _calendar(self, person: str, mailbox: Mailbox) -> None:
        now = self.site.clock()
        there = [
            one
            for one in mailbox.there()
            if one.day and one.day.end_instant > now and self._seen(mailbox, one)
        ]
        keep = self.site.facts.taught(person)
        ours = Counter(
            (one.key, one.calendar_id)
            for one in there
            if one.ours and one.key and one.key.session not in keep and not self._out_of_sight(mailbox, one)
        )
        for (key, calendar), count in ours.items():
            if count > 1:
                self._wrong(f"I1: {count} events of ours for {key} in {calendar}")
        wanted = self._wanted(person)
        for session, days in wanted.items():
            here = [one for one in there if one.key and one.key.session == session]
            for day in days:
                expected = day.ends > now and not self._excused(person, session, day)
                if expected and not any(_is(one, day) for one in here):
                    self._wrong(f"I2: {person} lacks {session} at {day.starts:%d %H:%M}")
        for one in there:
            if not one.ours or one.key is None or one.key.session in keep or self._out_of_sight(mailbox, one):
                continue
            right = any(_is(one, day) for day in wanted.get(one.key.session, []))
            late = one.returned or one.forgotten
            waiting = self.waits and late and self._waits(person)
            waiting |= self.given_at.get((person, one.key.session)) == now  # the next push removes it
            if not right and not waiting and not self._left_alone(person, one):
                self._wrong(
                    f"I2: {person} has {one.event_id} of {one.key.session} at {one.day}, unwanted or wrong"
                )

    def _out_of_sight(self, mailbox: Mailbox, event: Stored) -> bool:
        """Its owner has put it, or put it back, where no listing shows it: elsewhere, or without its marker.
        Or it has lost its marker, and nobody remembers its id since the state was lost, or since a vendor
        denied it and another one was made."""
        if event.returned and (event.calendar_id != mailbox.default or event.marker is None):
            return True
        if event.marker is not None or not (event.forgotten or self.lies):
            return False
        rows = self.site.rows(mailbox.owner)
        return all(row.event_id != event.event_id for row in rows)

    def _seen(self, mailbox: Mailbox, event: Stored) -> bool:
        return event.calendar_id not in mailbox.lost

    def _left_alone(self, person: str, event: Stored) -> bool:
        """A past day by what was last written, or by the LMS, is left as it is."""
        return event.day is None or event.day.end_instant <= self.site.clock()

    def wants(self, person: str) -> bool:
        """Whether the LMS wants anything in this person's calendar that is still to come."""
        now = self.site.clock()
        return any(day.ends > now for days in self._wanted(person).values() for day in days)

    def _wanted(self, person: str) -> dict[str, list[WantedDay]]:
        facts = self.site.facts
        wanted = {}
        for session in facts.booked(person) if facts.active(person) else ():
            found = facts.session(session)
            if found is not None and found.status == "scheduled":
                wanted[session] = found.wanted()
        return wanted

    def _excused(self, person: str, session: str, day: WantedDay) -> bool:
        """Its owner has deleted it and nothing has come of it yet, or it is shown as held or dismissed."""
        deleted = any(self._standing(person, session))
        return deleted or self._shown(person, session)

    def _waits(self, person: str) -> bool:
        return any(row.state in _IN_QUESTION for row in self.site.rows(person))

    def _shown(self, person: str, session: str) -> bool:
        rows = self.site.rows(person)
        return any(row.key.session == session and row.state in (State.HELD, State.DISMISSED) for row in rows)

    # I5: every deletion comes to something --------------------------------------------------------

    def outcomes(self) -> None:
        """Each deletion has led to an un-registration, to a restoration, or to something to be seen."""
        for one in self.deletions:
            if one.stands and self.site.healthy(one.person) and not self._came_to_something(one):
                self._wrong(
                    f"I5: nothing came of the deletion of {one.key} at {one.at:%d %H:%M} ({one.void})"
                )

    def _came_to_something(self, one: Deletion) -> bool:
        person, session = one.person, one.key.session
        _, seats = self.site.facts.booked(person).get(session, ("", ()))
        facts = self.site.facts.session(session)
        if not set(seats) & set(one.seats) or facts is None or facts.status != "scheduled":
            return True
        if facts.begins is None or facts.begins <= self.site.clock() or not self.site.facts.active(person):
            return True
        there = {
            event.day.start_instant
            for event in self.site.mailbox(person).there()
            if event.key and event.key.session == session and event.day
        }
        return {starts for starts, _ in facts.days} <= there or self._shown(person, session)

    # I3, I6 ---------------------------------------------------------------------------------------

    def notices(self) -> None:
        """Nobody is told twice of one thing."""
        told = Counter((one.kind, one.person, one.session) for one in self.site.told)
        for (kind, person, session), count in told.items():
            if self.lies:
                continue
            if kind is NoticeKind.GIVEN_BACK:
                most = len({seat for who, where, seat in self.given if (who, where) == (person, session)})
            else:
                most = len(self._of(person, session))
            if count > most:
                self._wrong(f"I6: {person} was told {count} times: {kind}, {session}, for {most} changes")

    def _was_heard(self, person: str, session: str) -> bool:
        """Whether this person was told of a deletion here, or asked, or has answered."""
        answered = any(one.answer == "give_back" for one in self._of(person, session))
        return answered or any(
            (one.person, one.session) == (person, session)
            and one.kind in (NoticeKind.DELETED, NoticeKind.QUESTION)
            for one in self.site.told
        )

    def untold(self) -> None:
        """Whoever has lost a seat for good has been told so, if the program still remembers: who has come by
        another seat meanwhile is told nothing."""
        if self.forgotten:
            return
        told = {(one.person, one.session) for one in self.site.told if one.kind is NoticeKind.GIVEN_BACK}
        for person, session, _ in self.given:
            given = {seat for who, where, seat in self.given if (who, where) == (person, session)}
            only_these = self.site.facts.statuses(person, session).keys() == given
            if only_these and self.site.healthy(person) and (person, session) not in told:
                self._wrong(f"I6: {person} was never told that the seat in {session} was given back")

    def foreign(self) -> None:
        """What was never ours is what it was."""
        for person, before in self.site.own.items():
            now = self.site.mailbox(person).events[0]
            if (now.title, now.version, now.there) != before:
                self._wrong(f"I3: an event of {person}'s own was touched")

    def _standing(self, person: str, session: str) -> list[Deletion]:
        """The deletions that nobody has taken back: neither their owner, nor we by another event since."""
        return [one for one in self._last(person, session) if one.stands]

    def _last(self, person: str, session: str) -> list[Deletion]:
        """The deletions of the events that we made last, whatever has become of those."""
        events = self.site.mailbox(person).events
        return [one for one in self._of(person, session) if not _made_again(one.event, events)]

    def _of(self, person: str, session: str) -> list[Deletion]:
        return [one for one in self.deletions if (one.person, one.key.session) == (person, session)]

    def _wrong(self, what: str) -> None:
        self.wrongs.append(what)


def _made_again(deleted: Stored, events: Sequence[Stored]) -> bool:
    """Whether we have made an event of the same day since; ``events`` lie in the order of their making."""
    since = next((number for number, event in enumerate(events) if event is deleted), len(events))
    later = (event for event in events[since + 1 :] if event.ours and event.key == deleted.key)
    return any(event.removed_by not in ("us", "moved") for event in later)


def _is(event: Stored, day: WantedDay) -> bool:
    if event.day is None:
        return False
    times = (event.day.start_instant, event.day.end_instant) == (day.starts, day.ends)
    return times and (event.title, event.location) == (day.title, day.location)


def _not_allowed(begins: datetime, until: datetime | None, cancellable: bool, now: datetime) -> Iterator[str]:
    if begins <= now:
        yield "the session had begun"
    if not cancellable:
        yield "the seat may not be cancelled"
    if until is not None and until <= now:
        yield "the LMS's deadline had passed"
