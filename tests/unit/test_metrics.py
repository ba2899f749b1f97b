"""What /metrics shows, and what it can never show."""

from __future__ import annotations

import re
import zoneinfo
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from prometheus_client import Metric, generate_latest

from reconciler import labels
from reconciler.diff.changes import Cause, Change, name_of
from reconciler.metrics import Metrics
from reconciler.model import ConnectionState, State
from reconciler.pace import Ahead
from reconciler.ports import Run
from reconciler.zones import tz_database
from tests.support.builders import NOW, an_entry

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def run(cycle: str = "push", result: str = "success", seconds: float = 2) -> Run:
    return Run(cycle, NOON, NOON + timedelta(seconds=seconds), result, "a sentence")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"reconciler_{name}", labels)


def ours(metrics: Metrics) -> Iterator[Metric]:
    return (family for family in metrics.registry.collect() if family.name.startswith("reconciler_"))


def everything_told(vendors: Sequence[str] = ("google", "microsoft")) -> Metrics:
    """Metrics that were told everything there is, for these vendors."""
    metrics = Metrics(vendors)
    for cycle, result in product(labels.Cycle, labels.Result):
        metrics.cycle(run(cycle, result))
        metrics.interval(cycle, 60)
        metrics.idle(cycle, lambda: 1.0)
    metrics.lms_read(3)
    metrics.contained_exception()
    metrics.events(dict.fromkeys(product(vendors, labels.EventState), 1))
    metrics.connections(dict.fromkeys(product(vendors, ConnectionState), 1))
    for guard in labels.Guard:
        metrics.guard_holds(guard, 1)
        metrics.guard_triggered(guard)
        metrics.guard_next_start(guard, NOON)
    for credential in labels.Credential:
        metrics.credential_expires(credential, NOON)
    for what in labels.Purged:
        metrics.purged(what, 1)
    for vendor in vendors:
        metrics.drift(vendor, dict.fromkeys(labels.Drift, 1))
        metrics.propagated(vendor, 1)
        metrics.oldest_pending(vendor, 1)
        metrics.desired_events(vendor, 1)
        metrics.audits_waiting({(vendor, "later"): 1})
        for window in labels.Window:
            metrics.quota(vendor, window, lambda: 0.5)
        for scope in labels.Scope:
            metrics.throttled(vendor, scope, 60)
            metrics.waited(vendor, scope, 1)
        for change in product(labels.Change, Cause, labels.ChangeResult):
            metrics.change(vendor, *change)
        for operation, outcome in product(labels.Operation, labels.Outcome):
            metrics.request(vendor, operation, outcome, 1)
        for result in labels.Consent:
            metrics.consent(vendor, result)
        for outcome in labels.Unregistered:
            metrics.unregistration(vendor, outcome)
        metrics.given_back(vendor, [an_entry(state=State.MISSING)], NOW)
    return metrics


def test_the_page_for_operators_names_every_metric_its_type_and_its_labels() -> None:
    rows = re.findall(r"^\| (reconciler_\w+) \| (\w+) \| ([\w, ]*) ?\|", PAGE, re.MULTILINE)
    described = {(name, kind, frozenset(re.findall(r"\w+", names))) for name, kind, names in rows}
    shown = set()
    for family in ours(everything_told()):
        names = {name for sample in family.samples for name in sample.labels} - {"le"}
        suffix = "_total" if family.type == "counter" else ""
        shown.add((family.name + suffix, family.type, frozenset(names)))
    assert described == shown


def test_the_page_for_operators_names_every_value_of_a_label() -> None:
    listed = {
        word for line in PAGE.split("| label |")[1].splitlines() for word in re.findall(r"[\w-]+", line)
    }
    enums = [getattr(labels, name) for name in vars(labels) if name[0].isupper() and name != "StrEnum"]
    assert {value for enum in (*enums, Ahead, Cause, ConnectionState) for value in enum} <= listed


def test_every_value_of_a_label_is_of_an_enum() -> None:
    allowed: dict[str, set[str]] = defaultdict(set)
    allowed |= {
        "provider": set(labels.Provider),
        "cycle": set(labels.Cycle),
        "result": {
            *labels.Result,
            *labels.ChangeResult,
            *labels.Consent,
            *labels.Refresh,
            *labels.MailResult,
        },
        "credential": set(labels.Credential),
        "kind": {*labels.Drift, *labels.MailWay},
        "state": {*labels.EventState, *ConnectionState},
        "change": set(labels.Change),
        "cause": set(Cause),
        "operation": set(labels.Operation),
        "outcome": {*labels.Outcome, *labels.Unregistered},
        "ahead": set(Ahead),
        "scope": set(labels.Scope),
        "window": set(labels.Window),
        "guard": set(labels.Guard),
        "what": set(labels.Purged),
    }
    for family in ours(everything_told()):
        for sample in family.samples:
            for name, given in sample.labels.items():
                assert name == "le" or family.name.endswith("build_info") or given in allowed[name], sample


