"""What a plan may not do: the rails. Per person, by mode and holds; and over the whole fleet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reconciler.diff.changes import DELETING, Change, DeleteSurplus
from reconciler.diff.plan import Plan
from reconciler.model import Mode, State


@dataclass(frozen=True, slots=True)
class Allowed:
    """A plan's changes after the guards: what may go ahead, what a guard holds, what the mode leaves out."""

    changes: tuple[Change, ...]
    held: tuple[Change, ...] = ()
    left_out: tuple[Change, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether everything planned may go ahead."""
        return not self.held and not self.left_out


def allow(plan: Plan, mode: Mode, account_held: bool, may_delete: bool) -> Allowed:
    """What of this plan may go ahead.

    ``account_held``: too many sessions of the account have vanished, so nothing that vanished without
    trace is deleted. ``may_delete``: this reading of the LMS is the one that the scan saw. A second event
    beside the one that stays depends on no reading.
    """
    if mode is Mode.OBSERVE:
        return Allowed((), left_out=plan.changes)
    allowed: list[Change] = []
    held: list[Change] = []
    left_out: list[Change] = []
    for change in plan.changes:
        if not isinstance(change, DELETING):
            allowed.append(change)
        elif mode is Mode.UPSERT_ONLY:
            left_out.append(change)
        elif (account_held and change.key.session in plan.vanished) or (not may_delete and not _twin(change)):
            held.append(change)
        else:
            allowed.append(change)
    return Allowed(tuple(allowed), tuple(held), tuple(left_out))


def _twin(change: Change) -> bool:
    """Whether this deletes a second event, and the row's own is there and stays."""
    beside = change.entry if isinstance(change, DeleteSurplus) else None
    return beside is not None and beside.state is State.LIVE


@dataclass(frozen=True, slots=True)
class DeleteGuard:
    """When sessions that vanished without trace are held instead of deleted."""

    max_share: float = 0.30
    min_sessions: int = 5


@dataclass(frozen=True, slots=True)
class Vanished:
    """Sessions of one account that have events of ours and of which the LMS shows no trace."""

    account: str
    sessions: frozenset[str]
    of: int


def too_many_vanished(
    upcoming: Mapping[str, Mapping[str, int]],
    present: Mapping[str, Collection[str]],
    crowd: Mapping[str, int],
    guard: DeleteGuard,
) -> list[Vanished]:
    """The accounts of which too many sessions have vanished without trace at once.

    ``upcoming``: sessions still to come in which we have events, by account, with the number of people;
    ``present``: the sessions the LMS shows, by account; ``crowd``: registrations of any status per
    session. A session that had two people or more and has nobody any more counts as vanished: an LMS
    that lost its registrations looks like that.
    """
    found = []
    for account, sessions in sorted(upcoming.items()):
        known = present.get(account, ())
        vanished = frozenset(
            session
            for session, people in sessions.items()
            if session not in known or (people >= 2 and not crowd.get(session))
        )
        if len(vanished) >= guard.min_sessions and len(vanished) > guard.max_share * len(sessions):
            found.append(Vanished(account, vanished, len(sessions)))
    return found
