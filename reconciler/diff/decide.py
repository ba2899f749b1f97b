"""The truth table for one person and one slot.

``desired``: no, same (the seat the row has), newer (another seat than the row's), keep.
``actual``: yes (present), no (a complete listing lacks it), ``?`` (not looked at: a push pass).
``digest``: what would be written against what was last written: equal, changed, moved (start or end).
*seat* is same or newer; *open* is pending, live, missing, held or dismissed; ``*`` is any.

=========  =============================  ======  ==============  =====================
desired    ledger                         actual  digest          verdict
=========  =============================  ======  ==============  =====================
\\*         removing                       \\*      \\*               FINISH_REMOVAL
\\*         unregistering                  \\*      \\*               RESOLVE_UNREGISTERING
keep       any other                      \\*      \\*               NOTHING
no         none, released                 no, ?   \\*               NOTHING
no         none, released                 yes     \\*               DELETE_ORPHAN
seat       none, released                 ?       \\*               LOOK
seat       none, released                 no      \\*               CREATE
seat       none, released                 yes     \\*               ADOPT
seat       pending                        no, ?   \\*               CREATE_AGAIN
seat       pending                        yes     \\*               ADOPT
seat       live, missing, held, dismissed yes     \\*               TAKE
same       live                           ?       equal           NOTHING
same       live                           ?       changed, moved  UPDATE
same       live                           no      equal, changed  MARK_MISSING
same       live                           no      moved           CREATE_NEXT
same       missing                        no, ?   equal, changed  LEAVE_TO_CONFIRM
same       held                           no, ?   equal, changed  WAIT_HELD
same       missing, held                  no      moved           CREATE_NEXT
same       missing, held                  ?       moved           LOOK
newer      live, missing, held            no      \\*               CREATE_NEXT
newer      live, missing, held            ?       \\*               LOOK
same       dismissed                      no, ?   equal           NOTHING
same       dismissed                      no      changed, moved  CREATE_NEXT
same       dismissed                      ?       changed, moved  LOOK
newer      dismissed                      no      \\*               CREATE_NEXT
newer      dismissed                      ?       \\*               LOOK
no         open, gone, unregistered       yes     \\*               DELETE
no         open                           no      \\*               FORGET
no         open                           ?       \\*               DELETE_BY_ID
no         gone, unregistered             no, ?   \\*               NOTHING
seat       gone                           yes     \\*               ADOPT
seat       gone                           no      \\*               CREATE_NEXT
seat       gone                           ?       \\*               LOOK
same       unregistered                   \\*      \\*               WAIT_UNREGISTERED
newer      unregistered                   yes     \\*               ADOPT
newer      unregistered                   no      \\*               CREATE_NEXT
newer      unregistered                   ?       \\*               LOOK
=========  =============================  ======  ==============  =====================

Total and without overlap; loading this module fails otherwise.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product

from reconciler.model import State


class Wish(StrEnum):
    """What the LMS asks for this slot."""

    NO = "no"
    SAME = "same"
    NEWER = "newer"
    KEEP = "keep"


class Sight(StrEnum):
    """What was seen in the calendar."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "?"


class News(StrEnum):
    """What would be written against what was last written."""

    EQUAL = "equal"
    CHANGED = "changed"
    MOVED = "moved"


class Verdict(StrEnum):
    """What follows; the words of the table above."""

    NOTHING = "nothing"
    LOOK = "look first"
    CREATE = "create"
    CREATE_AGAIN = "create again, same id"
    CREATE_NEXT = "create, next generation"
    ADOPT = "adopt; update if it differs"
    TAKE = "live; update if it differs; the row takes the newer seat"
    UPDATE = "update with the known etag"
    MARK_MISSING = "missing, with the time"
    LEAVE_TO_CONFIRM = "left to the confirm pass"
    WAIT_HELD = "waits for the person or an operator"
    WAIT_UNREGISTERED = "wait, at most an hour, then as newer"
    DELETE = "delete, if we made it"
    DELETE_BY_ID = "delete by id"
    DELETE_ORPHAN = "delete the orphan, at its second sight"
    FORGET = "forget"
    FINISH_REMOVAL = "finish the removal, then look again"
    RESOLVE_UNREGISTERING = "resolve the un-registration after its deadline"


_STATES = tuple(State)
_OLD = (State.NONE, State.RELEASED)
_OPEN = (State.PENDING, State.LIVE, State.MISSING, State.HELD, State.DISMISSED)
_WAITING = (State.MISSING, State.HELD)
_OTHERS = tuple(state for state in State if state not in (State.REMOVING, State.UNREGISTERING))
_ANY = tuple(Wish)
_NO, _SAME, _NEWER, _KEEP = ((wish,) for wish in (Wish.NO, Wish.SAME, Wish.NEWER, Wish.KEEP))
_SEAT = (Wish.SAME, Wish.NEWER)
_SEEN, _LACKING, _UNSEEN = ((sight,) for sight in Sight)
_NOT_SEEN = (Sight.NO, Sight.UNKNOWN)
_ALL_SIGHTS = tuple(Sight)
_ALL_NEWS = tuple(News)
_EQUAL, _MOVED = (News.EQUAL,), (News.MOVED,)
_NOT_MOVED = (News.EQUAL, News.CHANGED)
_NEWS = (News.CHANGED, News.MOVED)

Row = tuple[Verdict, tuple[Wish, ...], tuple[State, ...], tuple[Sight, ...], tuple[News, ...]]

