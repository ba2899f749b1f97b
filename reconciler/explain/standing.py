"""Where one event stands: what its row in the ledger means, how long a seat can be kept, who can let go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from reconciler.diff.confirm import ConfirmPolicy
from reconciler.diff.fields import removal_of, said_nothing
from reconciler.diff.why import WHY_HELD
from reconciler.explain.words import Times
from reconciler.labels import Guard
from reconciler.model import (
    Answer,
    HoldReason,
    LedgerEntry,
    MultiDay,
    Registration,
    Removal,
    Role,
    Standing,
    State,
    UnregisterMode,
)

_STATES = {
    State.RELEASED: "Was in the calendar before it was connected anew, and has to be seen again.",
    State.PENDING: "Being put into the calendar; the vendor has not confirmed it yet.",
    State.LIVE: "In the calendar.",
    State.MISSING: "Vanished from the calendar",
    State.HELD: "Vanished from the calendar",
    State.DISMISSED: "Deleted by its owner; stays away until the session changes.",
    State.REMOVING: "Being removed by us; the vendor has not confirmed it yet.",
    State.GONE: "Not in the calendar any more: removed by us, or gone when nobody needed it.",
    State.UNREGISTERING: "Deleted by its owner; the LMS has been asked to cancel the seat.",
    State.UNREGISTERED: "Deleted by its owner, and the seat was given back.",
}


@dataclass(frozen=True)
class Stand:
    """One row, with what decides what becomes of it. ``policy``: how seats are given back, ``None`` where
    they are not; its mode is the one in force for the account."""

    row: LedgerEntry
    registration: Registration | None
    siblings: tuple[LedgerEntry, ...]
    policy: ConfirmPolicy | None
    times: Times
    now: datetime

    def sentences(self) -> Iterator[str]:
        """What is the case, what follows, and what can be done about it."""
        row = self.row
        state = _STATES.get(row.state, "Unknown to us.")
        if row.state in (State.MISSING, State.HELD):
            state = f"{state}: missed since {self.times.at(row.missing_since)}."
        yield state if row.ends > self.now else f"{state} Its day is past, so nothing is done any more."
        if row.ends <= self.now:
            return
        match row.state:
            case State.MISSING:
                yield from self._missing()
            case State.HELD:
                yield from self._held()
            case State.UNREGISTERING:
                asked = max(filter(None, (row.suspicion.deadline, row.retry_at)), default=None)
                yield (
                    "What became of it is not written down yet; the LMS is asked again after "
                    f"{self.times.at(asked)}. It is too late to keep the seat from here."
                )
            case State.LIVE:
                yield from self._live()
        if row.last_error and row.state is not State.UNREGISTERING:
            again = f" It is tried again at {self.times.at(row.retry_at)}." if row.retry_at else ""
            times = "once" if row.attempts == 1 else f"{row.attempts} times"
            yield f"Refused {times} by the vendor: {row.last_error}.{again}"

    def _live(self) -> Iterator[str]:
        if self.registration is None or self.registration.standing is not Standing.WANTED:
            return
        why = self._no_way_back()
        if why is None:
            several = len(self.registration.session.days) > 1
            yield f"Deleting {'all days' if several else 'it'} gives the seat back."
        elif self._was_put_back():
            yield f"It was deleted and put back once; deleted again it stays away, as {why}."
        else:
            yield f"Once deleted it is put back: {why}."

    # Vanished -------------------------------------------------------------------------------------

    def _missing(self) -> Iterator[str]:
        suspicion = self.row.suspicion
        why = self._no_way_back()
        if self._not_in_question():
            yield "The LMS wants no event for it any more, so nothing follows from that."
        elif self.row.answer is Answer.KEEP:
            yield "The answer was to keep the seat: the event is put back in the next cycle."
        elif why is not None:
            back = "it stays away now, as it was put back once" if self._was_put_back() else "it is put back"
            yield f"Deleting it gives no seat back: {why}. In the next cycle {back}."
        elif self.row.answer is Answer.GIVE_BACK:
            yield "The answer was to give the seat back: it is, once it is proven that the event is gone."
        elif suspicion.grace_until is None:
            yield "That is a suspicion, not yet a proof that its owner deleted it."
            yield from self._days_still_there()
            yield (
                "It is asked for by its id and looked for in every calendar; only if it is nowhere, while "
                "somebody else's calendar at this vendor still shows an event of ours (one is looked at for "
                f"this, where there is one), a time of grace begins. {self._keep()}"
            )
        elif suspicion.grace_until > self.now:
            yield (
                f"On {self.times.at(suspicion.confirmed_at)} it was in no calendar when asked for. If it "
                f"still is in none on {self.times.at(suspicion.grace_until)}, the seat is given back. "
                f"Until then its owner can take it out of the bin. {self._keep()}"
            )
        else:
            yield (
                f"Its time of grace ended on {self.times.at(suspicion.grace_until)}: it is looked for once "
                f"more in the next cycle, and if it is nowhere, the seat is given back. {self._keep()}"
            )

    def _days_still_there(self) -> Iterator[str]:
        there = [one for one in self.siblings if one.state is State.LIVE and one.ends > self.now]
        asks = self.policy is not None and self.policy.multi_day is MultiDay.ASK
        if there and asks:
            yield "Other days of the session are still there: if they stay, the learner is asked."

    def _keep(self) -> str:
        return f"To keep the seat: `reconciler answer {self._whose} keep`."

    def _held(self) -> Iterator[str]:
        row, suspicion = self.row, self.row.suspicion
        reason = suspicion.hold_reason
        since = f" since {self.times.at(suspicion.held_since)}" if suspicion.held_since else ""
        yield f"Held{since}: {WHY_HELD[reason] if reason else 'the reason was not written down'}."
        if row.answer is Answer.KEEP:
            yield "The answer was to keep the seat: the event is put back in the next cycle."
            return
        if row.answer is Answer.GIVE_BACK:
            yield "It was let go: the seat is given back once it is proven again that the event is gone."
            return
        if reason is HoldReason.FLEET_GUARD:
            yield "Nobody loses the seat until an operator decides."
            yield (
                "To look again at all that is held so, and let go: `reconciler release --guard "
                f"{Guard.FLEET}`; to put all of it back: the same with --restore."
            )
            return
        if self.policy is not None and suspicion.held_since is not None:
            until = min(suspicion.held_since + self.policy.hold_limit, row.starts - self.policy.near)
            yield f"Without an answer it is put back on {self.times.at(max(until, self.now))}."
        yield (
            f"To put it back now: `reconciler release {self._whose} --restore`; "
            f"to give the seat back: `reconciler release {self._whose}`."
        )

    # Parts ----------------------------------------------------------------------------------------

    @property
    def _whose(self) -> str:
        return f"{self.row.key.person} {self.row.key.session}"

    def _was_put_back(self) -> bool:
        return self.row.suspicion.put_back == str(self.row.digest)

    def _not_in_question(self) -> bool:
        return self.registration is None or self.registration.standing is not Standing.WANTED

    def _no_way_back(self) -> str | None:
        """Why deleting this event gives no seat back; ``None`` if it does."""
        one, policy = self.registration, self.policy
        if one is None:
            return "the LMS knows of no seat"
        if one.role is Role.INSTRUCTOR:
            return "instructors have no seat to give back"
        if policy is None:
            return "here, seats are not given back by deleting events"
        if policy.mode in (UnregisterMode.NEVER, UnregisterMode.REPORT):
            return f"seats are not given back (unregister.mode is {policy.mode})"
        if not one.seat:
            return "the LMS cannot tell one seat from the next"
        if removal_of(one, gives_back=True) is Removal.PUT_BACK:
            return "this seat may not be cancelled"
        until = one.session.cancel_until
        if until is not None and until <= self.now:
            return "the deadline for cancelling has passed"
        if said_nothing(one.session, self.row.digest):
            return "the event, as it was last written, does not say yet that it does"
        return None
