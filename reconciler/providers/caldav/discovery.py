"""From an address, a user name and a password to a person's calendars, and to what their server is like.

Sources: RFC 6764 (``/.well-known/caldav``), RFC 5397 (current-user-principal), RFC 4791 section 6.2.1
(calendar-home-set). Redirects and references are followed as far as the guard lets.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

from reconciler.errors import (
    EventChanged,
    EventError,
    EventGone,
    MailboxUnavailable,
    ReauthorizationNeeded,
    ReconcilerError,
    VendorNonsense,
)
from reconciler.providers.caldav import dav, mapping
from reconciler.providers.caldav.client import Login, NotTaken, Server, TokenRefused, Wire
from reconciler.providers.caldav.guard import Refused, origin_of
from reconciler.providers.caldav.manners import Manners

_PRINCIPAL = f"{dav.DAV}current-user-principal"
_HOME = f"{dav.CALDAV}calendar-home-set"
_TYPE = f"{dav.DAV}resourcetype"
_NAME = f"{dav.DAV}displayname"
_COMPONENTS = f"{dav.CALDAV}supported-calendar-component-set"
_PRIVILEGES = f"{dav.DAV}current-user-privilege-set"
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WELL_KNOWN = "/.well-known/caldav"


@dataclass(frozen=True, slots=True)
class CalendarSeen:
    """A calendar that may hold events. ``writable``: as far as the server says."""

    path: str
    name: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """Where a person's calendars lie: the way in (whose origin may be another than the one typed), the
    principal's path, which names them for ever, and the calendars' home."""

    login: Login
    principal: str
    home: str


def account_of(wire: Wire, address: str, user: str, password: str) -> Account:
    """Find a person's calendars. Raises ``ReauthorizationNeeded`` for a password that is not taken,
    :class:`~reconciler.providers.caldav.guard.Refused` where no CalDAV server is found, whyever."""
    absolute = address if "://" in address else f"https://{address}"
    login = Login(origin_of(absolute), user, password)
    path = urlsplit(absolute).path or "/"
    for start in _starts(path):
        with suppress(VendorNonsense, MailboxUnavailable, EventError):
            return _from(wire, login, start)
    raise Refused


def away(wire: Wire, address: str) -> str | None:
    """Why no CalDAV server can be reached there, if none can: asked without user or password."""
    origin, path = origin_of(address), urlsplit(address).path or "/"
    answers = []
    for start in _starts(path):
        try:
            answer = wire.transport.send("PROPFIND", origin, start, {"Depth": "0"})
        except ReconcilerError as problem:
            return str(problem)
        if answer.status in {207, 401, *_REDIRECTS}:
            return None
        answers.append(f"{answer.status} to PROPFIND {start}")
    return f"no CalDAV server: it answered {' and '.join(answers)}"


def _starts(path: str) -> list[str]:
    """Where to begin, from the path of an address."""
    return [path] if path != "/" else [_WELL_KNOWN, "/"]


def _from(wire: Wire, login: Login, start: str) -> Account:
    """From one path to the calendars' home."""
    login, path, found = _landed(wire, login, start)
    entry = _only(found)
    principal = entry.path
    if _HOME not in entry.found or _is_another(entry):
        login, principal = _hop(wire, login, path, entry, _PRINCIPAL)
        login, path, found = _landed(wire, login, principal)
        principal, entry = path, _only(found)
    login, home = _hop(wire, login, path, entry, _HOME)
    return Account(login, principal, home)


def _is_another(entry: dav.Entry) -> bool:
    """Whether what lies there is not the principal of whoever asks, or is it by another spelling."""
    href = _href(entry, _PRINCIPAL)
    return bool(href) and urlsplit(href).path != entry.path


def _landed(wire: Wire, login: Login, path: str) -> tuple[Login, str, dav.Multistatus]:
    """Where redirects end, and what lies there."""
    for _ in range(_MOST_REDIRECTS):
        answer = Server(wire, login).raw_propfind(path, _PRINCIPAL, _HOME)
        if answer.status in _REDIRECTS:
            login, path = _following(wire, login, path, answer.headers.get("Location", ""))
        elif answer.status == 207:
            return login, path, dav.multistatus(answer.body, wire.transport.guard, login.origin)
        else:
            break
    raise VendorNonsense("there is no CalDAV at this address")


def _hop(wire: Wire, login: Login, path: str, entry: dav.Entry, name: str) -> tuple[Login, str]:
    """Where a property's reference leads."""
    href = _href(entry, name)
    if not href:
        raise VendorNonsense("the server does not say where its calendars are")
    return _following(wire, login, path, href)


