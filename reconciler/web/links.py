"""Links that we sign ourselves: to connect a calendar, to answer for a seat, to approve for everybody.

JSON Web Tokens (RFC 7519), HS256 under a key derived from the newest token key; each is good for one purpose,
its audience, and says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt

from reconciler.web.problems import PageProblem, Problem
from reconciler.web.site import Site

CONNECT, SEAT, APPROVE = "connect-link", "seat-link", "approve-link"
_ALGORITHM = "HS256"
_LIFETIMES = {CONNECT: timedelta(hours=24), SEAT: timedelta(days=8), APPROVE: timedelta(days=14)}


def sign(site: Site, purpose: str, claims: Mapping[str, Any], now: datetime) -> str:
    """A token for one purpose, good until its time is over."""
    whole = {
        **claims,
        "aud": f"{site.public_url}#{purpose}",
        "iat": now,
        "exp": now + _LIFETIMES[purpose],
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(whole, site.link_keys[0], _ALGORITHM)


def read(site: Site, purpose: str, token: str) -> dict[str, Any]:
    """The claims of a token of ours. Raises :class:`PageProblem` for anything else, or if it is too old."""
    problem: Exception | None = None
    for key in site.link_keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                [_ALGORITHM],
                audience=f"{site.public_url}#{purpose}",
                options={"require": ["aud", "exp", "jti"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            problem = error
            continue
        if claims["exp"] <= site.world.clock().timestamp():
            raise PageProblem(Problem.LINK_EXPIRED, f"{purpose} is too old")
        return claims
    raise PageProblem(Problem.LINK_WRONG, f"{purpose}: {type(problem).__name__}")


def seat_link(site: Site, person: str, session: str | None, now: datetime) -> str:
    """The page where one person answers for the seats in question: what mails link to."""
    claims = {"sub": person} | ({"session": session} if session else {})
    return f"{site.public_url}/seats?token={sign(site, SEAT, claims, now)}"


def connect_link(site: Site, person: str, account: str, role: str, now: datetime) -> str:
    """A link that lets one person connect a calendar, without the LMS."""
    claims = {"sub": person, "account": account, "role": role}
    return f"{site.public_url}/launch?token={sign(site, CONNECT, claims, now)}"
