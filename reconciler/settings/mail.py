"""How people are mailed."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, ValidationInfo, field_validator

from reconciler.model import Invitations
from reconciler.settings.values import (
    Duration,
    FilePath,
    Secret,
    Section,
    is_loopback,
    key,
    refused,
    shown,
)


class Tls(StrEnum):
    """How the way to the SMTP server is encrypted."""

    STARTTLS = "starttls"  # RFC 3207, usually port 587
    IMPLICIT = "implicit"  # RFC 8314 section 3.3, usually port 465
    NONE = "none"


PORTS = {Tls.STARTTLS: 587, Tls.IMPLICIT: 465, Tls.NONE: 25}
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise refused(f"must be an address such as training@example.org, not {shown(text)}")
    return text


def _language(text: str) -> str:
    try:
        Locale.parse(text.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise refused(f"must be a language such as en or de_AT, not {shown(text)}") from error
    return text


MailAddress = Annotated[str, AfterValidator(_address)]
"""The address itself, without a name (RFC 5321 section 4.1.2, without quoted forms)."""
Language = Annotated[str, AfterValidator(_language)]


class Mail(Section):
    """How people are mailed."""

    host: str = key("The SMTP server that takes our mail.", example="smtp.example.org", min_length=1)
    tls: Tls = key(
        "How the way there is encrypted: starttls, implicit, or none (only on this machine itself).",
        default=Tls.STARTTLS,
    )
    port: int | None = key(
        "Its port; without it 587 with starttls, 465 with implicit, 25 with none.",
        default=None,
        example=587,
        gt=0,
        le=65_535,
    )
    user: str | None = key(
        "The user to sign in as; without it nobody signs in.", default=None, example="training"
    )
    password_file: Secret | None = key(
        "The file that holds that user's password: a path, or the name of a systemd credential.",
        default=None,
        example="smtp-password",
    )
    use_proxy: bool = key(
        "Whether the server is reached through network.proxy, which then must let CONNECT pass to its port.",
        default=False,
    )
    from_address: MailAddress = key(
        "Who mails are from: the sender, and the organizer of every entry. Calendars tell updates from "
        "strangers by it, so keep it.",
        example="training@example.org",
    )
    from_name: str = key("The name beside that address.", default="Training", min_length=1)
    reply_to: MailAddress | None = key(
        "Where answers of people go, if not to from_address.", default=None, example="help@example.org"
    )
    language: Language = key(
        "The language of those whose own is not known, or has no texts here.", default="en"
    )
    invitations: Invitations | None = key(
        "Entries for calendars (.ics), to those who have none connected. all: to everybody. gaps: where the "
        "LMS mails its own to learners, only to instructors; learners get plain notices of what changes. "
        "off: to nobody, notices only. Without it gaps with adapter: moodle, otherwise all.",
        default=None,
        example=Invitations.ALL,
    )
    coalesce: Duration = key(
        "How long a change waits for others, so that several become one mail.", default="5m"
    )
    daily_limit: int = key(
        "How many mails a day at most; what is over waits until the next day.", default=5_000, gt=0
    )
    templates: FilePath | None = key(
        "The folder with texts of your own, one folder in it for each language: docs/mail.md tells which.",
        default=None,
        example="/etc/reconciler/mail",
    )
    timeout: Duration = key("How long the server may take for one answer.", default="60s")

    @field_validator("tls")
    @classmethod
    def _is_encrypted(cls, tls: Tls, info: ValidationInfo) -> Tls:
        host = info.data.get("host")
        if tls is Tls.NONE and host is not None and not is_loopback(host):
            raise refused("none is for a server on this machine only: passwords and names would be readable")
        return tls

    @field_validator("password_file")
    @classmethod
    def _goes_with_a_user(cls, password: Secret | None, info: ValidationInfo) -> Secret | None:
        if "user" in info.data and (info.data["user"] is None) != (password is None):
            raise refused("user and password_file are needed together")
        return password

    @property
    def port_in_force(self) -> int:
        """The port, or the usual one."""
        return self.port or PORTS[self.tls]

    def invitations_in_force(self, adapter: str) -> Invitations:
        """Who gets entries, with the adapter's default where nothing is said."""
        return self.invitations or (Invitations.GAPS if adapter == "moodle" else Invitations.ALL)