def _href(entry: dav.Entry, name: str) -> str:
    element = entry.found.get(name)
    href = element.findtext(f"{dav.DAV}href") if element is not None else None
    return str(href or "").strip()


def _following(wire: Wire, login: Login, path: str, to: str) -> tuple[Login, str]:
    """Go where a server points, as far as that is allowed."""
    address = urljoin(f"{login.origin}{path}", to)
    origin = origin_of(address)
    if not wire.transport.guard.follows(login.origin, origin):
        raise Refused
    return replace(login, origin=origin), dav.path_of(address, origin)


def _only(found: dav.Multistatus) -> dav.Entry:
    if not found.entries:
        raise VendorNonsense("the server answered an empty list")
    return found.entries[0]


def calendars_in(server: Server, home: str) -> list[CalendarSeen]:
    """The calendars of an account that may hold events, those of invitations and of what was deleted left
    out."""
    found = server.propfind(home, 1, _TYPE, _NAME, _COMPONENTS, _PRIVILEGES, operation="find")
    return [
        CalendarSeen(
            entry.path, entry.text(_NAME) or entry.path.rstrip("/").rpartition("/")[2], _writable(entry)
        )
        for entry in found.entries
        if f"{dav.CALDAV}calendar" in entry.names(_TYPE) and _holds_events(entry)
    ]


def _holds_events(entry: dav.Entry) -> bool:
    """RFC 4791 section 5.2.3: without the property, everything is taken."""
    element = entry.found.get(_COMPONENTS)
    return element is None or "VEVENT" in {child.get("name") for child in element}


def _writable(entry: dav.Entry) -> bool:
    element = entry.found.get(_PRIVILEGES)
    if element is None:
        return True
    granted = {child.tag for privilege in element for child in privilege}
    return bool(granted & {f"{dav.DAV}{name}" for name in ("all", "write", "write-content", "bind")})


# What a server is like ------------------------------------------------------------------------------


def manners_of(server: Server, calendar: str) -> Manners:
    """Try the server's manners out in a calendar, with an event of an hour in ten years that is removed at
    once. Raises what stands in the way of writing there."""
    uid = f"ilt-trial-{secrets.token_hex(8)}"
    path, other = (f"{calendar.rstrip('/')}/{uid}{suffix}.ics" for suffix in ("", "-2"))
    offered = server.options(calendar)
    schedules = "calendar-auto-schedule" in offered or "calendar-access" not in offered
    server.create(path, _trial(uid))
    try:
        return Manners(
            syncs=_refuses_tokens(server, calendar),
            conditional=_refuses_second(server, path, uid) and _heeds_etags(server, path),
            unique_uids=_refuses_uid(server, other, uid),
            filters=_filters(server, calendar),
            schedules=schedules,
        )
    finally:
        for made in (path, other):
            with suppress(EventGone):
                server.delete(made, None)


def _refuses_tokens(server: Server, calendar: str) -> bool:
    """Whether a token that was never given is refused: a server that takes it takes old ones too, and leaves
    out what was deleted."""
    try:
        server.changes(calendar, f"http://ilt.invalid/sync/{secrets.token_hex(8)}")
    except TokenRefused:
        return True
    except (VendorNonsense, MailboxUnavailable, ReauthorizationNeeded):
        return False
    return False


def _refuses_second(server: Server, path: str, uid: str) -> bool:
    try:
        server.create(path, _trial(uid))
    except (EventChanged, NotTaken):
        return True
    return False


def _heeds_etags(server: Server, path: str) -> bool:
    try:
        server.delete(path, f'"{secrets.token_hex(8)}"')
    except EventChanged:
        return True
    except ReconcilerError:
        return False
    return False


def _filters(server: Server, calendar: str) -> bool:
    """Whether a search for a marker that nobody bears finds nothing, beside the event of the trial."""
    try:
        return not server.report(calendar, dav.query({mapping.TOKEN: secrets.token_hex(20)})).entries
    except VendorNonsense:
        return False


def _refuses_uid(server: Server, path: str, uid: str) -> bool:
    """Tried while the first is there."""
    try:
        server.create(path, _trial(uid))
    except EventError:
        return True
    return False


def _trial(uid: str) -> str:
    begin = datetime.now(UTC) + timedelta(days=3650)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//ILT calendar reconciler//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{begin:%Y%m%dT%H0000Z}",
        f"DTEND:{begin + timedelta(hours=1):%Y%m%dT%H0000Z}",
        "SUMMARY:Trying out whether this calendar can be kept up to date (removed at once)",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "\r\n".join(lines) + "\r\n"
