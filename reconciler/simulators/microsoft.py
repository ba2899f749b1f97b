"""Microsoft Graph v1.0 (calendar) and Microsoft Entra as one server.

``/v1.0/...`` plays graph.microsoft.com, ``/{tenant}/...`` plays login.microsoftonline.com. Steered by
methods, or over HTTP below ``/_sim/`` (beside what every simulator has):

=========================  ==============================================================================
``POST /_sim/accounts``    one ``{upn, name, consumer, admin}``, or a list; answers their object ids
``GET /_sim/calendar``     ``?mailbox=``: the events; ``deleted=1``: those in the bin too
``POST /_sim/owner``       ``{mailbox, action, event, fields}``: see :class:`Owner` for the actions
``POST /_sim/grants``      ``{mailbox, scopes}``: a refresh token; ``{mailbox, revoke: 50173}``
``POST /_sim/tenants``     ``{domain, ...}``: any field of :class:`Tenant`
``POST /_sim/apps``        ``{client_id, secret, redirect_uris}``
``GET /_sim/counts``       throttled requests, mails sent to guests, foreign events shown
=========================  ==============================================================================
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from random import Random
from threading import local
from typing import Any

from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from reconciler.simulators.microsoft_batch import run_batch
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, Account, ClientApp, Directory
from reconciler.simulators.microsoft_errors import CODE_OF_STATUS, DEAD_MAILBOXES, MESSAGES, GraphProblem
from reconciler.simulators.microsoft_grants import Access, Grants, short_scopes
from reconciler.simulators.microsoft_graph import (
    OPERATIONS,
    WRITES,
    ForeignEvent,
    GraphCalendar,
    graph_rules,
)
from reconciler.simulators.microsoft_oauth import OAUTH_OPERATIONS, SignIn, oauth_rules
from reconciler.simulators.microsoft_owner import Owner
from reconciler.simulators.microsoft_store import Mailbox, SentMail
from reconciler.simulators.microsoft_switches import MicrosoftSwitches
from reconciler.simulators.microsoft_throttle import Throttle
from reconciler.simulators.microsoft_times import stamp
from reconciler.simulators.wire import Call, Fault, Simulator, json_response

DEFAULT_SCOPES = "openid profile offline_access User.Read Calendars.ReadWrite"


class MicrosoftSimulator(Simulator):
    """The vendor. A ``mailbox`` is named by its UPN or object id; its UPN is what faults and counts go by."""

    def __init__(self, switches: MicrosoftSwitches | None = None, seed: int = 0) -> None:
        super().__init__()
        self.switches = switches or MicrosoftSwitches()
        self.directory = Directory()
        self.throttle = Throttle(self.clock, self.switches)
        self._random = Random(seed)
        self.grants = Grants(self.clock, self.switches, self._random)
        self._mailboxes: dict[str, Mailbox] = {}
        self._calendar = GraphCalendar(self.clock, self.switches)
        self._sign_in = SignIn(self.directory, self.grants, self.clock, self.switches, self._random)
        self._current = local()

    # for tests --------------------------------------------------------------------------------
    def add_account(self, upn: str, **more: Any) -> Account:
        """A person with an empty mailbox; see :meth:`Directory.add_account`."""
        with self.lock:
            account = self.directory.add_account(upn, **more)
            self._mailboxes[account.oid] = Mailbox(account, self.clock, self.switches)
            return account

    def mailbox(self, name: str) -> Mailbox:
        """KeyError where there is none."""
        account = self.directory.account(name)
        if account is None:
            raise KeyError(name)
        return self._mailboxes[account.oid]

    def owner(self, mailbox: str) -> Owner:
        """The person at that calendar."""
        return Owner(self.mailbox(mailbox))

    def issue_refresh_token(
        self, mailbox: str, scopes: str = DEFAULT_SCOPES, client_id: str = DEFAULT_CLIENT_ID
    ) -> str:
        """As if the person had just signed in and consented."""
        account = self.mailbox(mailbox).account
        with self.lock:
            self.grants.consents.setdefault((account.oid, client_id), set()).update(short_scopes(scopes))
            return self.grants.issue_refresh(client_id, account, scopes)

    def issue_access_token(
        self, mailbox: str, scopes: str = DEFAULT_SCOPES, client_id: str = DEFAULT_CLIENT_ID
    ) -> str:
        """A token for the person, expired by the simulated clock an hour later."""
        account = self.mailbox(mailbox).account
        return self.grants.issue_access(Access(client_id, account.tenant, account.oid, short_scopes(scopes)))

    def revoke(self, mailbox: str, code: int | None = 50173) -> None:
        """The person's grants die with that AADSTS code; None: they live again."""
        with self.lock:
            self.grants.revoke(self.mailbox(mailbox).account, code)

    def mails_sent(self, mailbox: str | None = None) -> list[SentMail]:
        """What guests were sent without anybody asking for it."""
        boxes = [self.mailbox(mailbox)] if mailbox else self._mailboxes.values()
        return [mail for box in boxes for mail in box.mails]

    def foreign_events_shown(self) -> list[ForeignEvent]:
        """Events that were listed to a client although they bear no property it asked for."""
        return self._calendar.foreign

    # what the base asks -----------------------------------------------------------------------
    def rules(self) -> Iterable[Rule]:
        """Batch, the calendar's paths, and sign-in."""
        yield Rule("/v1.0/$batch", endpoint="batch", methods=["POST"])
        yield from graph_rules()
        yield from oauth_rules()

    def identify(self, request: Request, endpoint: str, args: dict[str, Any]) -> tuple[str, str | None]:
        """The operation by its endpoint; the mailbox by path, token or grant."""
        if endpoint in OAUTH_OPERATIONS:
            account = self._sign_in.holder(request) if endpoint == "token" else None
        elif "user" in args:
            account = self.directory.account(args["user"])
        else:
            access = self._access(request)
            account = self.directory.account(access.account) if access and access.account else None
        operation = OPERATIONS.get(endpoint) or OAUTH_OPERATIONS.get(endpoint) or endpoint
        return operation, account.upn if account else None

    def error(
        self, status: int, reason: str | None, message: str = "", headers: dict[str, str] | None = None
    ) -> Response:
        """Graph's envelope: https://learn.microsoft.com/graph/errors#error-resource-type."""
        code = reason or CODE_OF_STATUS.get(status, "generalException")
        inner = {"date": stamp(self.clock.now())[:19], **self._request_ids()}
        text = message or MESSAGES.get(code, code)
        response = json_response({"error": {"code": code, "message": text, "innerError": inner}}, status)
        response.headers.update(headers or {})
        return response

    def fault_answer(self, call: Call, fault: Fault) -> Response:
        """Sign-in endpoints refuse in OAuth's words, the rest in Graph's."""
        if call.endpoint in OAUTH_OPERATIONS:
            return self._sign_in.fault_answer(fault)
        return super().fault_answer(call, fault)

    def _answer(self, request: Request) -> Response:
        outer = getattr(self._current, "request", None)
        self._current.request = request
        request.environ["sim.request_id"] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        try:
            response = super()._answer(request)
            response.headers.update(self._request_ids())
            return response
        finally:
            self._current.request = outer

    def _request_ids(self) -> dict[str, str]:
        request: Request = self._current.request
        own = request.environ["sim.request_id"]
        return {"request-id": own, "client-request-id": request.headers.get("client-request-id", own)}

    # one request ------------------------------------------------------------------------------
    def _run(self, call: Call) -> Response:
        if call.mailbox is None or call.endpoint in OAUTH_OPERATIONS or call.endpoint == "batch":
            return super()._run(call)
        access = self._access(call.request)
        try:
            with self.throttle.slot((access.client_id if access else "", call.mailbox)):
                time.sleep(self.switches.latency_seconds)
                return super()._run(call)
        except GraphProblem as problem:
            return self.error(problem.status, problem.code, problem.message, problem.headers)

    def perform(self, call: Call) -> Response:
        """The endpoint's answer once token, mailbox and scopes allow it."""
        if call.endpoint in OAUTH_OPERATIONS:
            with self.lock:
                return self._sign_in.answer(call)
        try:
            access = self._access(call.request)
            if access is None:
                raise GraphProblem(401, "InvalidAuthenticationToken")
            if call.endpoint == "batch":
                return run_batch(call, self._answer)
            mailbox = self._addressed(call, access)
            with self.lock:
                response: Response = getattr(self._calendar, call.endpoint)(call, mailbox)
                return response
        except GraphProblem as problem:
            return self.error(problem.status, problem.code, problem.message, problem.headers)

    def _access(self, request: Request) -> Access | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        return self.grants.read_access(token) if kind.lower() == "bearer" else None

    def _addressed(self, call: Call, access: Access) -> Mailbox:
        """The mailbox this request may touch; GraphProblem where it is dead or not this token's."""
        if access.account is None and "user" not in call.args:
            message = "/me request is only valid with delegated authentication flow."
            raise GraphProblem(400, "BadRequest", message)
        account = self.directory.account(call.mailbox or "")
        if account is None or (access.account is None and account.tenant != access.tenant):
            raise GraphProblem(404, "ErrorInvalidUser")
        self._check_dead(call)
        if access.account not in (None, account.oid):
            raise GraphProblem(403, "ErrorAccessDenied")
        if access.account is None:
            reach = self.directory.tenant(access.tenant).application_reach.get(access.client_id)
            if reach is not None and account.oid not in reach:
                raise GraphProblem(403, "ErrorAccessDenied", "Access to OData is disabled.")
        _check_scopes(call.endpoint, access.scopes)
        return self._mailboxes[account.oid]

    def _check_dead(self, call: Call) -> None:
        if call.fault is None or call.fault.kind != "dead_mailbox":
            return
        reason = call.fault.reason or "MailboxNotEnabledForRESTAPI"
        by_name = "@" in call.args.get("user", "")
        if reason == "MailboxInfoStale" and not by_name:
            return  # seen to persist for addresses, never for object ids
        raise GraphProblem(DEAD_MAILBOXES.get(reason, 404), reason)

    # control ----------------------------------------------------------------------------------
    def control_rules(self) -> Iterable[Rule]:
        """What the table above lists."""
        for name in ("accounts", "owner", "grants", "tenants", "apps"):
            yield Rule(f"/_sim/{name}", endpoint=f"control_{name}", methods=["POST"])
        for name in ("calendar", "counts"):
            yield Rule(f"/_sim/{name}", endpoint=f"control_{name}", methods=["GET"])

    def control_accounts(self, request: Request) -> Response:
        """Make accounts."""
        given = json.loads(request.get_data())
        made = [self.add_account(**one) for one in (given if isinstance(given, list) else [given])]
        return json_response([vars(account) for account in made])

    def control_calendar(self, request: Request) -> Response:
        """What is in a mailbox."""
        owner = self.owner(request.args["mailbox"])
        with self.lock:
            events = owner.look(deleted=request.args.get("deleted") == "1")
            return json_response({"events": events, "calendars": owner.calendars()})

    def control_owner(self, request: Request) -> Response:
        """Act as a calendar's owner; 404 where there is nothing to act on."""
        given = json.loads(request.get_data())
        try:
            with self.lock:
                owner = self.owner(given["mailbox"])
                made = owner.act(given["action"], given.get("event"), given.get("fields") or {})
        except (KeyError, GraphProblem) as problem:
            return json_response({"error": repr(problem)}, 404)
        return json_response({"id": made})

    def control_grants(self, request: Request) -> Response:
        """Give a refresh token, or let a person's grants die."""
        given = json.loads(request.get_data())
        if "revoke" in given:
            self.revoke(given["mailbox"], given["revoke"])
            return json_response({})
        token = self.issue_refresh_token(given["mailbox"], given.get("scopes", DEFAULT_SCOPES))
        return json_response({"refresh_token": token})

    def control_tenants(self, request: Request) -> Response:
        """What a tenant's administrators decide."""
        given = json.loads(request.get_data())
        tenant = self.directory.add_tenant(given.pop("domain"))
        for name, value in given.items():
            setattr(tenant, name, set(value) if name == "admin_consented" else value)
        return json_response({"id": tenant.id, "domain": tenant.domain})

    def control_apps(self, request: Request) -> Response:
        """Register an application."""
        given = json.loads(request.get_data())
        given["redirect_uris"] = set(given.get("redirect_uris", ()))
        self.directory.register_app(ClientApp(**given))
        return json_response({})

    def control_counts(self, request: Request) -> Response:
        """What happened that no answer tells."""
        return json_response(
            {
                "refused": dict(self.throttle.refused),
                "most_at_once": self.throttle.most_at_once,
                "mails": [vars(mail) for mail in self.mails_sent()],
                "foreign": [vars(event) for event in self.foreign_events_shown()],
            }
        )


def _check_scopes(endpoint: str, scopes: frozenset[str]) -> None:
    """Least privileges per endpoint, as Graph's permissions reference lists them."""
    if endpoint == "get_user":
        if not scopes & {"User.Read", "User.ReadWrite", "User.Read.All"}:
            raise GraphProblem(403, "Authorization_RequestDenied", "Insufficient privileges.")
        return
    enough = {"Calendars.ReadWrite"} if endpoint in WRITES else {"Calendars.ReadWrite", "Calendars.Read"}
    if not scopes & enough:
        raise GraphProblem(403, "ErrorAccessDenied")
