"""What happened in a cycle: for its one sentence, for the metrics, and how long people have been waiting."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.diff.changes import Cause
from reconciler.labels import Provider, Unregistered
from reconciler.metrics import Metrics
from reconciler.turn import TurnReport

_NOBODY = {
    "push": "no calendar is connected",
    "audit": "no calendar is due to be looked at",
    "confirm": "no event has vanished",
}
_ALWAYS = {"upkeep": "nothing idle, nothing past its time", "mail": "nobody is to be told anything"}
"""Cycles whose people are not counted in their sentence."""
_CHANGES = {
    "create": "created",
    "adopt": "adopted",
    "update": "updated",
    "take": "noted as seen",
    "delete": "deleted",
    "forget": "forgotten",
}
_RESULTS = {"retried": "not {} at the first attempt", "refused": "not {} (refused)", "failed": "not {}"}
_PHRASES = {
    "missing ok": "{event} vanished",
    "grace begun": "time of grace begun for {seat}",
    "given back": "{seat} given back",
    "found again": "{event} found again",
    "put back": "{event} put back",
    "failed to put back": "{event} not put back yet",
    "dismissed": "{event} left away",
    "held": "{seat} held",
    "refused": "{seat} not given back: refused by the LMS",
    "lost": "{seat} gone already",
    "still there": "{seat} still there, looked at again",
    "unknown": "{seat} without an answer from the LMS yet",
    "unresolved": "{seat} without an answer from the LMS yet",
    "LMS not reached": "{seat} not given back yet: the LMS cannot be reached",
    "open": "{count} of them to be looked at again",
    "failed": "{count} of them failed",
    "parked": "{count} of them with a connection that does not work any more",
    "throttled": "{count} of them waiting for the vendor's quota",
    "put off": "{person} put off to the next push",
    "taken": "{count} of them left to another process",
    "skipped": "{count} of them skipped, as their vendor is down",
    "exception": "{count} of them ended by an unforeseen error",
    "mail sent": "{mail} sent",
    "mail planned": "{mail} planned",
    "mail superseded": "{mail} superseded before it was sent",
    "mail refused": "{mail} refused by the server",
    "mail deferred": "{mail} to be tried again",
    "mail unknown": "{mail} of which nobody knows whether it was sent",
    "mail dropped": "{mail} dropped as pointless",
    "mail held": "{mail} held, as many sessions vanished at once",
    "mail over the limit": "{mail} over the day's limit",
    "mail unreached": "the mail server not reached {count} times",
    "refreshed": "idle grant of {person} used, to keep it alive",
    "gone": "{person} gone from the LMS",
    "forgotten": "{person} forgotten",
    "purged": "{row} past their time deleted",
}
_PLACES = {what: place for place, what in enumerate(_PHRASES)}
_SAID_OTHERWISE = {"people", "idle", "changed", *(f"{one} events desired" for one in Provider)} | {
    f"{change} {result}" for change in _CHANGES for result in ("ok", *_RESULTS)
}

QUOTA, DESIRED = "% of {} quota, {}", "{} events desired"
"""What a cycle's record says besides its counts, for `status`: of a provider and a window, of a provider."""

_CAME_OF_IT = {
    "given back": Unregistered.DONE,
    "held": Unregistered.HELD,
    "put back": Unregistered.RESTORED,
    "refused": Unregistered.REFUSED,
    **dict.fromkeys(("LMS not reached", "unknown", "failed to put back"), Unregistered.ERROR),
}
"""Of the confirm pass's notes, those that say what a deletion came to."""

_TROUBLE = ("failed", "exception", "parked", "skipped", "mail unreached", "unknown", "LMS not reached")


@dataclass
class Tally:
    """The sum of the turns of one cycle. Threads may add to it at the same time. ``touched`` are the people
    for whom something was done."""

    counts: Counter[str] = field(default_factory=Counter)
    touched: int = 0
    held: int = 0
    changes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    unregistrations: Counter[tuple[str, str]] = field(default_factory=Counter)
    drift: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, reports: Sequence[TurnReport]) -> None:
        """Count the turns of one batch."""
        with self._lock:
            for report in reports:
                self._count(report)

    def count_all(self, outcomes: Mapping[str, int]) -> None:
        """Count what was done besides turns."""
        with self._lock:
            self.counts.update({what: count for what, count in outcomes.items() if count})
            self.held += bool(outcomes.get("mail held") or outcomes.get("mail over the limit"))

    def _count(self, report: TurnReport) -> None:
        self.counts[report.outcome] += 1
        self.held += bool(report.held)
        self.touched += any(done.change != "missing" for done in report.done)
        self.counts.update(report.notes)
        if report.provider:
            came = [_CAME_OF_IT[note] for note in report.notes if note in _CAME_OF_IT]
            self.unregistrations.update((report.provider, outcome) for outcome in came)
        for done in report.done:
            self.counts[f"{done.change} {done.result}"] += 1
            if report.provider:
                self.changes[report.provider, done.change, done.cause, done.result] += 1
        if report.provider and report.looked and report.drift:
            self.drift[report.provider].update(report.drift)

    def record(self, metrics: Metrics, looked: bool) -> None:
        """Tell the metrics; the drift only after a cycle that looked at calendars."""
        for change, count in self.changes.items():
            for _ in range(count):
                metrics.change(*change)
        for unregistration, count in self.unregistrations.items():
            for _ in range(count):
                metrics.unregistration(*unregistration)
        for _ in range(self.counts["exception"]):
            metrics.contained_exception()
        if looked:
            for provider, kinds in self.drift.items():
                metrics.drift(provider, kinds)

    def result(self) -> str:
        """success, partial (somebody failed) or held."""
        if any(self.counts[outcome] for outcome in _TROUBLE):
            return "partial"
        return "held" if self.held else "success"

    def sentence(self, name: str) -> str:
        """What the daemon thinks, in one line."""
        return f"{name}: {told(name, self.counts, self.touched)}"


