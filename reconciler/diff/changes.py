"""What a plan is made of. Data only: frozen, printable, in the order in which they are applied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from reconciler.diff.fields import Field
from reconciler.model import ActualEvent, DesiredEvent, EventKey, LedgerEntry


class Cause(StrEnum):
    """Why something is written."""

    LMS = "lms"  # the LMS changed
    DRIFT = "drift"  # the calendar was edited
    REPAIR = "repair"  # an earlier write did not end, or the state was lost
    RECONNECT = "reconnect"  # a new baseline
    REWRITE = "rewrite"  # a new template or link: no news, spare quota only


@dataclass(frozen=True, slots=True)
class Create:
    """Make the event. ``search`` looks for the key everywhere first (a next generation); ``again`` repeats
    a create whose fate is unknown."""

    key: EventKey
    cause: Cause
    event: DesiredEvent
    entry: LedgerEntry | None
    generation: int
    search: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """The row takes the event that is there. ``ask_first`` is a recorded id to be asked for before
    another one is taken. ``differs`` are the managed fields to be put right."""

    key: EventKey
    cause: Cause
    event: DesiredEvent
    entry: LedgerEntry | None
    actual: ActualEvent
    differs: frozenset[Field]
    ask_first: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """Put the managed fields right; everything else stays its owner's. ``actual`` is ``None`` when it was
    not looked at: then the recorded etag is used."""

    key: EventKey
    cause: Cause
    event: DesiredEvent
    entry: LedgerEntry
    actual: ActualEvent | None
    differs: frozenset[Field]

    @property
    def known(self) -> ActualEvent:
        """What it is about, as it was read or as the ledger knows it: enough for a conditional write. The
        block is given where it is known to need no change."""
        entry = self.entry
        if self.actual is not None:
            return self.actual
        return ActualEvent(
            event_id=entry.event_id or "",
            calendar_id=entry.calendar_id or "",
            etag=entry.etag or "",
            marker=None,
            made_as=None,
            title="",
            location="",
            block=None if Field.BLOCK in self.differs else self.event.content.block,
            day=None,
        )


@dataclass(frozen=True, slots=True)
class Take:
    """The row takes note of the event as it is (live again, another seat, another etag); no vendor call."""

    key: EventKey
    cause: Cause
    event: DesiredEvent
    entry: LedgerEntry
    actual: ActualEvent


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the event of a row, by the id recorded or seen: one that we made."""

    key: EventKey
    cause: Cause
    entry: LedgerEntry
    event_id: str
    calendar_id: str
    etag: str | None


@dataclass(frozen=True, slots=True)
class DeleteSurplus:
    """Delete an event that we made and nobody needs: an orphan (no row), or a twin beside its row's event."""

    key: EventKey
    cause: Cause
    entry: LedgerEntry | None
    actual: ActualEvent


@dataclass(frozen=True, slots=True)
class FinishRemoval:
    """Repeat the deletes that were intended and not confirmed."""

    key: EventKey
    cause: Cause
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class Forget:
    """The row becomes ``gone``. ``search``: once the key is in no calendar that the grant shows."""

    key: EventKey
    cause: Cause
    entry: LedgerEntry
    search: bool


@dataclass(frozen=True, slots=True)
class MarkMissing:
    """The event has vanished: a suspicion, with its time."""

    key: EventKey
    cause: Cause
    entry: LedgerEntry
    since: datetime


Change = Create | Adopt | Update | Take | Delete | DeleteSurplus | FinishRemoval | Forget | MarkMissing

DELETING = (Delete, DeleteSurplus, FinishRemoval, Forget)
"""What a strange reading of the LMS must never cause, and what `upsert-only` leaves out."""


def starts_of(change: Change) -> datetime:
    """When the event that a change concerns starts, as an instant."""
    match change:
        case Create() | Adopt() | Update() | Take():
            return change.event.day.start_instant
        case DeleteSurplus():
            return change.actual.day.start_instant if change.actual.day else datetime.max.replace(tzinfo=UTC)
        case _:
            return change.entry.starts


_NAMES: dict[type, str] = {
    Create: "create",
    Adopt: "adopt",
    Update: "update",
    Take: "take",
    Delete: "delete",
    DeleteSurplus: "delete",
    FinishRemoval: "delete",
    Forget: "forget",
    MarkMissing: "missing",
}


def name_of(change: Change) -> str:
    """The change's name in metrics and plans."""
    return _NAMES[type(change)]


_TEXTS = frozenset({Field.TITLE, Field.LOCATION, Field.BLOCK})


def named(fields: frozenset[Field]) -> str:
    """Fields that were seen to differ, for people: our part of the description is called text."""
    return ", ".join(sorted("text" if one is Field.BLOCK else one.value for one in fields))


def differing(change: Adopt | Update) -> str:
    """What a change puts right, for people. Where the event was not looked at, digests alone differ, and
    they do not tell one text from another."""
    unseen = isinstance(change, Update) and change.actual is None
    if unseen and change.differs & _TEXTS:
        return ", ".join(sorted({"text", *(change.differs - _TEXTS)}))
    return named(change.differs)
