"""Wires the vendors: for each that the settings speak of, its calendars and its consent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from reconciler.errors import ConfigurationError
from reconciler.labels import Credential
from reconciler.metrics import Metrics
from reconciler.model import Connection
from reconciler.pace import Allowance
from reconciler.ports import CalendarMemory, CalendarProvider, ConnectFlow, PasswordFlow, Trial
from reconciler.providers.caldav.client import Wire as CalDavWire
from reconciler.providers.caldav.connect import CalDavSignIn
from reconciler.providers.caldav.guard import Guard
from reconciler.providers.caldav.provider import CalDavProvider
from reconciler.providers.caldav.transport import Transport as CalDavTransport
from reconciler.providers.caldav.trial import CalDavTrial
from reconciler.providers.google.client import Client as GoogleClient
from reconciler.providers.google.connect import AUTH_URI, KEYS_URI, REVOKE_URI, GoogleConsent
from reconciler.providers.google.oauth import TOKEN_URI
from reconciler.providers.google.oauth import AccessTokens as GoogleTokens
from reconciler.providers.google.provider import GoogleProvider
from reconciler.providers.google.transport import Transport as GoogleTransport
from reconciler.providers.google.trial import GoogleTrial
from reconciler.providers.microsoft.client import Graph
from reconciler.providers.microsoft.connect import MicrosoftConsent
from reconciler.providers.microsoft.oauth import AccessTokens as MicrosoftTokens
from reconciler.providers.microsoft.oauth import Entra, certificate, certificate_expires
from reconciler.providers.microsoft.provider import MicrosoftProvider
from reconciler.providers.microsoft.transport import Transport as MicrosoftTransport
from reconciler.providers.microsoft.trial import MicrosoftTrial
from reconciler.providers.throttle import LONG, AtOnce, Counts, InMemory, Quota, Sleep, Throttle, per_minute
from reconciler.settings import Cloud, Microsoft, Settings
from reconciler.tokens.store import SqlTokens

if TYPE_CHECKING:
    from reconciler.providers.shared_quotas import InRedis

_DAY = 86_400

_GRAPH = {
    Cloud.GLOBAL: ("https://graph.microsoft.com", "https://login.microsoftonline.com"),
    Cloud.US_GOV: ("https://graph.microsoft.us", "https://login.microsoftonline.us"),
    Cloud.US_DOD: ("https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
    Cloud.CHINA: ("https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
}
"""Graph's and Entra's hosts by cloud (https://learn.microsoft.com/graph/deployments)."""


class Quotas:
    """What was used of each vendor's quotas, and for how long it refuses calls: kept through a reload.

    ``redis``: where the processes of this ``installation`` count together; without it each counts for itself.
    """

    def __init__(self, redis: str | None = None, installation: str = "") -> None:
        self._redis = redis
        self._installation = installation
        self._counts: dict[str, Counts] = {}

    def of(self, vendor: str) -> Counts:
        """Where a vendor's are counted."""
        if vendor not in self._counts:
            prefix = f"reconciler/{self._installation}/quotas"
            self._counts[vendor] = _in_redis(self._redis, prefix) if self._redis else InMemory()
        return self._counts[vendor]

    def problems(self) -> list[str]:
        """What is wrong with where they are counted."""
        return _in_redis(self._redis, "").problems() if self._redis else []


def _in_redis(url: str, prefix: str) -> InRedis:
    from reconciler.providers.shared_quotas import InRedis  # noqa: PLC0415 (few need it, and it is large)

    return InRedis(url, prefix)


@dataclass(frozen=True, slots=True)
class Means:
    """What every vendor is wired with, besides its settings."""

    tokens: SqlTokens
    memory: CalendarMemory
    metrics: Metrics
    quotas: Quotas
    sleep: Sleep


TrialOf = Callable[[Connection, str, datetime], Trial]
"""The trial of a connection, under an installation of its own, from an instant on."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """Where calendars live, how people grant access to them (one way of two), and what can be tried."""

    provider: CalendarProvider
    flow: ConnectFlow | None = None
    sign_in: PasswordFlow | None = None
    trial: TrialOf | None = None


def in_use(settings: Settings) -> list[str]:
    """The names of the vendors that the settings speak of."""
    given = settings.providers
    sections = {"google": given.google, "microsoft": given.microsoft, "caldav": given.caldav}
    return [name for name, section in sections.items() if section is not None]


def open_vendors(settings: Settings, means: Means) -> Mapping[str, Vendor]:
    """The vendors by name; none is talked to yet. ``ConfigurationError`` for a certificate that is none."""
    vendors: dict[str, Vendor] = {}
    if settings.providers.google:
        vendors["google"] = _google(settings, means)
    if settings.providers.microsoft:
        vendors["microsoft"] = _microsoft(settings, means)
    if settings.providers.caldav:
        vendors["caldav"] = _caldav(settings, means)
    return vendors


def allowances(settings: Settings) -> Mapping[str, Allowance]:
    """What each vendor allows, as the settings say."""
    found = {}
    if google := settings.providers.google:
        found["google"] = Allowance(google.quota.per_minute, google.quota.per_day)
    if microsoft := settings.providers.microsoft:
        found["microsoft"] = Allowance(microsoft.quota.per_minute)
    return found


def _google(settings: Settings, means: Means) -> Vendor:
    given, network = settings.providers.google, settings.network
    assert given is not None
    transport = GoogleTransport(
        proxy=network.proxy or "",  # empty: not the environment's either
        ca_file=str(network.ca_file) if network.ca_file else None,
        timeout=network.timeout.total_seconds(),
        max_body_bytes=network.max_body_bytes,
    )
    oauth, api = network.endpoints.google_oauth, network.endpoints.google_api
    access = GoogleTokens(
        means.tokens,
        transport,
        client_id=given.client_id,
        client_secret=given.client_secret_file.text,
        token_uri=_at(oauth, "/token", TOKEN_URI),
        observer=means.metrics,
    )
    throttle = Throttle(
        "google",
        [*per_minute(given.quota.per_minute), Quota(given.quota.per_day, _DAY)],
        [Quota(given.quota.per_person_per_minute, 60)],
        counts=means.quotas.of("google"),
        observer=means.metrics,
        sleep=means.sleep,
    )
    means.metrics.quota("google", "minute", lambda: throttle.used(60))
    means.metrics.quota("google", "day", lambda: throttle.used(_DAY))
    endpoint = f"{api.rstrip('/')}/calendar/v3/" if api else None
    client = GoogleClient(transport, access, throttle, endpoint=endpoint)
    consent = GoogleConsent(
        transport,
        client,
        client_id=given.client_id,
        client_secret=given.client_secret_file.text,
        allowed_domains=given.allowed_domains,
        auth_uri=_at(oauth, "/o/oauth2/v2/auth", AUTH_URI),
        token_uri=_at(oauth, "/token", TOKEN_URI),
        revoke_uri=_at(oauth, "/revoke", REVOKE_URI),
        keys_uri=_at(api, "/oauth2/v3/certs", KEYS_URI),
    )
    return Vendor(
        GoogleProvider(client, settings.installation.id),
        consent,
        trial=lambda connection, installation, now: GoogleTrial(client, connection, installation, now),
    )


def _at(base: str | None, path: str, usual: str) -> str:
    """The same path on another host, where there is one."""
    return f"{base.rstrip('/')}{path}" if base else usual


def _microsoft(settings: Settings, means: Means) -> Vendor:
    given, network = settings.providers.microsoft, settings.network
    assert given is not None
    transport = MicrosoftTransport(
        proxy=network.proxy or "",  # empty: not the environment's either
        ca_file=str(network.ca_file) if network.ca_file else None,
        read_seconds=network.timeout.total_seconds(),
        max_body_bytes=network.max_body_bytes,
    )
    graph, login = _GRAPH[given.cloud]
    graph = (network.endpoints.microsoft_graph or graph).rstrip("/")
    login = (network.endpoints.microsoft_login or login).rstrip("/")
    entra = Entra(
        given.client_id, _microsoft_credential(settings), transport, login_url=login, observer=means.metrics
    )
    _tell_expiry(given, means.metrics)
    throttle = Throttle(
        "microsoft",
        per_minute(given.quota.per_minute),
        [Quota(given.quota.per_person_per_minute, 60)],
        counts=means.quotas.of("microsoft"),
        observer=means.metrics,
        sleep=means.sleep,
    )
    means.metrics.quota("microsoft", "minute", lambda: throttle.used(60))
    at_once = AtOnce(given.quota.concurrent_per_person)
    wire = Graph(transport, MicrosoftTokens(entra, means.tokens), throttle, at_once, f"{graph}/v1.0")
    consent = MicrosoftConsent(entra, wire, tenant=given.tenant, allowed_tenants=given.allowed_tenants)
    return Vendor(
        MicrosoftProvider(wire, settings.installation.id),
        consent,
        trial=lambda connection, installation, now: MicrosoftTrial(wire, connection, installation, now),
    )


def _tell_expiry(given: Microsoft, metrics: Metrics) -> None:
    """When the credential expires, as far as anybody says: at the beginning of a secret's last day."""
    if given.certificate_file is not None:
        expires = certificate_expires(given.certificate_file.text)
        metrics.credential_expires(Credential.MICROSOFT_CERTIFICATE, expires)
    elif given.secret_expires is not None:
        last_day = datetime.combine(given.secret_expires, time(), UTC)
        metrics.credential_expires(Credential.MICROSOFT_SECRET, last_day)


def _microsoft_credential(settings: Settings) -> str | dict[str, str]:
    given = settings.providers.microsoft
    assert given is not None
    if given.secret_file:
        return given.secret_file.text
    assert given.certificate_file is not None
    pem = given.certificate_file.text
    key, marker, public = pem.partition("-----BEGIN CERTIFICATE-----")
    if not marker or "PRIVATE KEY" not in key:
        raise ConfigurationError(
            ["providers.microsoft.certificate_file: must hold the private key, then the certificate, as PEM"]
        )
    return certificate(key, marker + public)


def _caldav(settings: Settings, means: Means) -> Vendor:
    given, network = settings.providers.caldav, settings.network
    assert given is not None
    transport = CalDavTransport(
        Guard(given.allowed_hosts, proxied=network.proxy is not None),
        proxy=network.proxy or "",
        ca_file=str(network.ca_file) if network.ca_file else None,
        read_seconds=network.timeout.total_seconds(),
        max_body_bytes=network.max_body_bytes,
    )
    throttle = Throttle(
        "caldav",
        [],
        [Quota(given.per_server_per_minute, 60)],
        counts=means.quotas.of("caldav"),
        observer=means.metrics,
        sleep=means.sleep,
        person_patience=LONG,  # not a person's: the server's
    )
    wire = CalDavWire(transport, throttle, AtOnce(given.concurrent_per_server))
    provider = CalDavProvider(wire, means.tokens, means.memory, settings.installation.id)
    return Vendor(
        provider,
        sign_in=CalDavSignIn(wire),
        trial=lambda connection, installation, now: CalDavTrial(
            wire, connection, means.tokens.get(connection), installation, now
        ),
    )
