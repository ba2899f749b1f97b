"""What happened in a cycle: for its one sentence, for the metrics, and how long people have been waiting."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.diff.changes import Adopt, Cause, Create, MarkMissing, Update
from reconciler.diff.plan import Plan
from reconciler.metrics import Metrics
from reconciler.ports import Due
from reconciler.turn import TurnReport

_TROUBLE = ("failed", "exception", "parked", "skipped")


@dataclass
class Tally:
    """The sum of the turns of one cycle. Threads may add to it at the same time."""

    counts: Counter[str] = field(default_factory=Counter)
    held: int = 0
    changes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    drift: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, reports: Sequence[TurnReport]) -> None:
        """Count the turns of one batch."""
        with self._lock:
            for report in reports:
                self._count(report)

    def _count(self, report: TurnReport) -> None:
        self.counts[report.outcome] += 1
        self.held += bool(report.held)
        self.counts.update(report.notes)
        for done in report.done:
            self.counts[f"{done.change} {done.result}"] += 1
            if report.provider:
                self.changes[report.provider, done.change, done.cause, done.result] += 1
        if report.provider and report.looked and report.planned:
            self.drift[report.provider].update(drift_of(report.planned))

    def record(self, metrics: Metrics, looked: bool) -> None:
        """Tell the metrics; the drift only after a cycle that looked at calendars."""
        for change, count in self.changes.items():
            for _ in range(count):
                metrics.change(*change)
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
        happened = sorted((what, count) for what, count in self.counts.items() if count and what != "people")
        parts = ", ".join(f"{count} {what}" for what, count in happened)
        return f"{name}: {self.counts['people']} people; {parts or 'nothing to do'}"


def drift_of(plan: Plan) -> Counter[str]:
    """What a look found different from what should be there, by kind."""
    kinds: Counter[str] = Counter(orphaned=len(plan.surplus))
    for change in plan.changes:
        match change:
            case MarkMissing():
                kinds["missing"] += 1
            case Create():
                kinds["absent"] += 1
            case Update(cause=Cause.DRIFT) | Adopt():
                kinds["edited"] += 1
            case Update():
                kinds["stale"] += 1
    return kinds


class Pending:
    """Since when people have been waiting for their calendar to follow the LMS. In memory: for metrics."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[datetime, str | None]] = {}
        self._lock = threading.Lock()

    def due(self, people: Sequence[Due], now: datetime) -> None:
        """These differ from what was last applied; whoever is not among them waits no more."""
        with self._lock:
            self._since = {one.person: self._since.get(one.person, (now, None)) for one in people}

    def settle(self, reports: Sequence[TurnReport], now: datetime, metrics: Metrics) -> None:
        """These turns have ended; those that changed something in time for the LMS are measured."""
        with self._lock:
            for report in reports:
                since = self._since.get(report.person)
                if since is None:
                    continue
                if report.outcome not in ("changed", "idle"):
                    self._since[report.person] = (since[0], report.provider)
                    continue
                del self._since[report.person]
                if report.provider and any(done.cause == Cause.LMS for done in report.done):
                    metrics.propagated(report.provider, (now - since[0]).total_seconds())

    def oldest(self, provider: str, now: datetime) -> float:
        """Seconds since the longest-waiting person of this provider became due; 0 if nobody waits."""
        with self._lock:
            waiting = [since for since, whose in self._since.values() if whose == provider]
        return max(((now - since).total_seconds() for since in waiting), default=0.0)