def standing(quotas: Mapping[tuple[str, str], float]) -> dict[str, int]:
    """The share of each quota that is used, by provider and window, in per cent."""
    return {QUOTA.format(*which): round(100 * used) for which, used in quotas.items()}


class Pending:
    """Since when people have been waiting for their calendar to follow the LMS. In memory: for metrics.

    A change is counted from the last reading of the LMS that did not have it yet: by up to one interval too
    long, or by as long as the LMS could not be read, and never too short.
    """

    def __init__(self) -> None:
        self._since: dict[str, tuple[datetime, str]] = {}
        self._read: datetime | None = None
        self._lock = threading.Lock()

    def due(
        self, whose: Mapping[str, str], now: datetime, read_before: Callable[[], datetime | None]
    ) -> None:
        """The people, each with a provider, that differ from what was last applied; whoever is not among
        them waits no more. ``read_before`` tells when another process last read the LMS whole."""
        with self._lock:
            new = self._read or read_before() or now
            known, same = self._since, dict[tuple[datetime, str], tuple[datetime, str]]()
            self._since = {}
            for person, provider in whose.items():
                entry = (known[person][0] if person in known else new, provider)
                self._since[person] = same.setdefault(entry, entry)  # of a first fill's 200,000, one each
            self._read = now

    def settle(self, reports: Sequence[TurnReport], now: datetime, metrics: Metrics) -> None:
        """These turns have ended; those that changed something in time for the LMS are measured."""
        with self._lock:
            for report in reports:
                in_place = report.outcome in ("changed", "idle") or (
                    report.outcome == "open" and not report.behind
                )
                if report.person not in self._since or not in_place:
                    continue
                since, provider = self._since.pop(report.person)
                if any(done.cause == Cause.LMS and done.result == "ok" for done in report.done):
                    metrics.propagated(provider, (now - since).total_seconds())

    def oldest(self, provider: str, now: datetime) -> float:
        """Seconds since the longest-waiting person of this provider became due; 0 if nobody waits."""
        with self._lock:
            waiting = [since for since, whose in self._since.values() if whose == provider]
        return max(((now - since).total_seconds() for since in waiting), default=0.0)


COUNTED_ALWAYS = 50_000
"""A ledger of so many events is counted after every cycle."""
_A_COUNTED_EVENT = timedelta(microseconds=100)


class Census:
    """The ledger's events by provider and state, counted again only so often that it costs next to nothing:
    beyond :data:`COUNTED_ALWAYS` an event more makes a count good for a ten-thousandth of a second longer."""

    def __init__(self) -> None:
        self._counts: Mapping[tuple[str, str], int] = {}
        self._good: tuple[datetime, datetime] | None = None  # from, until
        self._lock = threading.Lock()

    def of(
        self, count: Callable[[datetime], Mapping[tuple[str, str], int]], now: datetime
    ) -> Mapping[tuple[str, str], int]:
        """What ``count`` says now, or said a while ago."""
        with self._lock:
            if self._good is None or not self._good[0] <= now < self._good[1]:
                self._counts = count(now)
                beyond = sum(self._counts.values()) - COUNTED_ALWAYS
                self._good = (now, now + max(0, beyond) * _A_COUNTED_EVENT)
            return self._counts


# The sentence -------------------------------------------------------------------------------------


def told(cycle: str, counts: Mapping[str, int], touched: int) -> str:
    """The sentence for one cycle. ``counts`` are those of its tally; ``people`` among them is how many were
    compared, and ``touched`` for how many of them something was done."""
    people = counts.get("people", 0)
    if cycle in _ALWAYS:
        return "; ".join(_phrases(counts)) or _ALWAYS[cycle]
    if not people:
        return _NOBODY.get(cycle, "nobody concerned")
    made = ", ".join(_made(counts))
    first = _number(people, "person")
    if made:
        changed = first if touched == people else f"{touched} of {first}"
        first = f"{changed} changed: {made}"
    parts = [first, *_phrases(counts)]
    return "; ".join(parts) if len(parts) > 1 or made else f"{first}, nothing to do"


def _made(counts: Mapping[str, int]) -> Iterator[str]:
    for change, participle in _CHANGES.items():
        if count := counts.get(f"{change} ok"):
            yield f"{count} {participle}"
        for result, phrase in _RESULTS.items():
            if count := counts.get(f"{change} {result}"):
                yield f"{count} {phrase.format(participle)}"


def _phrases(counts: Mapping[str, int]) -> Iterator[str]:
    """What happened besides changes: first to seats and events, then to people, then what has no phrase."""
    for what in sorted(counts, key=lambda name: (_PLACES.get(name, len(_PLACES)), name)):
        if counts[what] and what not in _SAID_OTHERWISE:
            count = counts[what]
            numbers = {noun: _number(count, noun) for noun in ("person", "event", "seat", "row", "mail")}
            yield _PHRASES.get(what, f"{count} {what}").format(count=count, **numbers)


def _number(count: int, noun: str) -> str:
    if noun == "person":
        return f"{count} person" if count == 1 else f"{count} people"
    return f"{count} {noun}{'' if count == 1 else 's'}"
