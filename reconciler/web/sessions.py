"""Who a browser speaks for: a sealed cookie that only we can read, for half an hour at a time.

``__Host-`` pins a cookie to this host, its root and TLS (RFC 6265bis section 4.1.3.2). ``SameSite=Lax``, not
``Strict``: the vendor's redirect back to us must bring it along.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin

from reconciler.errors import StateUnreadable
from reconciler.tokens.cipher import Cipher
from reconciler.web.site import Site

COOKIE = "__Host-session"
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=8)
_PURPOSE = ("web session",)


class PageSession(dict[str, Any], SessionMixin):
    """What we know of a browser: ``person``, ``account``, ``role``, ``locale``, ``return_to``, ``csrf``, and
    ``id``, to which everything else that the browser keeps for us is bound. ``over``: it was too old."""

    over = False

    def begin(self, **known: Any) -> None:
        """Forget everything, and be somebody: a new id, so that nobody else can have known it before."""
        self.clear()
        self.update(known, id=secrets.token_urlsafe(16))

    @property
    def csrf(self) -> str:
        """What proves that a form is ours."""
        if "csrf" not in self:
            self.setdefault("id", secrets.token_urlsafe(16))
            self["csrf"] = secrets.token_urlsafe(24)
        return str(self["csrf"])


class SealedSessions(SessionInterface):
    """Sessions in the browser, sealed: no table to fill, none to be stolen from."""

    def open_session(self, app: Flask, request: Request) -> PageSession:
        """What the browser's cookie holds; an empty session if it is not ours, or too old."""
        site = Site.of(app)
        found = unsealed(site.vault, request.cookies.get(COOKIE), _PURPOSE)
        session = PageSession()
        if found is None:
            return session
        now = site.world.clock().timestamp()
        if now - found["seen"] > IDLE.total_seconds() or now - found["begun"] > LONGEST.total_seconds():
            session.over = True
            return session
        session.update(found)
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie anew, for another half hour; take it away where there is nothing in it."""
        assert isinstance(session, PageSession)
        site = Site.of(app)
        if not session:
            if session.modified or session.over:
                response.delete_cookie(COOKIE, **_ATTRIBUTES)
            return
        now = site.world.clock().timestamp()
        session["seen"] = now
        session.setdefault("begun", now)
        set_cookie(response, COOKIE, sealed(site.vault, session, _PURPOSE))


_ATTRIBUTES: dict[str, Any] = {"path": "/", "secure": True, "httponly": True, "samesite": "Lax"}


def set_cookie(response: Response, name: str, value: str, max_age: timedelta | None = None) -> None:
    """Set one of our cookies; without ``max_age`` it ends with the browser."""
    response.set_cookie(name, value, max_age=max_age, **_ATTRIBUTES)


def delete_cookie(response: Response, name: str) -> None:
    """Take one of our cookies away."""
    response.delete_cookie(name, **_ATTRIBUTES)


def sealed(vault: Cipher, values: Mapping[str, Any], purpose: tuple[str, ...]) -> str:
    """Values as a cookie that only we can read, for one purpose."""
    return base64.urlsafe_b64encode(vault.seal(json.dumps(dict(values)).encode(), purpose)).decode()


def unsealed(vault: Cipher, cookie: str | None, purpose: tuple[str, ...]) -> dict[str, Any] | None:
    """What a cookie of ours holds; ``None`` for one that was not sealed by us for this purpose."""
    if not cookie:
        return None
    try:
        found: dict[str, Any] = json.loads(vault.open(base64.urlsafe_b64decode(cookie), purpose))
    except (binascii.Error, ValueError, StateUnreadable):
        return None
    return found