TABLE: tuple[Row, ...] = (
    (Verdict.FINISH_REMOVAL, _ANY, (State.REMOVING,), _ALL_SIGHTS, _ALL_NEWS),
    (Verdict.RESOLVE_UNREGISTERING, _ANY, (State.UNREGISTERING,), _ALL_SIGHTS, _ALL_NEWS),
    (Verdict.NOTHING, _KEEP, _OTHERS, _ALL_SIGHTS, _ALL_NEWS),
    (Verdict.NOTHING, _NO, _OLD, _NOT_SEEN, _ALL_NEWS),
    (Verdict.DELETE_ORPHAN, _NO, _OLD, _SEEN, _ALL_NEWS),
    (Verdict.LOOK, _SEAT, _OLD, _UNSEEN, _ALL_NEWS),
    (Verdict.CREATE, _SEAT, _OLD, _LACKING, _ALL_NEWS),
    (Verdict.ADOPT, _SEAT, _OLD, _SEEN, _ALL_NEWS),
    (Verdict.CREATE_AGAIN, _SEAT, (State.PENDING,), _NOT_SEEN, _ALL_NEWS),
    (Verdict.ADOPT, _SEAT, (State.PENDING,), _SEEN, _ALL_NEWS),
    (Verdict.TAKE, _SEAT, (State.LIVE, *_WAITING, State.DISMISSED), _SEEN, _ALL_NEWS),
    (Verdict.NOTHING, _SAME, (State.LIVE,), _UNSEEN, _EQUAL),
    (Verdict.UPDATE, _SAME, (State.LIVE,), _UNSEEN, _NEWS),
    (Verdict.MARK_MISSING, _SAME, (State.LIVE,), _LACKING, _NOT_MOVED),
    (Verdict.CREATE_NEXT, _SAME, (State.LIVE,), _LACKING, _MOVED),
    (Verdict.LEAVE_TO_CONFIRM, _SAME, (State.MISSING,), _NOT_SEEN, _NOT_MOVED),
    (Verdict.WAIT_HELD, _SAME, (State.HELD,), _NOT_SEEN, _NOT_MOVED),
    (Verdict.CREATE_NEXT, _SAME, _WAITING, _LACKING, _MOVED),
    (Verdict.LOOK, _SAME, _WAITING, _UNSEEN, _MOVED),
    (Verdict.CREATE_NEXT, _NEWER, (State.LIVE, *_WAITING), _LACKING, _ALL_NEWS),
    (Verdict.LOOK, _NEWER, (State.LIVE, *_WAITING), _UNSEEN, _ALL_NEWS),
    (Verdict.NOTHING, _SAME, (State.DISMISSED,), _NOT_SEEN, _EQUAL),
    (Verdict.CREATE_NEXT, _SAME, (State.DISMISSED,), _LACKING, _NEWS),
    (Verdict.LOOK, _SAME, (State.DISMISSED,), _UNSEEN, _NEWS),
    (Verdict.CREATE_NEXT, _NEWER, (State.DISMISSED,), _LACKING, _ALL_NEWS),
    (Verdict.LOOK, _NEWER, (State.DISMISSED,), _UNSEEN, _ALL_NEWS),
    (Verdict.DELETE, _NO, (*_OPEN, State.GONE, State.UNREGISTERED), _SEEN, _ALL_NEWS),
    (Verdict.FORGET, _NO, _OPEN, _LACKING, _ALL_NEWS),
    (Verdict.DELETE_BY_ID, _NO, _OPEN, _UNSEEN, _ALL_NEWS),
    (Verdict.NOTHING, _NO, (State.GONE, State.UNREGISTERED), _NOT_SEEN, _ALL_NEWS),
    (Verdict.ADOPT, _SEAT, (State.GONE,), _SEEN, _ALL_NEWS),
    (Verdict.CREATE_NEXT, _SEAT, (State.GONE,), _LACKING, _ALL_NEWS),
    (Verdict.LOOK, _SEAT, (State.GONE,), _UNSEEN, _ALL_NEWS),
    (Verdict.WAIT_UNREGISTERED, _SAME, (State.UNREGISTERED,), _ALL_SIGHTS, _ALL_NEWS),
    (Verdict.ADOPT, _NEWER, (State.UNREGISTERED,), _SEEN, _ALL_NEWS),
    (Verdict.CREATE_NEXT, _NEWER, (State.UNREGISTERED,), _LACKING, _ALL_NEWS),
    (Verdict.LOOK, _NEWER, (State.UNREGISTERED,), _UNSEEN, _ALL_NEWS),
)

Case = tuple[Wish, State, Sight, News]


def _spread(table: tuple[Row, ...]) -> dict[Case, Verdict]:
    """Every combination with its verdict; raises if one is missing or has two."""
    spread: dict[Case, Verdict] = {}
    for verdict, wishes, states, sights, news in table:
        for case in product(wishes, states, sights, news):
            if case in spread:
                raise ValueError(f"two rows of the truth table speak of {case}")
            spread[case] = verdict
    missing = [case for case in product(Wish, _STATES, Sight, News) if case not in spread]
    if missing:
        raise ValueError(f"no row of the truth table speaks of {missing}")
    return spread


_VERDICTS = _spread(TABLE)


def decide(wish: Wish, state: State, sight: Sight, news: News) -> Verdict:
    """The one row of the table that speaks of this case."""
    return _VERDICTS[wish, state, sight, news]
