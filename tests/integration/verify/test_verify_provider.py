"""What is assumed of each vendor is tried, told in a table, and cleaned away; whichever way the vendor is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import pytest

from reconciler.errors import ReconcilerError
from reconciler.ports import Finding
from reconciler.providers import trial as trials
from reconciler.providers.google.trial import GoogleTrial
from reconciler.providers.microsoft.trial import MicrosoftTrial
from reconciler.providers.trial import Trial
from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.google_store import GoogleSwitches
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.wire import Fault
from tests.support.builders import NOW
from tests.support.google import ANA as ANA_AT_GOOGLE
from tests.support.google import impatient, running
from tests.support.microsoft_bed import ANA, a_microsoft

INSTALLATION = "test-trial"


@contextmanager
def at_google(second_calendar: bool = True, **switches: Any) -> Iterator[tuple[Trial, Any]]:
    with running(sim=GoogleSimulator(GoogleSwitches(**switches))) as google:
        if second_calendar:
            google.sim.add_calendar(ANA_AT_GOOGLE, "Second")
        yield GoogleTrial(google.client, google.ana, INSTALLATION, NOW, impatient), google.sim


@contextmanager
def at_microsoft(
    second_calendar: bool = True, consumer: bool = False, **switches: Any
) -> Iterator[tuple[Trial, Any]]:
    with a_microsoft(consumer=consumer, **switches) as bed:
        if second_calendar:
            bed.owner.add_calendar("Second")
        yield MicrosoftTrial(bed.graph, bed.connection, INSTALLATION, NOW, impatient), bed.simulator


BEDS = {"google": at_google, "microsoft": at_microsoft}


def left(sim: Any) -> list[Any]:
    """Every event that is still there."""
    if isinstance(sim, GoogleSimulator):
        return [one for one in sim.owner.dump(ANA_AT_GOOGLE) if one["status"] != "cancelled"]
    return list(sim.owner(ANA).look())


def tried(trial: Trial) -> list[Finding]:
    try:
        return list(trial.run())
    finally:
        assert trial.clean_up() == []


def not_held(findings: list[Finding]) -> set[str]:
    return {one.assumption for one in findings if one.held is False}


@pytest.fixture(params=BEDS.values(), ids=BEDS)
def bed(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_of_an_ordinary_account_everything_holds_and_nothing_is_left(bed: Any) -> None:
    with bed() as (trial, sim):
        findings = tried(trial)
        assert [one for one in findings if not one.held] == []
        assert len(findings) > 20
        assert left(sim) == []
        assert len({one.assumption for one in findings}) == len(findings)


def test_what_needs_a_second_calendar_is_not_tried_without_one(bed: Any) -> None:
    with bed(second_calendar=False) as (trial, _):
        findings = tried(trial)
        assert not_held(findings) == set()
        assert [one.seen for one in findings if one.held is None]
        assert all("second calendar" in one.seen for one in findings if one.held is None)


# Each switch --------------------------------------------------------------------------------------

FLIPPED: list[tuple[str, dict[str, Any], set[str], bool]] = [
    (
        "google",
        {"collisions": "overwrites"},
        {"An id in use", "An id stays used"},
        False,
    ),
    ("google", {"collisions": "doubled"}, {"An id in use", "An id stays used", "repeated makes no"}, False),
    ("google", {"revive": "forbidden"}, {"may be written to", "Any write brings"}, False),
    ("google", {"any_write_revives": False}, {"Any write brings"}, False),
    ("google", {"cancelled_keeps_details": False}, {"keeps its texts"}, False),
    ("google", {"tombstones_match_private_property": False}, {"Deleted events are listed"}, False),
    ("google", {"repeated_private_property": "or"}, {"Several properties"}, False),
    ("google", {"sync_token_with_private_property": True}, {"no token for changes"}, False),
    ("google", {"listing_delay_count": 2}, {"listed by its marker at once"}, False),
    ("google", {"page_ceiling": 1}, {"on one page"}, False),
    ("google", {"empty_page_first": True}, {"on one page"}, False),
    ("google", {"tombstones_of_moved_bare": False}, {"leaves only its id"}, False),
    ("google", {"client_ids_refused": True}, {"under the id we choose"}, True),
    ("google", {"longest_summary": 100}, {"Long texts"}, True),
    ("google", {"longest_description": 4000}, {"Long texts"}, True),
    ("microsoft", {"transaction_repeat": "first_200"}, {"answered 201"}, False),
    ("microsoft", {"transaction_repeat": "conflict_409"}, {"answered 201"}, False),
    ("microsoft", {"transaction_repeat": "another"}, {"answered 201", "makes no second"}, False),
    ("microsoft", {"transaction_after_delete": "first_201"}, {"serves anew"}, False),
    ("microsoft", {"transaction_after_delete": "conflict_409"}, {"serves anew"}, False),
    ("microsoft", {"strips_properties_on_create": frozenset({"work"})}, {"given at creation"}, False),
    ("microsoft", {"index_delay_listings": 4}, {"listed by its marker at once"}, False),
    ("microsoft", {"stale_update": "409"}, {"refused with 412"}, False),
    ("microsoft", {"stale_delete": "409"}, {"refused with 412"}, False),
    ("microsoft", {"stale_update": "ignored"}, {"refused with 412", "A change is refused"}, True),
    ("microsoft", {"stale_delete": "ignored"}, {"refused with 412", "A deletion is refused"}, True),
    ("microsoft", {"soft_deleted_answers_get": True}, {"not answer to its id"}, False),
    ("microsoft", {"original_zone_as": "windows"}, {"under the name it was given"}, False),
    ("microsoft", {"ambiguous_time_is_second": True}, {"the first is meant"}, False),
    ("microsoft", {"all_day_floats": False}, {"Whole days begin at midnight"}, False),
    ("microsoft", {"unknown_zones": frozenset({"America/Nuuk"})}, {"some years old"}, False),
    ("microsoft", {"adds_online_meeting": True}, {"No online meeting"}, False),
    ("microsoft", {"page_cap": 5}, {"as many events as asked"}, False),
]
NEVER_MET = {
    "google": {
        "read_only_fields_refused": "the program never sends such fields",
        "patch_units": "quotas are not seen in answers",
        "full_sync_reason_named": "the program uses no sync tokens",
        "id_tokens_follow_real_time": "of the simulator alone",
        "listing_delay_seconds": "as listing_delay_count",
    },
    "microsoft": {
        "transaction_memory_seconds": "would take days",
        "restore_keeps_immutable_id": "only its owner can restore",
        "events_span_calendars": "the program lists calendars by id",
        "omits_nulls": "the program reads both alike",
        "index_delay_seconds": "as index_delay_listings",
        "concurrent_requests": "limits are not tried on purpose",
        "window_requests": "limits are not tried on purpose",
        "window_seconds": "limits are not tried on purpose",
        "concurrency_retry_after": "limits are not tried on purpose",
        "refused_requests_count": "limits are not tried on purpose",
        "latency_seconds": "of the simulator alone",
        "access_token_seconds": "said in each answer",
        "refresh_overlap_seconds": "the newest token is always used",
        "refresh_idle_seconds": "would take months",
        "id_tokens_follow_real_time": "of the simulator alone",
    },
}


@pytest.mark.parametrize(("vendor", "switches", "expected", "matters"), FLIPPED)
def test_where_a_vendor_is_otherwise_the_table_says_so_and_what_it_means(
    vendor: str, switches: dict[str, Any], expected: set[str], matters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "PATIENCE", 5.0)
    with BEDS[vendor](**switches) as (trial, sim):
        findings = tried(trial)
        wrong = not_held(findings)
        assert {part for part in expected if any(part in one for one in wrong)} == expected
        assert any(one.held is False and one.matters for one in findings) is matters
        if not matters:
            assert len(wrong) == len(expected)
        assert all(one.meaning for one in findings if one.held is False)
        assert left(sim) == []


@pytest.mark.parametrize(("vendor", "kind"), [("google", GoogleSwitches), ("microsoft", MicrosoftSwitches)])
def test_every_switch_of_a_simulator_is_tried_or_left_out_for_a_reason(vendor: str, kind: Any) -> None:
    flipped = {name for of, switches, *_ in FLIPPED if of == vendor for name in switches}
    assert flipped | NEVER_MET[vendor].keys() == {one.name for one in fields(kind)}
    assert not flipped & NEVER_MET[vendor].keys()


def test_a_personal_account_that_loses_properties_is_provided_for() -> None:
    with at_microsoft(consumer=True) as (trial, sim):
        assert not_held(tried(trial)) == {"Properties given at creation are kept"}
        assert left(sim) == []


# When things go wrong -----------------------------------------------------------------------------


def test_a_trial_that_fails_half_way_is_cleaned_up_by_the_next(bed: Any) -> None:
    with bed() as (trial, sim):
        findings = trial.run()
        for _ in range(8):
            next(findings)
        assert len(left(sim)) > 3
        again = type(trial)(*_same(trial))
        assert again.clean_up() == []
        assert left(sim) == []


def _same(trial: Any) -> tuple[Any, ...]:
    wire = trial._client if isinstance(trial, GoogleTrial) else trial._mailbox._graph
    connection = trial._connection if isinstance(trial, GoogleTrial) else trial._mailbox._connection
    return wire, connection, INSTALLATION, NOW, impatient


def test_a_vendor_that_fails_in_between_is_told_and_the_rest_is_tried(bed: Any) -> None:
    with bed() as (trial, sim):
        sim.faults.add(Fault("status", "create", status=503))
        findings = tried(trial)
        (failed,) = [one for one in findings if one.held is False]
        assert failed.seen.startswith("an error:")
        assert left(sim) == []


def test_what_cannot_be_removed_is_named(bed: Any) -> None:
    with bed() as (trial, sim):
        next(trial.run())
        sim.faults.add(Fault("status", "delete", status=503, times=-1))
        (problem,) = trial.clean_up()
        assert "503" in problem
        sim.faults.clear()
        assert trial.clean_up() == []


def test_a_calendar_that_is_gone_is_an_error_and_no_finding(bed: Any) -> None:
    with bed() as (trial, sim):
        sim.faults.add(Fault("status", "list", status=503, times=-1))
        with pytest.raises(ReconcilerError):
            trial.clean_up()
        sim.faults.clear()
