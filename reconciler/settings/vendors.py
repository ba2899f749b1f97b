"""The vendors, and the way to them."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from reconciler.settings.values import (
    Day,
    Duration,
    ProxyAddress,
    ReadableFile,
    Secret,
    Section,
    WebAddress,
    absent,
    key,
    refused,
    section,
)

Vendor = Literal["google", "microsoft", "caldav"]
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.(?!-)[A-Za-z0-9_-]{1,63})*")
TenantId = Annotated[str, Field(pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]


def _caldav_host(entry: str) -> str:
    """An entry of the allowed servers, as it is."""
    if entry == "*":
        return entry
    if entry.startswith("*."):
        if not _HOST.fullmatch(entry[2:]):
            raise refused("must be *.domain, such as *.example.org")
        return entry
    try:
        parts = urlsplit(entry if "://" in entry else f"https://{entry}")
        host, _ = parts.hostname or "", parts.port
    except ValueError as problem:
        raise refused(f"is no address: {problem}") from problem
    plain = parts.scheme in ("http", "https") and "@" not in parts.netloc
    if not plain or parts.query or parts.fragment or not (":" in host or _HOST.fullmatch(host)):
        raise refused("must be a host, host:port, or an address such as https://dav.example.org/dav/")
    return entry


CalDavHost = Annotated[str, AfterValidator(_caldav_host)]


class Cloud(StrEnum):
    """Microsoft's clouds. https://learn.microsoft.com/en-us/graph/deployments"""

    GLOBAL = "global"
    US_GOV = "us-gov"
    US_DOD = "us-dod"
    CHINA = "china"


class GoogleQuota(Section):
    """How many calls the Google project may make. "
    "https://developers.google.com/workspace/calendar/api/guides/quota"""

    per_minute: int = key("Calls a minute of the whole project.", default=10_000, gt=0)
    per_person_per_minute: int = key("Calls a minute for one person.", default=600, gt=0)
    per_day: int = key("Calls a day of the whole project.", default=1_000_000, gt=0)


class Google(Section):
    """Google Calendar."""

    client_id: str = key(
        "The OAuth client's id, from Google's console.",
        example="123456789-abc.apps.googleusercontent.com",
        min_length=1,
    )
    client_secret_file: Secret = key(
        "The file that holds the OAuth client's secret: a path, or the name of a systemd credential.",
        example="google-client-secret",
    )
    allowed_domains: frozenset[str] = key(
        "Only accounts of these Workspace domains may be connected; gmail.com stands for personal "
        "accounts. Empty: everybody's.",
        default=frozenset(),
        example=frozenset({"example.org"}),
    )
    quota: GoogleQuota = section("As the project's quota page shows it.", GoogleQuota)


class MicrosoftQuota(Section):
    """How many calls one mailbox and the application may have.
    https://learn.microsoft.com/en-us/graph/throttling-limits#outlook-service-limits"""

    per_person_per_minute: int = key("Calls a minute to one mailbox.", default=1_000, gt=0)
    concurrent_per_person: int = key("Calls at the same time to one mailbox.", default=3, gt=0, le=4)
    per_minute: int = key("Calls a minute over all mailboxes.", default=60_000, gt=0)


