"""Links that we sign ourselves: to connect a calendar, to answer for a seat, to approve for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt

from reconciler.tokens.signing import ALGORITHM, SEAT, SEAT_LIFETIME, Signer
from reconciler.web.problems import PageProblem, Problem
from reconciler.web.site import Site

CONNECT, APPROVE = "connect-link", "approve-link"
_LIFETIMES = {CONNECT: timedelta(hours=24), SEAT: SEAT_LIFETIME, APPROVE: timedelta(days=14)}


def sign(site: Site, purpose: str, claims: Mapping[str, Any], now: datetime) -> str:
    """A token for one purpose, good until its time is over."""
    return _signer(site).sign(purpose, claims, _LIFETIMES[purpose], now)


def read(site: Site, purpose: str, token: str) -> dict[str, Any]:
    """The claims of a token of ours. Raises :class:`PageProblem` for anything else, or if it is too old."""
    problem: Exception | None = None
    for key in site.link_keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                [ALGORITHM],
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
    return _signer(site).seat_link(person, session, now)


def connect_link(site: Site, person: str, account: str, role: str, now: datetime) -> str:
    """A link that lets one person connect a calendar, without the LMS."""
    claims = {"sub": person, "account": account, "role": role}
    return f"{site.public_url}/launch?token={sign(site, CONNECT, claims, now)}"


def _signer(site: Site) -> Signer:
    return Signer(site.public_url, site.link_keys)
