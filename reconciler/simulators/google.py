"""Google Calendar API v3 and Google's OAuth, on one port.

API under ``/calendar/v3/``; consent page ``/o/oauth2/v2/auth``, ``/token``, ``/revoke``, ``/certs``.
Written from Google's documents alone; where those conflict or are silent, :class:`GoogleSwitches`
decides. Beyond the shared control surface:

============================  ===============================================================
``POST /_sim/accounts``       ``{"mailbox", "zone"?, "calendars"?: [names]}`` or a list of them
``POST /_sim/owner``          ``{"mailbox", "action", ...}``: a method of :class:`Owner` by name
``GET /_sim/calendar``        ``?mailbox=``, the events there; ``&deleted=1`` the deleted too
``POST /_sim/purge``          ``{"mailbox"}``: its tombstones disappear
``POST /_sim/tokens``         ``{"mailbox", "scopes"?}``: a refresh token
``POST /_sim/revoke``         ``{"mailbox"}``: its owner withdraws all consent
``GET /_sim/foreign``         answers that showed events not asked for by property or id
``GET /_sim/quota``           units spent so far, and how many requests were refused for want of quota
============================  ===============================================================
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from werkzeug.datastructures import MultiDict
from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from reconciler.simulators import google_events as events
from reconciler.simulators.google_consent import ConsentPage
from reconciler.simulators.google_errors import GoogleError, standard
from reconciler.simulators.google_fields import select
from reconciler.simulators.google_grants import AccessToken, Client, Grants, ServiceAccount
from reconciler.simulators.google_listing import list_events
from reconciler.simulators.google_oauth import Authority, OAuthError
from reconciler.simulators.google_owner import Owner
from reconciler.simulators.google_quota import Quota, QuotaLimits
from reconciler.simulators.google_store import Account, Calendar, GoogleStore, GoogleSwitches, Role
from reconciler.simulators.google_visit import METHODS, Visit
from reconciler.simulators.wire import Call, Fault, Simulator, json_response, type_environ

CLIENT = Client("simulated-client.apps.googleusercontent.com", "simulated-secret")
EVENT_SCOPES = ("https://www.googleapis.com/auth/calendar.events",)
_V3 = "/calendar/v3"
_EVENTS = f"{_V3}/calendars/<calendar_id>/events"

_Answer = Callable[[Visit], dict[str, Any] | None]
_ANSWERS: dict[str, tuple[str, _Answer]] = {
    "events_list": ("events", list_events),
    "events_get": ("event", events.get_event),
    "events_insert": ("event", events.insert_event),
    "events_update": ("event", events.update_event),
    "events_patch": ("event", events.patch_event),
    "events_delete": ("event", events.delete_event),
    "events_move": ("event", events.move_event),
    "calendars_get": ("calendar", events.get_calendar),
    "calendar_list": ("calendarList", events.list_calendars),
    "calendar_list_get": ("calendarListEntry", events.get_calendar_entry),
}


@dataclass(frozen=True)
class ForeignEvent:
    """An event that an answer showed though it bears no property asked for and was not named by id."""

    mailbox: str
    event_id: str
    url: str


class GoogleSimulator(Simulator):
    """All of simulated Google; many accounts, one default client."""

    def __init__(
        self, switches: GoogleSwitches | None = None, *, quota: QuotaLimits | None = None,
        access_token_seconds: int = 3600, clients: Iterable[Client] = (CLIENT,), testing_app: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.switches = switches or GoogleSwitches()
        self.store = GoogleStore()
        self.quota = Quota(quota)
        self.grants = Grants(self.clock, access_token_seconds, testing_app=testing_app)
        self.grants.clients.update({client.id: client for client in clients})
        self.owner = Owner(self.store, self.clock, self.lock, self.switches)
        self._authority = Authority(self.grants, self.store, self.clock, self.switches)
        self._consent = ConsentPage(self.grants, self.store)
        self._foreign: list[ForeignEvent] = []

    # what tests and the demo call -------------------------------------------------------------
    def add_account(self, mailbox: str, zone: str = "UTC") -> Account:
        """An account with its own calendar in an IANA zone; a known one is given back unchanged."""
        with self.lock:
            return self.store.add_account(mailbox, zone)

    def add_calendar(self, mailbox: str, summary: str, *, made_by_app: bool = False) -> Calendar:
        """A secondary calendar; ``made_by_app``: as if made through the API by this client."""
        with self.lock:
            return self.store.add_calendar(mailbox, summary, made_by_app=made_by_app)

    def share(self, calendar_id: str, mailbox: str, role: Role = "reader") -> None:
        """Let another account see, or write to, a calendar."""
        with self.lock:
            self.store.accounts[mailbox].calendars[calendar_id] = role

    def add_service_account(
        self, email: str, *, public_key: bytes | None = None, delegated: Iterable[str] = ()
    ) -> None:
        """A service account; with its public key (PEM) given, signatures are verified."""
        with self.lock:
            self.grants.service_accounts[email] = ServiceAccount(email, public_key, frozenset(delegated))
            self.store.add_account(email).service = True

    def issue_refresh_token(
        self, mailbox: str, scopes: Iterable[str] = EVENT_SCOPES, client_id: str = CLIENT.id
    ) -> str:
        """A live refresh token, as if the consent page had been gone through."""
        with self.lock:
            return self.grants.refresh_token(mailbox, client_id, scopes)

    def issue_access_token(self, mailbox: str, scopes: Iterable[str] = EVENT_SCOPES) -> str:
        """A live access token; it ends with the consent and with its hour."""
        with self.lock:
            consent = self.grants.consent(mailbox, CLIENT.id)
            return self.grants.access_token(mailbox, scopes, consent=consent)

    def revoke(self, mailbox: str) -> None:
        """The account's owner withdraws all consent."""
        with self.lock:
            self.grants.revoke_all(mailbox)

    def decide(
        self, url: str, mailbox: str, scopes: Iterable[str] | None = None, *, allow: bool = True
    ) -> str:
        """What the person at the consent page does; the address the browser is sent on to."""
        asked = MultiDict({name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()})
        ticked = asked["scope"].split() if scopes is None else list(scopes)
        with self.lock:
            return self._consent.decide(asked, mailbox, ticked, allow).headers["Location"]

    def expire_sync_tokens(self, mailbox: str) -> None:
        """No sync token given so far for the account's calendars is good any longer."""
        with self.lock:
            for calendar_id in self.store.accounts[mailbox].calendars:
                self.store.calendars[calendar_id].expire_sync_tokens()

    def foreign_events_shown(self) -> list[ForeignEvent]:
        """Every event shown so far that bore no property asked for and was not named by id."""
        return list(self._foreign)

    # the simulator's side of the wire ---------------------------------------------------------
    def rules(self) -> Iterable[Rule]:
        """Google's paths."""
        yield Rule(_EVENTS, endpoint="events_list", methods=["GET"])
        yield Rule(_EVENTS, endpoint="events_insert", methods=["POST"])
        for method, endpoint in (("GET", "get"), ("PUT", "update"), ("PATCH", "patch"), ("DELETE", "delete")):
            yield Rule(f"{_EVENTS}/<event_id>", endpoint=f"events_{endpoint}", methods=[method])
        yield Rule(f"{_EVENTS}/<event_id>/move", endpoint="events_move", methods=["POST"])
        yield Rule(f"{_V3}/users/me/calendarList", endpoint="calendar_list", methods=["GET"])
        yield Rule(
            f"{_V3}/users/me/calendarList/<calendar_id>", endpoint="calendar_list_get", methods=["GET"]
        )
        yield Rule(f"{_V3}/calendars/<calendar_id>", endpoint="calendars_get", methods=["GET"])
        yield Rule("/o/oauth2/v2/auth", endpoint="auth", methods=["GET"])
        yield Rule("/o/oauth2/v2/auth/decision", endpoint="decision", methods=["POST"])
        yield Rule("/token", endpoint="token", methods=["POST"])
        yield Rule("/revoke", endpoint="revoke_token", methods=["POST"])
        for path in ("/certs", "/oauth2/v3/certs"):
            yield Rule(path, endpoint="certs", methods=["GET"])

    def control_rules(self) -> Iterable[Rule]:
        """See the table above."""
        for name in ("accounts", "owner", "purge", "tokens", "revoke"):
            yield Rule(f"/_sim/{name}", endpoint=f"control_{name}", methods=["POST"])
        for name in ("calendar", "foreign", "quota"):
            yield Rule(f"/_sim/{name}", endpoint=f"control_{name}", methods=["GET"])

    def __call__(self, environ: type_environ, start_response: Any) -> Iterable[bytes]:
        """WSGI; a GET that came as a POST is turned back first."""
        if environ.get("HTTP_X_HTTP_METHOD_OVERRIDE") == "GET" and environ["REQUEST_METHOD"] == "POST":
            _as_get(environ)
        return super().__call__(environ, start_response)

    def identify(self, request: Request, endpoint: str, args: dict[str, Any]) -> tuple[str, str | None]:
        """The account is told by the bearer token, live or not; by the grant at the token endpoint."""
        if endpoint in METHODS:
            token = self.grants.known_access(_bearer(request))
            return METHODS[endpoint].operation, token.mailbox if token else None
        with self.lock:
            if endpoint in ("token", "revoke_token"):
                return endpoint.removesuffix("_token"), self._authority.whose(request)
        return ("auth" if endpoint == "decision" else endpoint), request.values.get(
            "account", request.args.get("login_hint")
        )

    def error(self, status: int, reason: str | None, message: str = "") -> Response:
        """Calendar's envelope, or the front end's for what concerns tokens and scopes."""
        return standard(status, reason).response()

    def fault_answer(self, call: Call, fault: Fault) -> Response:
        """The token endpoint refuses in OAuth's format."""
        if call.operation not in ("token", "revoke"):
            return self.error(fault.status, fault.reason)
        usual = {400: "invalid_grant", 401: "invalid_client"}.get(fault.status, "internal_failure")
        reason = fault.reason or usual
        words = "Token has been expired or revoked." if reason == "invalid_grant" else "Backend Error"
        return OAuthError(fault.status, reason, words).response()

    # Calendar -----------------------------------------------------------------------------------
    def perform(self, call: Call) -> Response:
        """One request at a time: nothing is promised about how fast simulated Google is."""
        with self.lock:
            if call.endpoint in _ANSWERS:
                return self._calendar(call, *_ANSWERS[call.endpoint])
            return super().perform(call)

    def _calendar(self, call: Call, kind: str, answer: _Answer) -> Response:
        """Token, scopes, quota, dead mailboxes; then the method itself; then ``fields``."""
        fields = call.request.args.get("fields")
        try:
            visit = self._admitted(call)
            select({}, fields, kind)
            whole = answer(visit)
        except GoogleError as refusal:
            return refusal.response()
        if whole is None:
            return Response(status=204)
        if call.request.headers.get("If-None-Match") == whole["etag"] and not visit.writes:
            return Response(status=304)
        resource = select(whole, fields, kind)
        if kind == "events":
            self._note_foreign(visit, resource, whole)
        response = json_response(resource)
        response.headers["ETag"] = whole["etag"]
        return response

    def _admitted(self, call: Call) -> Visit:
        method, token = METHODS[call.endpoint], self.grants.live_access(_bearer(call.request))
        if token is None or token.mailbox not in self.store.accounts:
            raise standard(401)
        if not token.scopes & method.scopes:
            raise GoogleError(403, "insufficientPermissions", f"calendar.v3.{method.name}")
        units = self.switches.patch_units if call.endpoint == "events_patch" else 1
        self.quota.charge(_payer(call, token), units, self.clock.now())
        fault = call.fault
        if fault is not None and fault.kind == "dead_mailbox":
            raise standard(403 if fault.status == 403 else 404, fault.reason)
        account = self.store.accounts[token.mailbox]
        return Visit(self.store, self.switches, account, token.scopes, call, self.clock.now())

    def _note_foreign(self, visit: Visit, shown: dict[str, Any], whole: dict[str, Any]) -> None:
        if shown.get("items") and "privateExtendedProperty" not in visit.args:
            url = visit.call.request.url
            self._foreign += [ForeignEvent(visit.account.mailbox, one["id"], url) for one in whole["items"]]

    # OAuth ----------------------------------------------------------------------------------------
    def auth(self, call: Call) -> Response:
        """The consent page."""
        return self._consent.show(call.request.args)

    def decision(self, call: Call) -> Response:
        """What its buttons send."""
        return self._consent.pressed(call.request.form)

    def token(self, call: Call) -> Response:
        """Tokens for a code, a refresh token or an assertion."""
        return self._authority.token(call.request)

    def revoke_token(self, call: Call) -> Response:
        """The end of a grant, at the client's request."""
        return self._authority.revoke(call.request)

    def certs(self, call: Call) -> Response:
        """The keys by which id tokens are verified."""
        return self._authority.certs()

    # control --------------------------------------------------------------------------------------
    def control_accounts(self, request: Request) -> Response:
        """Make accounts."""
        given = json.loads(request.get_data())
        made = []
        for one in given if isinstance(given, list) else [given]:
            account = self.add_account(one["mailbox"], one.get("zone", "UTC"))
            for name in one.get("calendars", ()):
                self.add_calendar(account.mailbox, name)
            made.append(
                {"mailbox": account.mailbox, "sub": account.sub, "calendars": list(account.calendars)}
            )
        return json_response({"accounts": made})

    def control_owner(self, request: Request) -> Response:
        """Act as the owner of a calendar; 404 for an unknown action, account or event."""
        given = json.loads(request.get_data())
        action = str(given.pop("action"))
        try:
            if action.startswith("_") or not hasattr(self.owner, action):
                raise KeyError(action)
            result = getattr(self.owner, action)(**given)
        except KeyError as unknown:
            return json_response({"error": f"unknown: {unknown}"}, 404)
        except (TypeError, GoogleError) as problem:
            return json_response({"error": str(problem)}, 400)
        return json_response({"result": result})

    def control_calendar(self, request: Request) -> Response:
        """Show what is in the calendars of an account."""
        mailbox = request.args.get("mailbox", "")
        if mailbox not in self.store.accounts:
            return json_response({"error": f"unknown: {mailbox}"}, 404)
        return json_response({"items": self.owner.dump(mailbox, deleted=request.args.get("deleted") == "1")})

    def control_purge(self, request: Request) -> Response:
        """Let the tombstones of an account disappear."""
        return json_response({"purged": self.owner.purge(json.loads(request.get_data())["mailbox"])})

    def control_tokens(self, request: Request) -> Response:
        """Issue a refresh token, with the client that may use it."""
        given = json.loads(request.get_data())
        token = self.issue_refresh_token(given["mailbox"], given.get("scopes", EVENT_SCOPES))
        return json_response({"refresh_token": token, "client_id": CLIENT.id, "client_secret": CLIENT.secret})

    def control_revoke(self, request: Request) -> Response:
        """Withdraw the consent of an account."""
        self.revoke(json.loads(request.get_data())["mailbox"])
        return json_response({})

    def control_foreign(self, request: Request) -> Response:
        """Show the events that nobody asked for."""
        return json_response({"foreign": [vars(one) for one in self._foreign]})

    def control_quota(self, request: Request) -> Response:
        """Show what was spent of the quota."""
        return json_response({"spent": self.quota.spent_units, "refused": self.quota.refused})


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else ""


def _payer(call: Call, token: AccessToken) -> str:
    """Delegated requests are charged to the service account unless they name a ``quotaUser``."""
    return call.request.args.get("quotaUser", "")[:40] or token.charged_to


def _as_get(environ: type_environ) -> None:
    """A GET too long for its URL came as a POST with the query as its form."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    environ["QUERY_STRING"] = environ["wsgi.input"].read(length).decode()
    environ["REQUEST_METHOD"], environ["CONTENT_LENGTH"] = "GET", "0"
    environ["wsgi.input"] = io.BytesIO()
