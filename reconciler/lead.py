"""Which of several schedulers works: the one that leads by the state database. The others stand by."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.errors import StateUnreadable
from reconciler.ledger.handing import Leader
from reconciler.owner import is_dead

log = logging.getLogger(__name__)

TERM = 30.0
"""Seconds without a sign of life after which another scheduler takes over."""


class Lead:
    """The lead of one scheduler, or its wait for it: kept while the context lasts. ``take`` tries to lead for
    so many seconds and tells who does; ``end`` ends somebody's lead."""

    def __init__(
        self, owner: str, take: Callable[[float], Leader], end: Callable[[str], None], term: float = TERM
    ) -> None:
        self._owner, self._take, self._end, self._term = owner, take, end, term
        self._until = 0.0
        self._leader = ""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="lead", daemon=True)

    def __enter__(self) -> Lead:
        self.renew()
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._keeper.join()
        try:
            self._end(self._owner)
        except StateUnreadable as problem:
            log.warning("the lead could not be handed on, it runs out in %.0f s: %s", self._term, problem)

    def held(self) -> bool:
        """Whether this one is to work."""
        return time.monotonic() < self._until

    def described(self) -> str:
        """How it stands, for people."""
        return "leads" if self.held() else f"stands by; {self._leader or 'nobody'} leads"

    def renew(self) -> None:
        """Take the lead, or keep it; says in the log when that changes."""
        with self._lock:
            begun, led, before = time.monotonic(), self.held(), self._leader
            try:
                self._leader = self._asked()
            except StateUnreadable:
                return  # whoever leads says so in each cycle
            if self._leader == self._owner:
                self._until = begun + self._term
                if not led:
                    log.info("this scheduler leads")
            else:
                self._until = 0.0
                if self._leader != before:
                    log.info("this scheduler stands by: %s leads", self._leader)

    def _asked(self) -> str:
        leader = self._take(self._term).owner
        if leader != self._owner and is_dead(leader):
            self._end(leader)
            leader = self._take(self._term).owner
        return leader

    def _keep(self) -> None:
        while not self._over.wait(self._term / 6):
            self.renew()


class HasTime(Protocol):
    """What knows the time that all processes share; raises ``StateUnreadable``."""

    def time(self) -> datetime: ...


class SharedClock:
    """The database's time: the clocks of several machines may differ by minutes. Asked once a minute; between
    that this machine's own clock, and for as long as the database cannot be used, is corrected by the
    difference."""

    def __init__(self, database: HasTime, here: Callable[[], datetime]) -> None:
        self._database, self._here = database, here
        self._ahead = timedelta(0)
        self._asked: float | None = None
        self._told = False

    def __call__(self) -> datetime:
        if self._asked is None or time.monotonic() - self._asked > 60:
            self._ask()
        return self._here() + self._ahead

    def _ask(self) -> None:
        self._asked = time.monotonic()
        try:
            before = self._here()
            there = self._database.time()
        except StateUnreadable:
            return
        self._ahead = there - before
        apart = abs(self._ahead.total_seconds())
        if apart > 5 and not self._told:
            log.warning(
                "this machine's clock and the state database's are %.0f s apart: the database's is taken. "
                "Let NTP set both.",
                apart,
            )
        self._told = apart > 5
