"""Launch tokens: how an LMS tells us who comes. JSON Web Tokens, signed by the LMS (RFC 7519, RFC 8725).

The algorithm is the key's, never the token's; ``kid`` names the key, and the key the account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import jwt

from reconciler.web.links import CONNECT, read
from reconciler.web.problems import PageProblem, Problem
from reconciler.web.site import LaunchKey, Site

LONGEST_LIFE = 600
"""Seconds from ``iat`` to ``exp`` at most."""
_CLOCKS_APART = 30  # seconds that the LMS's clock may differ from ours
_REQUIRED = ["sub", "account", "role", "aud", "iat", "exp", "jti"]


class Visitor(StrEnum):
    """As what a person comes."""

    LEARNER = "learner"  # or instructor: for their own calendar
    OWNER = "owner"  # of the account: for its switches, and for their own calendar


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who comes. ``key`` and ``jti`` name the token, which may be used once, until ``expires``."""

    person: str
    account: str
    role: Visitor
    key: str
    jti: str
    expires: datetime
    return_to: str | None = None


def arrival(site: Site, token: str) -> Arrival:
    """Who comes with this token. Raises :class:`PageProblem` for every token that is not as it should be."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError as error:
        raise _wrong(error) from None
    if kid is None:
        return _ours(read(site, CONNECT, token))
    key = site.launch_keys.get(str(kid))
    if key is None:
        raise PageProblem(Problem.LAUNCH_WRONG, "launch token: unknown kid")
    return _theirs(site, str(kid), key, token)


def _theirs(site: Site, kid: str, key: LaunchKey, token: str) -> Arrival:
    try:
        claims = jwt.decode(
            token,
            key.key,
            [key.algorithm],
            audience=site.public_url,
            options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.PyJWTError as error:
        raise _wrong(error) from None
    _check_time(claims, site.world.clock().timestamp())
    if claims["account"] != key.account:
        raise PageProblem(Problem.LAUNCH_WRONG, "launch token: not an account of this key")
    return _arrival(claims, kid, _return_link(claims.get("return_to"), key))


def _check_time(claims: dict[str, Any], now: float) -> None:
    """By the site's own clock; PyJWT knows none but the machine's."""
    issued, expires = claims["iat"], claims["exp"]
    if not all(isinstance(at, int | float) and not isinstance(at, bool) for at in (issued, expires)):
        raise PageProblem(Problem.LAUNCH_WRONG, "launch token: iat and exp must be numbers")
    if expires + _CLOCKS_APART <= now:
        raise PageProblem(Problem.LAUNCH_EXPIRED, "launch token: too old")
    if issued > now + _CLOCKS_APART or expires - issued > LONGEST_LIFE:
        raise PageProblem(Problem.LAUNCH_WRONG, "launch token: issued in the future, or good for too long")


def _return_link(link: object, key: LaunchKey) -> str | None:
    """Where the person may go back to: an address at one of the key's origins, or none at all."""
    if link is None:
        return None
    try:
        parts = urlsplit(str(link))
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        origin = ""
    if not isinstance(link, str) or origin not in key.return_to or not link.isprintable() or "\\" in link:
        raise PageProblem(Problem.LAUNCH_WRONG, "launch token: its return link leads elsewhere")
    return link


def _ours(claims: dict[str, Any]) -> Arrival:
    return _arrival(claims, CONNECT, None)


def _arrival(claims: dict[str, Any], key: str, return_to: str | None) -> Arrival:
    texts = [claims.get(name) for name in ("sub", "account", "jti")]
    if not all(isinstance(text, str) and text for text in texts):
        raise PageProblem(Problem.LAUNCH_WRONG, "launch token: sub, account and jti must be texts")
    if claims.get("role") not in list(Visitor):
        raise PageProblem(Problem.LAUNCH_WRONG, "launch token: its role is none that is known")
    return Arrival(
        person=claims["sub"],
        account=claims["account"],
        role=Visitor(claims["role"]),
        key=key,
        jti=claims["jti"],
        # One second more than it is accepted, so that it is remembered for as long as it is.
        expires=datetime.fromtimestamp(claims["exp"] + _CLOCKS_APART + 1, UTC),
        return_to=return_to,
    )


def _wrong(error: Exception) -> PageProblem:
    return PageProblem(Problem.LAUNCH_WRONG, f"launch token: {type(error).__name__}")
