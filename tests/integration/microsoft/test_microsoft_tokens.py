"""Access tokens: refreshed in time, rotated ones kept, and only a dead grant asks its owner for anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from reconciler.errors import ReauthorizationNeeded, VendorNonsense, VendorUnavailable
from reconciler.model import Connection
from reconciler.providers.microsoft.oauth import REFRESH_TOKEN, AccessTokens, Entra, certificate
from reconciler.providers.microsoft.transport import Transport
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, ClientApp
from tests.support.builders import NOW, a_draft
from tests.support.microsoft_bed import ANA, HeldTokens, MicrosoftBed, a_microsoft, certificates

SINCE = NOW - timedelta(days=1)


@pytest.fixture
def bed() -> Iterator[MicrosoftBed]:
    with a_microsoft() as made:
        yield made


def test_one_access_token_serves_many_requests(bed: MicrosoftBed) -> None:
    for _ in range(5):
        bed.calendar.listing(SINCE)
    assert bed.sent("token") == 1


def test_every_new_refresh_token_is_stored_before_its_access_token_is_used(bed: MicrosoftBed) -> None:
    class Witness(HeldTokens):
        def put(self, connection: Connection, credentials: Mapping[str, str]) -> None:
            super().put(connection, credentials)
            used.append(bed.sent("list"))

    used: list[int] = []
    store = Witness()
    store.put(bed.connection, {**bed.store.get(bed.connection), "scope": "kept"})
    bed.keep_tokens_in(store)
    for _ in range(3):
        bed.graph.tokens.forget(bed.connection)
        bed.calendar.listing(SINCE)
    assert used == [0, 0, 1, 2]
    assert len(set(store.put_so_far)) == 4
    assert store.get(bed.connection) == {REFRESH_TOKEN: store.put_so_far[-1], "scope": "kept"}


def test_the_newest_refresh_token_is_the_one_used(bed: MicrosoftBed) -> None:
    with a_microsoft(refresh_overlap_seconds=0) as bed:
        for _ in range(3):
            bed.graph.tokens.forget(bed.connection)
            bed.calendar.listing(SINCE)
            bed.simulator.clock.advance(timedelta(hours=1))
        assert bed.sent("token") == 3


def test_an_expired_access_token_is_refreshed_once_and_the_request_made_again(bed: MicrosoftBed) -> None:
    bed.calendar.listing(SINCE)
    bed.simulator.clock.advance(timedelta(hours=2))
    bed.calendar.create(a_draft())
    assert bed.sent("token") == 2
    assert len(bed.owner.look()) == 1


def test_a_token_graph_refuses_twice_asks_for_a_new_connection(bed: MicrosoftBed) -> None:
    bed.fault("status", "list", status=401, times=-1)
    with pytest.raises(ReauthorizationNeeded, match="401 InvalidAuthenticationToken"):
        bed.calendar.listing(SINCE)
    assert bed.sent("list") == 2


def test_a_token_is_renewed_before_it_expires(bed: MicrosoftBed) -> None:
    now = [0.0]
    tokens = AccessTokens(bed.entra, bed.store, monotonic=lambda: now[0])
    first = tokens.get(bed.connection)
    now[0] = 3000.0
    assert tokens.get(bed.connection) == first
    now[0] = 3500.0
    assert tokens.get(bed.connection) != first


@pytest.mark.parametrize("code", [50173, 700082, 70008, 70043, 65001, 50076, 50079, 53003, 50105])
def test_a_grant_that_is_dead_or_wants_its_owner_asks_for_a_new_connection(
    bed: MicrosoftBed, code: int
) -> None:
    bed.simulator.revoke(ANA, code)
    with pytest.raises(ReauthorizationNeeded, match=f"AADSTS{code}"):
        bed.calendar.listing(SINCE)
    assert bed.sent("list") == 0


@pytest.mark.parametrize("code", [7000215, 7000222, 700016, 700027])
def test_trouble_with_our_own_registration_parks_nobody(bed: MicrosoftBed, code: int) -> None:
    bed.fault("status", "token", reason=str(code), times=-1)
    with pytest.raises(VendorUnavailable, match=f"AADSTS{code}"):
        bed.calendar.listing(SINCE)


def test_a_wrong_secret_parks_nobody(bed: MicrosoftBed) -> None:
    wire = Transport(ca_file=str(certificates().ca_file))
    tokens = AccessTokens(Entra(DEFAULT_CLIENT_ID, "wrong", wire, login_url=bed.url), bed.store)
    with pytest.raises(VendorUnavailable, match="AADSTS7000215"):
        tokens.get(bed.connection)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_ailing_token_endpoint_parks_nobody(bed: MicrosoftBed, status: int) -> None:
    bed.fault("status", "token", status=status)
    with pytest.raises(VendorUnavailable):
        bed.calendar.create(a_draft())
    bed.calendar.create(a_draft())
    assert len(bed.owner.look()) == 1


@pytest.mark.parametrize("operation", ["auth", "token"])
@pytest.mark.parametrize("fault", ["drop", "html", "huge"])
def test_an_unusable_answer_of_the_token_endpoint_parks_nobody(operation: str, fault: str) -> None:
    with a_microsoft(transport={"max_body_bytes": 100_000}) as bed:
        bed.fault(fault, operation, size=1_000_000)
        with pytest.raises((VendorUnavailable, VendorNonsense)):
            bed.calendar.create(a_draft())
        bed.calendar.create(a_draft())


def test_a_tenant_that_entra_does_not_know_is_no_dead_grant(bed: MicrosoftBed) -> None:
    tokens = AccessTokens(bed.entra, bed.store)
    nowhere = replace(bed.connection, subject="2c7d3b1e-0000-4000-8000-000000000000:x")
    with pytest.raises(VendorUnavailable):
        tokens.get(nowhere)


def test_a_token_rotated_by_another_process_meanwhile_is_used(bed: MicrosoftBed) -> None:
    with a_microsoft(refresh_overlap_seconds=0) as bed:
        stale = dict(bed.store.get(bed.connection))
        bed.calendar.listing(SINCE)
        bed.simulator.clock.advance(timedelta(hours=2))

        class Behind(HeldTokens):
            """Answers once as before the other process wrote."""

            def get(self, connection: Connection) -> Mapping[str, str]:
                return answers.pop(0) if answers else bed.store.get(connection)

            def put(self, connection: Connection, credentials: Mapping[str, str]) -> None:
                bed.store.put(connection, credentials)

        answers = [stale]
        assert AccessTokens(bed.entra, Behind()).get(bed.connection)


def test_a_grant_that_heals_by_itself_is_seen_with_the_next_refresh_token(bed: MicrosoftBed) -> None:
    bed.simulator.revoke(ANA)
    with pytest.raises(ReauthorizationNeeded):
        bed.calendar.listing(SINCE)
    asked = bed.sent("token")
    with pytest.raises(ReauthorizationNeeded):
        bed.calendar.listing(SINCE)
    assert bed.sent("token") == asked  # msal remembers a refusal for a minute
    bed.simulator.revoke(ANA, None)
    bed.store.put(bed.connection, {REFRESH_TOKEN: bed.simulator.issue_refresh_token(ANA)})
    bed.calendar.listing(SINCE)


def test_a_connection_without_credentials_asks_for_a_new_one(bed: MicrosoftBed) -> None:
    bed.store.remove(bed.connection)
    with pytest.raises(ReauthorizationNeeded):
        bed.calendar.listing(SINCE)


def test_an_access_token_is_not_used_for_another_account_connected_in_its_place(bed: MicrosoftBed) -> None:
    bed.calendar.listing(SINCE)
    ben = bed.simulator.add_account("ben@contoso.example")
    connection = replace(
        bed.connection,
        subject=f"{ben.tenant}:{ben.oid}",
        calendar_id=bed.simulator.mailbox(ben.upn).default.id,
    )
    bed.store.put(connection, {REFRESH_TOKEN: bed.simulator.issue_refresh_token(ben.upn)})
    bed.provider.open(connection).create(a_draft())
    assert len(bed.simulator.owner(ben.upn).look()) == 1


def test_a_certificate_serves_in_place_of_a_secret(bed: MicrosoftBed, tmp_path: Path) -> None:
    key, public = a_certificate()
    bed.simulator.directory.register_app(ClientApp("with-certificate", "unused", certificate=public.encode()))
    wire = Transport(ca_file=str(certificates().ca_file))
    entra = Entra("with-certificate", certificate(key, public), wire, login_url=bed.url)
    token = bed.simulator.issue_refresh_token(ANA, client_id="with-certificate")
    bed.store.put(bed.connection, {REFRESH_TOKEN: token})
    assert AccessTokens(entra, bed.store).get(bed.connection)


def a_certificate() -> tuple[str, str]:
    """A key and its self-signed certificate, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reconciler")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), made.public_bytes(serialization.Encoding.PEM).decode()
