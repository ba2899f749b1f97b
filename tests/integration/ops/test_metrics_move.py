"""Each metric moves when what it speaks of does: shown over real cycles, against vendors over HTTPS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from reconciler.model import State
from reconciler.simulators.lms import When
from reconciler.simulators.wire import Fault
from tests.support.house import DAY, MINUTE, MONDAY, NOW, TUESDAY, WEDNESDAY, HouseBed

HOUR = timedelta(hours=1)
BEGUN = When(datetime(2026, 11, 22, 8), datetime(2026, 11, 22, 16))
OVER = When(datetime(2026, 11, 20, 8), datetime(2026, 11, 20, 16))


def metric(house: HouseBed, name: str, **labels: str) -> float:
    """The value of a series that is there."""
    found = house.house.metrics.registry.get_sample_value(f"reconciler_{name}", labels)
    assert found is not None, name
    return found


@pytest.fixture
def acme(house: HouseBed) -> HouseBed:
    """Ana at Google, Ben at Microsoft, each with three sessions to get; nothing is there yet."""
    made = [house.lms.add_session(when) for when in (MONDAY, TUESDAY, WEDNESDAY)]
    house.newcomer("ana", "google", *made)
    house.newcomer("ben", "microsoft", *made)
    return house


def test_what_should_be_is_counted_beside_what_is(acme: HouseBed) -> None:
    acme.lms.book("ana", acme.lms.add_session(OVER, BEGUN))
    acme.lms.book("ana", cancelled := acme.lms.add_session(MONDAY))
    acme.lms.cancel_session(cancelled)
    acme.google.faults.add(Fault("status", "create", times=-1, status=400, reason="invalid", skip=3))
    acme.push()
    acme.google.faults.clear()
    assert metric(acme, "desired_events", provider="google") == 4
    assert metric(acme, "events", provider="google", state="live") == 3
    assert metric(acme, "events", provider="google", state="failing") == 1
    assert metric(acme, "desired_events", provider="microsoft") == 3
    assert metric(acme, "events", provider="microsoft", state="live") == 3


def test_a_day_that_is_over_is_neither_desired_nor_counted(acme: HouseBed) -> None:
    acme.push()
    acme.clock.now = datetime(2026, 12, 8, 12, tzinfo=UTC)
    acme.push()
    assert metric(acme, "desired_events", provider="google") == 2
    assert metric(acme, "events", provider="google", state="live") == 2


def test_nothing_is_desired_where_nobody_is_kept(acme: HouseBed) -> None:
    acme.push()
    acme.switch(vendors=frozenset({"microsoft"}))
    acme.push()
    assert metric(acme, "desired_events", provider="google") == 0
    assert metric(acme, "desired_events", provider="microsoft") == 3


@pytest.mark.parametrize(("person", "provider"), [("ana", "google"), ("ben", "microsoft")])
def test_the_oldest_pending_change_ages_while_it_is_refused_backed_off_or_its_vendor_is_down(
    acme: HouseBed, person: str, provider: str
) -> None:
    acme.push()
    vendor, _ = acme.addresses[person]
    vendor.faults.add(Fault("status", "*", times=-1, status=503))
    acme.lms.change("session-1", title="Renamed")
    ages = []
    for _ in range(30):
        acme.push()
        ages.append(metric(acme, "oldest_pending_seconds", provider=provider))
    assert ages == [60.0 * minute for minute in range(1, 31)]
    other = {"google": "microsoft", "microsoft": "google"}[provider]
    assert metric(acme, "oldest_pending_seconds", provider=other) == 0
    vendor.faults.clear()
    acme.clock.move(15 * MINUTE)
    acme.push()
    assert metric(acme, "oldest_pending_seconds", provider=provider) == 0
    late = {"provider": provider}
    assert metric(acme, "propagation_seconds_sum", **late) == 46 * 60
    assert metric(acme, "propagation_seconds_bucket", **late, le="900.0") == 1
    assert metric(acme, "propagation_seconds_count", **late) == 2


def test_a_change_counts_from_the_last_reading_that_did_not_have_it(acme: HouseBed) -> None:
    acme.push()
    acme.rename_lms_table("sessions", "away")
    for _ in range(20):
        acme.push()
    assert metric(acme, "lms_up") == 0
    acme.rename_lms_table("away", "sessions")
    acme.lms.change("session-1", title="Renamed in the meantime")
    acme.push()
    assert metric(acme, "lms_up") == 1
    assert metric(acme, "propagation_seconds_sum", provider="google") == 21 * 60


def test_also_when_that_was_read_by_a_process_that_is_no_more(acme: HouseBed) -> None:
    acme.push()
    acme.close()
    acme.lms.change("session-1", title="Renamed in the meantime")
    acme.clock.move(3 * HOUR)
    acme.push()
    assert metric(acme, "propagation_seconds_sum", provider="google") == 3 * 3600 + 60


def test_what_waits_for_a_proof_is_not_late(acme: HouseBed) -> None:
    acme.push()
    acme.remove("ana")
    acme.audit()
    assert set(acme.states("ana")) == {State.MISSING}
    for _ in range(3):
        acme.push()
        assert metric(acme, "oldest_pending_seconds", provider="google") == 0
    assert metric(acme, "events", provider="google", state="missing") == 3


def test_drift_is_what_the_last_look_found(acme: HouseBed) -> None:
    acme.push()
    vendor, address = acme.addresses["ana"]
    vendor.rename(address, acme.seen("ana")[0].id, "Mine now")
    acme.remove("ben", acme.titles("ben")[0])
    acme.audit()
    assert metric(acme, "drift", provider="google", kind="edited") == 1
    assert metric(acme, "drift", provider="microsoft", kind="missing") == 1
    acme.audit()
    assert metric(acme, "drift", provider="google", kind="edited") == 0


def test_a_hold_tells_when_the_first_of_it_begins(acme: HouseBed) -> None:
    acme.configure(deletes={"max_vanished_share": 0.1, "min_sessions": 2})
    acme.push()
    name = "guard_held_next_start_timestamp_seconds"
    assert metric(acme, name, guard="vanished-sessions") == 0
    for session in ("session-2", "session-3"):
        acme.lms.drop_session(session)
    acme.push()
    tuesday = datetime(2026, 12, 8, 8, tzinfo=UTC).timestamp()
    assert metric(acme, name, guard="vanished-sessions") == tuesday
    assert metric(acme, "guard_held", guard="vanished-sessions") == 2
    acme.clock.now = datetime(2026, 12, 8, 12, tzinfo=UTC)
    acme.configure(deletes={"max_vanished_share": 0.1, "min_sessions": 1})
    acme.push()
    assert metric(acme, name, guard="vanished-sessions") == tuesday + DAY.total_seconds()


def test_a_pause_is_counted_until_it_is_resumed(acme: HouseBed) -> None:
    acme.push()
    assert metric(acme, "guard_held", guard="pause") == 0
    acme.cli("pause")
    acme.push()
    assert metric(acme, "guard_held", guard="pause") == 1
    acme.cli("resume")
    acme.push()
    assert metric(acme, "guard_held", guard="pause") == 0


def test_the_fleet_guard_tells_it_too(house: HouseBed) -> None:
    session = house.lms.add_session(MONDAY, TUESDAY)
    for number in range(6):
        house.newcomer(f"p{number}", "google", session)
    house.once()
    house.google.faults.add(
        Fault("empty_list", "list", times=-1), Fault("status", "get", times=-1, status=404)
    )
    house.clock.move(DAY)
    house.once()
    house.google.faults.clear()
    assert metric(house, "guard_held", guard="fleet") == 6
    first = datetime(2026, 12, 7, 8, tzinfo=UTC).timestamp()
    assert metric(house, "guard_held_next_start_timestamp_seconds", guard="fleet") == first


def test_a_renewed_token_is_counted_and_a_dead_grant_apart(acme: HouseBed) -> None:
    acme.push()
    acme.google.revoke("ana@google.example")
    acme.microsoft.revoke("ben@microsoft.example")
    for provider in ("google", "microsoft"):
        assert metric(acme, "token_refreshes_total", provider=provider, result="ok") == 1
        assert metric(acme, "token_refreshes_total", provider=provider, result="dead") == 0
    acme.close()
    acme.audit()
    for provider in ("google", "microsoft"):
        assert metric(acme, "token_refreshes_total", provider=provider, result="dead") == 1
        assert metric(acme, "connections", provider=provider, state="reauthorize") == 1


def test_a_refusal_of_the_whole_project_shows_for_how_long(acme: HouseBed) -> None:
    acme.microsoft.faults.add(Fault("status", "create", status=429, retry_after=600))
    acme.push()
    refused = {"provider": "microsoft", "scope": "person"}
    assert 590 < metric(acme, "provider_throttled_seconds", **refused) <= 600
    assert metric(acme, "provider_throttled_seconds", provider="google", scope="project") == 0


def test_the_share_of_a_quota_is_shown_and_kept_with_each_cycle(acme: HouseBed) -> None:
    acme.configure(providers={"google": {"quota": {"per_minute": 20, "per_day": 40}}})
    run = acme.push()
    used = metric(acme, "provider_quota_used_ratio", provider="google", window="minute")
    assert 0.2 < used < 1
    assert run.counts["% of google quota, minute"] == round(100 * used)
    assert run.counts["% of google quota, day"] > 0
    assert "quota" not in run.sentence
    assert run.counts["google events desired"] == 3


def test_the_end_of_a_certificate_is_read_from_it(acme: HouseBed) -> None:
    ends = datetime(2027, 3, 1, 12, tzinfo=UTC)
    write_certificate(acme.folder / "microsoft.pem", ends)
    acme.configure(providers={"microsoft": {"secret_file": None, "certificate_file": "microsoft.pem"}})
    name = "credential_expiry_timestamp_seconds"
    assert metric(acme, name, credential="microsoft-certificate") == ends.timestamp()


def test_that_of_a_secret_from_the_settings(acme: HouseBed) -> None:
    acme.configure(providers={"microsoft": {"secret_expires": "2027-03-01"}})
    shown = metric(acme, "credential_expiry_timestamp_seconds", credential="microsoft-secret")
    assert shown == datetime(2027, 3, 1, tzinfo=UTC).timestamp()


def write_certificate(file: Path, ends: datetime) -> None:
    """A private key and a certificate that is good until then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reconciler")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(ends)
        .sign(key, SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(pem))
    file.chmod(0o600)
