"""Every metric, in one place. Prefix ``reconciler_``; described for operators in docs/metrics.md.

Every label value is a member of an enum (labels.py), so that no person, account, address or title can ever
be one; a value that is none raises ``ValueError``. Counters stand at 0 from the start, so that
``increase()`` sees the first event. Times are seconds, timestamps seconds since 1970 in UTC.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from itertools import product
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from reconciler.diff.changes import Cause
from reconciler.labels import (
    Change,
    ChangeResult,
    Consent,
    Credential,
    Cycle,
    Drift,
    EventState,
    Guard,
    MailResult,
    MailWay,
    Operation,
    Outcome,
    Provider,
    Purged,
    Refresh,
    Result,
    Scope,
    Unregistered,
    Window,
)
from reconciler.model import ConnectionState, LedgerEntry
from reconciler.pace import Ahead
from reconciler.ports import Run
from reconciler.zones import tz_database

_CYCLE_BUCKETS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)
_REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PROPAGATION_BUCKETS = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 14_400, 43_200, 86_400)

M = TypeVar("M", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class _Family(Generic[M]):
    """A metric whose label values are checked against their enums."""

    metric: M
    enums: tuple[type[StrEnum], ...]

    def __call__(self, *values: str) -> M:
        if not self.enums:
            return self.metric
        return self.metric.labels(*(enum(value) for enum, value in zip(self.enums, values, strict=True)))


class Metrics:
    """The metrics of one process, in a registry of their own. Safe to use from several threads.

    ``providers`` are those whose series begin at 0. It observes the traffic with vendors
    (:meth:`request`, :meth:`throttled`, :meth:`waited`), and is told everything else.
    """

    def __init__(self, providers: Iterable[str] = (Provider.GOOGLE, Provider.MICROSOFT)) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._providers = {Provider(name) for name in providers}
        self._refused_until: dict[tuple[Provider, Scope], float] = {}
        self._used: dict[tuple[str, str], Callable[[], float]] = {}
        ProcessCollector(registry=self.registry)
        self._define_cycles()
        self._define_events()
        self._define_vendors()
        self._define_build()

    # Cycles and the LMS ---------------------------------------------------------------------------

    def _define_cycles(self) -> None:
        self._cycles = self._counter("cycles", "Finished cycles.", cycle=Cycle, result=Result)
        self._cycle_seconds = self._histogram(
            "cycle_seconds", "How long a cycle took.", _CYCLE_BUCKETS, cycle=Cycle
        )
        self._attempt = self._gauge(
            "cycle_last_attempt_timestamp_seconds", "When a cycle last ended, however it ended.", cycle=Cycle
        )
        self._success = self._gauge(
            "cycle_last_success_timestamp_seconds", "When a cycle last ended without an error.", cycle=Cycle
        )
        self._interval = self._gauge("cycle_interval_seconds", "From one cycle to the next.", cycle=Cycle)
        self._idle = self._gauge("cycle_idle_seconds", "Since a cycle last showed life.", cycle=Cycle)
        self._lms_up = self._gauge("lms_up", "1 if the LMS was readable at the last attempt.")
        self._lms_seconds = self._histogram(
            "lms_read_seconds", "How long a complete reading of the LMS took.", _CYCLE_BUCKETS
        )
        self._exceptions = self._counter("contained_exceptions", "Unforeseen, logged and survived.")
        self._reloaded = self._gauge(
            "config_last_reload_successful", "1 if the configuration was taken up when it was last read."
        )
        self._reloaded_at = self._gauge(
            "config_last_reload_success_timestamp_seconds", "When a configuration was last taken up."
        )

    def cycle(self, run: Run) -> None:
        """A cycle has ended. Anything but ``error`` is a success as to freshness: one person's trouble
        must not look like a cycle that stands still."""
        ended = run.finished.timestamp()
        self._cycles(run.cycle, run.result).inc()
        self._cycle_seconds(run.cycle).observe((run.finished - run.started).total_seconds())
        self._attempt(run.cycle).set(ended)
        if Result(run.result) is not Result.ERROR:
            self._success(run.cycle).set(ended)

    def interval(self, cycle: str, seconds: float) -> None:
        """The interval as configured: alerts scale with it."""
        self._interval(cycle).set(seconds)

    def idle(self, cycle: str, since: Callable[[], float]) -> None:
        """Ask ``since`` for the seconds since the cycle last got on, whenever the metrics are read."""
        self._idle(cycle).set_function(since)

    def configured(self, at: float | None) -> None:
        """A configuration was taken up at this instant; ``None``: it could not be."""
        self._reloaded().set(at is not None)
        if at is not None:
            self._reloaded_at().set(at)

    def lms_read(self, seconds: float) -> None:
        """The LMS was read whole in so many seconds."""
        self._lms_up().set(1)
        self._lms_seconds().observe(seconds)

    def lms_unreadable(self) -> None:
        """A reading of the LMS failed."""
        self._lms_up().set(0)

    def contained_exception(self) -> None:
        """An unforeseen exception stopped one person's turn."""
        self._exceptions().inc()

    # Events ---------------------------------------------------------------------------------------

    def _define_events(self) -> None:
        self._drift = self._gauge(
            "drift", "What the last look found different from desired.", provider=Provider, kind=Drift
        )
        self._desired = self._gauge(
            "desired_events", "Events that should be, of days not over.", provider=Provider
        )
        self._audits_waiting = self._gauge(
            "audits_waiting", "Calendars whose look is overdue.", provider=Provider, ahead=Ahead
        )
        self._events = self._gauge(
            "events", "Events that are, of days not over.", provider=Provider, state=EventState
        )
        self._changes = self._counter(
            "changes",
            "What was done to events, and why.",
            provider=Provider,
            change=Change,
            cause=Cause,
            result=ChangeResult,
        )
        self._propagation = self._histogram(
            "propagation_seconds", "From the LMS to the calendar.", _PROPAGATION_BUCKETS, provider=Provider
        )
        for provider in self._providers:
            self._propagation(provider)  # from 0 on, or a rate would miss the first
        self._oldest = self._gauge(
            "oldest_pending_seconds", "Age of the oldest change not in place yet.", provider=Provider
        )
        self._held = self._gauge(
            "guard_held", "What a guard holds back at present; how many pauses.", guard=Guard
        )
        self._next_start = self._gauge(
            "guard_held_next_start_timestamp_seconds",
            "When the first of what a guard holds begins; 0 if nothing is held.",
            guard=Guard,
        )
        self._unregistrations = self._counter(
            "unregistrations", "What deletions came to.", provider=Provider, outcome=Unregistered
        )
        self._unregistration = self._histogram(
            "unregistration_seconds", "From missed to given back.", _PROPAGATION_BUCKETS, provider=Provider
        )
        self._triggered = self._counter("guard_triggered", "How often a guard began to hold.", guard=Guard)
        self._mails = self._counter("mails", "What became of letters.", kind=MailWay, result=MailResult)
        self._purged = self._counter("purged", "What was kept long enough, and deleted.", what=Purged)

    def audits_waiting(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Calendars whose look is overdue because the quota is short, by (provider, how far ahead)."""
        for provider, ahead in product(self._seen(counts), Ahead):
            self._audits_waiting(provider, ahead).set(counts.get((provider, ahead), 0))

    def drift(self, provider: str, counts: Mapping[str, int]) -> None:
        """What the last look at a provider's calendars found; kinds that are not counted become 0."""
        unknown = counts.keys() - set(Drift)
        if unknown:
            raise ValueError(f"no kind of drift: {', '.join(sorted(unknown))}")
        for kind in Drift:
            self._drift(provider, kind).set(counts.get(kind, 0))

    def events(self, counts: Mapping[tuple[str, str], int]) -> None:
        """The ledger's counts by (provider, state). States that need nobody's attention are left out."""
        for provider, state in product(self._seen(counts), EventState):
            self._events(provider, state).set(counts.get((provider, state), 0))

    def desired_events(self, provider: str, count: int) -> None:
        """So many events should be in the calendars kept at this provider."""
        self._desired(provider).set(count)

    def change(self, provider: str, change: str, cause: str, result: str) -> None:
        """One change was carried out, or was not."""
        self._changes(provider, change, cause, result).inc()

    def propagated(self, provider: str, seconds: float) -> None:
        """A change of the LMS took so long to its place in the calendar."""
        self._propagation(provider).observe(seconds)

    def oldest_pending(self, provider: str, seconds: float) -> None:
        """The oldest change that is not in place yet; 0 if there is none."""
        self._oldest(provider).set(seconds)

    def guard_holds(self, guard: str, count: int) -> None:
        """How much a guard holds at present."""
        self._held(guard).set(count)

    def guard_next_start(self, guard: str, first: datetime | None) -> None:
        """When the first of what a guard holds begins, if it holds anything still to come."""
        self._next_start(guard).set(first.timestamp() if first else 0)

    def unregistration(self, provider: str, outcome: str) -> None:
        """Something has come of a deletion."""
        self._unregistrations(provider, outcome).inc()

    def given_back(self, provider: str, rows: Iterable[LedgerEntry], now: datetime) -> None:
        """A seat was given back, because these events had been deleted."""
        waits = [now - (row.missing_since or now) for row in rows]
        self._unregistration(provider).observe(max(waits).total_seconds())

    def guard_triggered(self, guard: str) -> None:
        """A guard has begun to hold something."""
        self._triggered(guard).inc()

    def mail(self, kind: str, result: str) -> None:
        """One letter was sent, or was not."""
        self._mails(kind, result).inc()

    def purged(self, what: str, count: int) -> None:
        """So many rows were deleted because they had been kept long enough."""
        self._purged(what).inc(count)

    # Vendors --------------------------------------------------------------------------------------

    def _define_vendors(self) -> None:
        labels: dict[str, type[StrEnum]] = {"provider": Provider, "operation": Operation}
        self._requests = self._counter("provider_requests", "Every call.", **labels, outcome=Outcome)
        self._request_seconds = self._histogram(
            "provider_request_seconds", "How long a call took.", _REQUEST_BUCKETS, **labels
        )
        self._quota = self._gauge(
            "provider_quota_used_ratio",
            "Our own count over the configured quota.",
            provider=Provider,
            window=Window,
        )
        self._throttled = self._gauge(
            "provider_throttled_seconds",
            "For how long the vendor still refuses calls.",
            provider=Provider,
            scope=Scope,
        )
        self._waited = self._counter(
            "provider_waited_seconds",
            "How long calls were held back to stay under a quota.",
            provider=Provider,
            scope=Scope,
        )
        self._refreshes = self._counter(
            "token_refreshes", "Renewals of access tokens.", provider=Provider, result=Refresh
        )
        self._expiry = self._gauge(
            "credential_expiry_timestamp_seconds", "When a credential of ours expires.", credential=Credential
        )
        self._connections = self._gauge(
            "connections", "People's connected calendars.", provider=Provider, state=ConnectionState
        )
        self._flows = self._counter(
            "oauth_flows",
            "How far people's consents came, and why no further.",
            provider=Provider,
            result=Consent,
        )
        for provider, scope in product(self._providers, Scope):
            self._throttled(provider, scope).set_function(self._refusal(provider, scope))

    def request(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """One call ended. ``outcome`` is a value of :class:`Outcome` or the name of one of our errors."""
        ended = Outcome.of(outcome)
        self._requests(provider, operation, ended).inc()
        if operation == Operation.TOKEN:
            self._refreshes(provider, Refresh.of(ended)).inc()
        self._request_seconds(provider, operation).observe(seconds)

    def throttled(self, provider: str, scope: str, seconds: float) -> None:
        """The vendor refuses calls of the project, or of one person, for so many seconds."""
        who = (Provider(provider), Scope(scope))
        self._refused_until[who] = max(self._refused_until.get(who, 0), time.monotonic() + seconds)

    def _refusal(self, provider: Provider, scope: Scope) -> Callable[[], float]:
        return lambda: max(0.0, self._refused_until.get((provider, scope), 0) - time.monotonic())

    def waited(self, provider: str, scope: str, seconds: float) -> None:
        """We held a call back for so many seconds."""
        self._waited(provider, scope).inc(seconds)

    def quota(self, provider: str, window: str, used: Callable[[], float]) -> None:
        """Ask ``used`` for the share of a quota, from 0 to 1, whenever the metrics are read."""
        self._quota(provider, window).set_function(used)
        self._used[provider, window] = used

    def quotas(self) -> Mapping[tuple[str, str], float]:
        """The share of each quota that is used at present, by (provider, window)."""
        return {which: used() for which, used in self._used.items()}

    def credential_expires(self, credential: str, at: datetime) -> None:
        """A credential of ours is not accepted any more from this instant on."""
        self._expiry(credential).set(at.timestamp())

    def connections(self, counts: Mapping[tuple[str, str], int]) -> None:
        """People's connections by (provider, state)."""
        for provider, state in product(self._seen(counts), ConnectionState):
            self._connections(provider, state).set(counts.get((provider, state), 0))

    def consent(self, provider: str, result: str) -> None:
        """A person's consent came so far: begun, connected, or why not."""
        self._flows(provider, result).inc()

    def _seen(self, counts: Mapping[tuple[str, str], int]) -> set[Provider]:
        """Every provider counted so far: one that has gone returns to 0."""
        self._providers |= {Provider(provider) for provider, _ in counts}
        return self._providers

    # Making them ----------------------------------------------------------------------------------

    def _define_build(self) -> None:
        build = {
            "version": version("ilt-calendar-reconciler"),
            "python": platform.python_version(),
            "tzdata": tz_database(),
        }
        info = Gauge("build_info", "What runs.", build, namespace="reconciler", registry=self.registry)
        info.labels(**build).set(1)

    def _counter(self, name: str, text: str, **labels: type[StrEnum]) -> _Family[Counter]:
        made = Counter(name, text, labels, namespace="reconciler", registry=self.registry)
        return self._begun(_Family(made, tuple(labels.values())))

    def _gauge(self, name: str, text: str, **labels: type[StrEnum]) -> _Family[Gauge]:
        made = Gauge(name, text, labels, namespace="reconciler", registry=self.registry)
        return _Family(made, tuple(labels.values()))

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], **labels: type[StrEnum]
    ) -> _Family[Histogram]:
        made = Histogram(name, text, labels, namespace="reconciler", registry=self.registry, buckets=buckets)
        return _Family(made, tuple(labels.values()))

    def _begun(self, family: _Family[Counter]) -> _Family[Counter]:
        """Every series of a counter, at 0."""
        values = [self._providers if enum is Provider else tuple(enum) for enum in family.enums]
        for labels in product(*values):
            family(*labels)
        return family
