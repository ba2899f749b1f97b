"""What a simulated CalDAV server keeps, and in which ways it may be odd.

Each oddity is one that a real server has: Radicale, Xandikos, DAViCal, Cyrus and SOGo, probed in 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

_UNFOLD = re.compile(r"\r?\n[ \t]")


@dataclass(frozen=True)
class Oddities:
    """``heeds_conditions``: If-Match and If-None-Match mean something, ``heeds_updates``: and if only where
    what is there is written over. ``counts_etags``: an etag counts a resource's writes, and begins anew
    with it. ``unique_uids``: a UID is taken once in a calendar.
    ``bad_token``: what a sync token that is not known gets: an error of this status, or a full list.
    ``seconds``: tokens are seconds, and what changed in one of them is told again. ``tells_removed``: a first
    list names what was removed long ago too. ``truncates``: a wish for few results cuts the answer without a
    word. ``pads``: references have white space around them. ``omits``: of events asked for by name it
    leaves out those that are not there. ``filters``: a search by properties is heeded.
    ``resets``: each so-manieth request finds its connection closed."""

    heeds_conditions: bool = True
    heeds_updates: bool = True
    counts_etags: bool = False
    unique_uids: bool = True
    bad_token: Literal[403, 412, 207] = 403
    seconds: bool = False
    tells_removed: bool = False
    truncates: bool = False
    pads: bool = False
    omits: bool = False
    filters: bool = True
    resets: int = 0


RADICALE = Oddities(tells_removed=True)
XANDIKOS = Oddities(bad_token=412, truncates=True)
DAVICAL = Oddities(unique_uids=False, bad_token=207, pads=True, omits=True)
CYRUS = Oddities()
SOGO = Oddities(
    heeds_conditions=False, counts_etags=True, bad_token=207, seconds=True, filters=False, resets=67
)
WORST = Oddities(
    heeds_conditions=False,
    heeds_updates=False,
    counts_etags=True,
    unique_uids=False,
    bad_token=207,
    seconds=True,
    tells_removed=True,
    truncates=True,
    pads=True,
    omits=True,
    resets=23,
)
"""Everything at once, but that it can be searched: else no deletion could ever be proven."""


@dataclass(frozen=True)
class Resource:
    """An event as it lies there. ``change`` numbers the change that made it so."""

    text: str
    etag: str
    change: int
    made_at: datetime
    changed_at: datetime

    def prop(self, name: str) -> str:
        """The value of its first property of this name; empty without it."""
        found = re.search(rf"^{name}(?:;[^:\r\n]*)?:([^\r\n]*)", _UNFOLD.sub("", self.text), re.MULTILINE)
        return found[1] if found else ""

    def ends(self) -> datetime | None:
        """When it ends; ``None`` where it does not say."""
        found = re.search(r"^DTEND(?:;TZID=([^:;]+))?[^:]*:(\d{8})(T\d{6})?(Z?)", self.text, re.MULTILINE)
        if found is None:
            return None
        zone, day, time, utc = found.groups()
        wall = datetime.fromisoformat(day + (time or "T000000"))
        return wall.replace(tzinfo=UTC if utc or not zone else ZoneInfo(zone))


@dataclass
class Removed:
    """What was there: for how long lists may still show it is a matter of the account's lag."""

    last: Resource
    change: int
    at: datetime


@dataclass
class Collection:
    """A calendar. ``there`` and ``removed`` are by path."""

    path: str
    name: str
    there: dict[str, Resource] = field(default_factory=dict)
    removed: dict[str, Removed] = field(default_factory=dict)
    changes: int = 0
    tokens: set[str] = field(default_factory=set)


@dataclass
class Account:
    """A person's calendars. ``blind``: no list shows anything; ``absent``: nothing is found by its path
    either; ``alone``: only the first calendar is shown; ``lag``: how old lists are."""

    user: str
    calendars: dict[str, Collection] = field(default_factory=dict)
    blind: bool = False
    absent: bool = False
    alone: bool = False
    lag: timedelta = timedelta()


class Store:
    """Everybody's calendars. ``clock`` says when things happen."""

    def __init__(self, oddities: Oddities, clock: Callable[[], datetime]) -> None:
        self.oddities = oddities
        self.clock = clock
        self.accounts: dict[str, Account] = {}
        self._etags = 0

    def add_calendar(self, user: str, name: str) -> str:
        """A new calendar: its path."""
        account = self.accounts.setdefault(user, Account(user))
        path = f"/{user}/{name}/"
        account.calendars[path] = Collection(path, name)
        return path

    def calendar(self, path: str) -> Collection | None:
        """The calendar at this path, or in which this path lies."""
        account = self.accounts.get(path.split("/")[1])
        return account.calendars.get(path.rpartition("/")[0] + "/") if account else None

    def put(self, path: str, text: str) -> Resource:
        """Write, whatever is there."""
        here, now = self.calendar(path), self.clock()
        assert here is not None
        old = here.there.get(path)
        if old is not None and old.text == text and not self.oddities.counts_etags:
            return old
        here.changes += 1
        here.removed.pop(path, None)
        made = Resource(text, self._etag(old), here.changes, old.made_at if old else now, now)
        here.there[path] = made
        return made

    def delete(self, path: str) -> None:
        """Remove what is there."""
        here = self.calendar(path)
        assert here is not None
        here.changes += 1
        here.removed[path] = Removed(here.there.pop(path), here.changes, self.clock())

    def shown(self, account: Account, here: Collection) -> dict[str, Resource]:
        """What lists show of a calendar."""
        if account.blind:
            return {}
        if not account.lag:
            return here.there
        since = self.clock() - account.lag
        old = {path: one.last for path, one in here.removed.items() if one.at > since}
        return old | {path: one for path, one in here.there.items() if one.made_at <= since}

    def latest(self, account: Account, here: Collection) -> int:
        """The number of the last change that lists know of."""
        if not account.lag:
            return here.changes
        since = self.clock() - account.lag
        there = [one.change for one in here.there.values() if one.changed_at <= since]
        return max(there + [one.change for one in here.removed.values() if one.at <= since], default=0)

    def _etag(self, old: Resource | None) -> str:
        if self.oddities.counts_etags:
            return f'"gcs{int(old.etag[4:-1]) + 1 if old else 0:08}"'
        self._etags += 1
        return f'"{self._etags}"'