@pytest.mark.parametrize(
    "tell",
    [
        lambda metrics: metrics.request("ana@example.org", "get", "ok", 1),
        lambda metrics: metrics.request("google", "ana@example.org", "ok", 1),
        lambda metrics: metrics.change("google", "create", "because", "ok"),
        lambda metrics: metrics.cycle(run(result="Safety basics")),
        lambda metrics: metrics.throttled("google", "ana@example.org", 1),
        lambda metrics: metrics.drift("google", {"ana@example.org": 1}),
        lambda metrics: metrics.events({("ana@example.org", "live"): 1}),
        lambda metrics: metrics.guard_triggered("7"),
    ],
)
def test_a_value_that_is_of_no_enum_is_refused(tell: object) -> None:
    metrics = Metrics()
    with pytest.raises(ValueError, match=r"ana@example|because|Safety|7"):
        tell(metrics)  # type: ignore[operator]
    assert b"ana@example.org" not in generate_latest(metrics.registry)


def test_counters_stand_at_zero_from_the_start() -> None:
    metrics = Metrics(["google"])
    assert value(metrics, "cycles_total", cycle="confirm", result="held") == 0
    assert value(metrics, "guard_triggered_total", guard="vanished-sessions") == 0
    assert value(metrics, "contained_exceptions_total") == 0
    change = {"change": "delete", "cause": "repair", "result": "failed"}
    assert value(metrics, "changes_total", provider="google", **change) == 0
    assert value(metrics, "changes_total", provider="microsoft", **change) is None


def test_all_of_it_stays_under_1500_series_with_every_vendor_in_use() -> None:
    told = everything_told(("google", "microsoft", "caldav"))
    assert 1000 < sum(len(family.samples) for family in told.registry.collect()) < 1500


def test_a_cycle_tells_attempt_and_success_apart() -> None:
    metrics = Metrics()
    metrics.cycle(run(result="partial", seconds=10))
    metrics.cycle(run(result="error", seconds=20))
    stamp = NOON.timestamp()
    assert value(metrics, "cycle_last_success_timestamp_seconds", cycle="push") == stamp + 10
    assert value(metrics, "cycle_last_attempt_timestamp_seconds", cycle="push") == stamp + 20
    assert value(metrics, "cycle_seconds_sum", cycle="push") == 30
    assert value(metrics, "cycles_total", cycle="push", result="error") == 1


def test_what_is_no_longer_counted_returns_to_zero() -> None:
    metrics = Metrics(["google"])
    metrics.events({("google", "live"): 5, ("google", "gone"): 9, ("microsoft", "held"): 1})
    metrics.events({("google", "pending"): 2})
    metrics.drift("google", {"edited": 3})
    metrics.drift("google", {})
    assert value(metrics, "events", provider="google", state="live") == 0
    assert value(metrics, "events", provider="google", state="pending") == 2
    assert value(metrics, "events", provider="google", state="gone") is None
    assert value(metrics, "drift", provider="google", kind="edited") == 0


def test_a_provider_that_has_left_the_ledger_returns_to_zero() -> None:
    metrics = Metrics(["google"])
    metrics.events({("microsoft", "held"): 1})
    metrics.connections({("microsoft", "connected"): 1})
    metrics.events({})
    metrics.connections({})
    assert value(metrics, "events", provider="microsoft", state="held") == 0
    assert value(metrics, "connections", provider="microsoft", state="connected") == 0


def test_the_lms_is_down_until_it_was_read_and_after_it_could_not_be() -> None:
    metrics = Metrics()
    seen = [value(metrics, "lms_up")]
    metrics.lms_read(3)
    seen.append(value(metrics, "lms_up"))
    metrics.lms_unreadable()
    assert [*seen, value(metrics, "lms_up")] == [0, 1, 0]


def test_a_refusal_wears_off_and_the_longest_counts() -> None:
    metrics = Metrics()
    metrics.throttled("google", "project", 3600)
    metrics.throttled("google", "project", 1)
    metrics.throttled("microsoft", "person", -1)  # over already
    left = value(metrics, "provider_throttled_seconds", provider="google", scope="project")
    assert left is not None
    assert 1 < left <= 3600
    assert value(metrics, "provider_throttled_seconds", provider="google", scope="person") == 0
    assert value(metrics, "provider_throttled_seconds", provider="microsoft", scope="person") == 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("ok", "ok"),
        ("timeout", "timeout"),
        ("Throttled", "throttled"),
        ("ReauthorizationNeeded", "auth"),
        ("EventChanged", "conflict"),
        ("EventGone", "gone"),
        ("VendorUnavailable", "server_error"),
        ("EventRefused", "client_error"),
        ("ZoneNotKnown", "client_error"),
    ],
)
def test_a_call_is_counted_by_what_its_error_means(error: str, outcome: str) -> None:
    metrics = Metrics()
    metrics.request("google", "update", error, 0.2)
    labelled = {"provider": "google", "operation": "update"}
    assert value(metrics, "provider_requests_total", **labelled, outcome=outcome) == 1
    assert value(metrics, "provider_request_seconds_count", **labelled) == 1


def test_every_change_of_a_plan_has_its_label() -> None:
    names = {name_of(kind.__new__(kind)) for kind in Change.__args__}  # type: ignore[attr-defined]
    assert names == set(labels.Change)


def test_the_tz_database_is_the_one_python_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "London").write_bytes(b"TZif")
    monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path / "none"), str(tmp_path)))
    assert tz_database() == "unknown"
    (tmp_path / "tzdata.zi").write_text("# version 2026f\n# more\n")
    assert tz_database() == "2026f"
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    assert re.fullmatch(r"20\d\d[a-z]+", tz_database())
