"""Links that we sign ourselves: JSON Web Tokens (RFC 7519), HS256 under keys derived from the token keys.

Each is good for one purpose, its audience, and says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt

from reconciler.tokens.cipher import derived_keys

ALGORITHM = "HS256"
SEAT = "seat-link"
SEAT_LIFETIME = timedelta(days=8)
_LINKS = "links of the pages"


def link_keys(files: Sequence[Path]) -> list[bytes]:
    """The keys that links are signed with, newest first."""
    return derived_keys(files, _LINKS)


@dataclass(frozen=True)
class Signer:
    """Signs links to pages at ``public_url`` with the newest of ``keys``."""

    public_url: str
    keys: Sequence[bytes] = field(repr=False)

    def sign(self, purpose: str, claims: Mapping[str, Any], lifetime: timedelta, now: datetime) -> str:
        """A token for one purpose, good until its time is over."""
        whole = {
            **claims,
            "aud": f"{self.public_url}#{purpose}",
            "iat": now,
            "exp": now + lifetime,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(whole, self.keys[0], ALGORITHM)

    def seat_link(self, person: str, session: str | None, now: datetime) -> str:
        """The page where one person answers for the seats in question, or for one: what mails link to."""
        claims = {"sub": person} | ({"session": session} if session else {})
        return f"{self.public_url}/seats?token={self.sign(SEAT, claims, SEAT_LIFETIME, now)}"
