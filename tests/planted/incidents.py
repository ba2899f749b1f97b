"""What other programs that do this job are reported to get wrong, and the planted bugs that do the same here.

The names are those of the plants; the numbers are only for speaking of them.
"""

from __future__ import annotations

INCIDENTS: dict[int, tuple[str, ...]] = {
    1: (  # a read that failed, or was cut short, is taken for "nothing there"
        "a read of the LMS that fails ends the cycle",
        "a partial listing of Google's is an error",
        "many sessions vanished without trace are held",
    ),
    2: (  # a vendor says "removed" of what lies elsewhere
        "the event is asked for by its id",
        "the event is looked for in every calendar",
    ),
    3: (  # our own delete comes back as the owner's
        "every id is doomed in the ledger before its delete goes out",
        "the absence of an id that we doomed is never evidence",
    ),
    4: (  # the loss of a whole account is read as many deletions
        "a lost mailbox suspends its connection",
        "every calendar of a vendor empty at once is held",
        "several seats of one person at once are held",
    ),
    5: (  # a creation without an answer is made twice
        "a create whose answer was lost is repeated under the same id",
        "a repeated create at Microsoft makes no second event",
    ),
    6: (  # people are mailed by the vendor, or told of the past
        "nobody is invited or told by Google",
        "a past day is left as it is",
    ),
    7: (  # what its owner deleted comes back
        "row 14: a live event that a complete listing lacks is missing with the time",
        "row 22: a dismissed event stays away while the session stays as it is",
    ),
    8: ("a token that a CalDAV server refuses has everything listed anew",),
    9: ("a create under a used id goes on to the next one, and proves nothing",),
    10: (  # moved or copied by its owner
        "the recorded id wins over a copy",
        "a row outside the default calendar is looked up by its id in each audit",
    ),
    11: ("no request before the time that Microsoft states", "one person's quota stops nobody else"),
    12: ("one failing person stops nobody else", "one refused event stops no other"),
    13: ("only a dead grant parks a connection", "a dead grant parks its connection"),
    14: (  # zones, and the hour that comes twice
        "an unknown time zone refuses its session",
        "a time that occurs twice is sent to Microsoft in UTC",
    ),
    15: ("days are matched by their time, not by their place",),
    16: ("mail.invitations: gaps",),
    17: ("what is open is not recorded as applied",),
    18: (  # what is deleted was never ours
        "an event whose key names another person is foreign",
        "a copy that its owner made is never deleted",
    ),
    19: (  # our state is lost, or an old copy
        "a state restored from an old copy is recognised",
        "a state whose witness is gone is a restored one",
    ),
    20: ("a row takes the newer seat", "several changes within minutes are one message"),
    21: ("an idle cycle writes nothing", "white space that vendors change is no drift"),
    22: ("every page of Microsoft's is read",),
    23: ("the nearer a session the more often its calendar is looked at",),  # looking is the truth, no hint
    24: (  # runs that overlap
        "every commit proves the lease's epoch",
        "every commit proves that the lease has not run out",
    ),
    25: (  # whose seat it is, and whether it may be given back
        "somebody else under the same id of the LMS gets nothing",
        "only an active seat is given back",
        "once a session has begun nobody is un-registered",
        "a 403 is no deleted event",
    ),
}