class Microsoft(Section):
    """Microsoft 365."""

    client_id: str = key(
        "The application's (client) id, from the Entra admin center.",
        example="11111111-2222-3333-4444-555555555555",
        min_length=1,
    )
    tenant: str = key(
        "The tenant's id or domain; organizations lets people of every tenant connect, common "
        "personal accounts too.",
        default="organizations",
        pattern="^[A-Za-z0-9.-]+$",
    )
    secret_file: Secret | None = key(
        "The file that holds the client secret: a path, or the name of a systemd credential. "
        "Either this or certificate_file.",
        default=None,
        example="microsoft-client-secret",
    )
    secret_expires: Day | None = key(
        "The day on which the client secret expires, as the admin center shows it; an alert says so two "
        "weeks before. A certificate says it itself.",
        default=None,
        example="2027-11-30",
    )
    certificate_file: Secret | None = key(
        "A PEM file with the private key and the certificate: a path, or the name of a systemd credential. "
        "Either this or secret_file.",
        default=None,
        example="microsoft-certificate.pem",
    )
    allowed_tenants: frozenset[TenantId] = key(
        "Only accounts of these tenants, by id, may be connected; "
        "9188040d-6c67-4c5b-b112-36a304b66dad stands for personal accounts. Empty: everybody's.",
        default=frozenset(),
        example=frozenset({"11111111-2222-3333-4444-555555555555"}),
    )
    cloud: Cloud = key("Which of Microsoft's clouds: global, us-gov, us-dod or china.", default=Cloud.GLOBAL)
    quota: MicrosoftQuota = section("The service's limits, or less.", MicrosoftQuota)

    @field_validator("certificate_file")
    @classmethod
    def _one_credential(cls, certificate: Secret | None, info: ValidationInfo) -> Secret | None:
        if "secret_file" in info.data and (certificate is None) == (info.data["secret_file"] is None):
            raise refused("exactly one of secret_file and certificate_file is needed")
        return certificate


class CalDav(Section):
    """Any CalDAV server."""

    allowed_hosts: tuple[CalDavHost, ...] = key(
        "The servers people may connect: a host (dav.example.org), host:port, or a whole address where the "
        "calendars begin (https://sogo.example.org/SOGo/dav/); people choose among them. *.example.org "
        "allows any host of a domain, * any public one; these people type themselves. A server inside your "
        "network, or one without TLS (http://localhost:5232), only by name.",
        example=("dav.example.org", "*"),
        min_length=1,
    )
    concurrent_per_server: int = key("Calls at the same time to one server.", default=4, gt=0, le=64)
    per_server_per_minute: int = key("Calls a minute to one server.", default=6_000, gt=0)


class Providers(Section):
    """The vendors whose calendars people may connect."""

    google: Google | None = section("Google Calendar; leave it out where nobody uses it.", absent)
    microsoft: Microsoft | None = section("Microsoft 365; leave it out where nobody uses it.", absent)
    caldav: CalDav | None = section(
        "CalDAV: Nextcloud, SOGo, Cyrus, iCloud, Fastmail; leave it out where nobody uses it.", absent
    )


class Endpoints(Section):
    """Other addresses of the vendors: simulators, trials."""

    google_api: WebAddress | None = key(
        "Instead of https://www.googleapis.com.",
        default=None,
        example="https://localhost:8443",
        reload=False,
    )
    google_oauth: WebAddress | None = key(
        "Instead of https://oauth2.googleapis.com and https://accounts.google.com.",
        default=None,
        example="https://localhost:8443",
        reload=False,
    )
    microsoft_graph: WebAddress | None = key(
        "Instead of the cloud's Graph address.", default=None, example="https://localhost:8444", reload=False
    )
    microsoft_login: WebAddress | None = key(
        "Instead of the cloud's login address.", default=None, example="https://localhost:8444", reload=False
    )


class Network(Section):
    """How the vendors are reached."""

    proxy: ProxyAddress | None = key(
        "The proxy for every call to a vendor. The environment's proxy variables are not read.",
        default=None,
        example="http://proxy.example.org:3128",
        reload=False,
    )
    ca_file: ReadableFile | None = key(
        "PEM file of the certificate authorities to trust instead of the usual ones.",
        default=None,
        example="/etc/ssl/certs/ca-certificates.crt",
        reload=False,
    )
    timeout: Duration = key("How long a vendor may take for one answer.", default="30s", reload=False)
    max_body_bytes: int = key(
        "The longest answer of a vendor that is read.", default=8_388_608, ge=65_536, reload=False
    )
    endpoints: Endpoints = section("Other addresses of the vendors: simulators, trials.", Endpoints)
