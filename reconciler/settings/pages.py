"""The pages on which people connect their calendars."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import ValidationInfo, field_validator

from reconciler.settings.values import (
    ListenAddress,
    Secret,
    Section,
    WebAddress,
    key,
    refused,
)

_SHORTEST_SECRET = 32
"""Bytes: a key of HS256 must not be shorter than its hash (RFC 7518 section 3.2)."""


class LaunchKey(Section):
    """A key with which an LMS signs the tokens that bring people here."""

    account: str = key(
        "The account whose people it may bring, by its id in the LMS.", example="acme", min_length=1
    )
    secret_file: Secret | None = key(
        "HS256: the file that holds the shared secret, 32 bytes at least. Either this or public_key_file.",
        default=None,
        example="acme-launch-secret-2026",
    )
    public_key_file: Secret | None = key(
        "RS256: the file that holds the LMS's public key, as PEM.",
        default=None,
        example="acme-launch-public-key.pem",
    )
    return_to: tuple[WebAddress, ...] = key(
        "Where a token's return link may lead: origins of the LMS, such as https://learn.example.org.",
        default=(),
        example=("https://learn.example.org",),
    )

    @field_validator("public_key_file")
    @classmethod
    def _one_key(cls, public: Secret | None, info: ValidationInfo) -> Secret | None:
        if "secret_file" not in info.data:
            return public  # it was refused already
        secret = info.data["secret_file"]
        if (public is None) == (secret is None):
            raise refused("exactly one of secret_file and public_key_file is needed")
        if secret is not None and len(secret.text.encode()) < _SHORTEST_SECRET:
            raise refused(f"the secret must be {_SHORTEST_SECRET} bytes long at least")
        if public is not None and "PUBLIC KEY" not in public.text:
            raise refused("must hold a public key as PEM")
        return public

    @field_validator("return_to")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if any(urlsplit(origin).path for origin in origins):
            raise refused("must be origins: a scheme, a host, perhaps a port, and no path")
        return origins


class Web(Section):
    """The pages on which people connect their calendars."""

    listen: ListenAddress | None = key(
        "Where the pages are served, without TLS: put a reverse proxy in front that has it. Without it "
        "there are no pages. Needs installation.public_url.",
        default=None,
        example="127.0.0.1:8080",
        reload=False,
    )
    trusted_proxy: str | None = key(
        "The address of the reverse proxy, whose X-Forwarded-For and X-Forwarded-Proto are believed; "
        "nobody else's are.",
        default=None,
        example="127.0.0.1",
        reload=False,
    )
    launch_keys: Mapping[str, LaunchKey] = key(
        "The keys with which LMSs sign launch tokens, by the kid that their tokens bear.",
        default={},
        example={
            "acme-2026": {
                "account": "acme",
                "secret_file": "acme-launch-secret-2026",
                "return_to": ["https://learn.example.org"],
            }
        },
        reload=False,
    )
    privacy_url: WebAddress | None = key(
        "Your privacy notice, linked from every page.",
        default=None,
        example="https://example.org/privacy",
        reload=False,
    )
