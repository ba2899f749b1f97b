"""Google's consent page: whom to connect, what to grant, Allow or Deny.

Several scopes come as boxes that are not ticked, so that people who just press Allow grant nothing
but their identity; one scope alone is ticked. A refresh token is given for ``access_type=offline``
at the first consent, and again only with ``prompt=consent``. Source: Google's OAuth guide for web
server applications, "Granular permissions".
"""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from reconciler.simulators.google_grants import IDENTITY, Grants, canonical
from reconciler.simulators.google_store import GoogleStore
from reconciler.simulators.google_visit import seal, unseal
from reconciler.simulators.person_pages import person_page

Asked = MultiDict[str, str]


class ConsentPage:
    """The page a browser is sent to, and what its buttons do."""

    def __init__(self, grants: Grants, store: GoogleStore) -> None:
        self._grants, self._store = grants, store

    def show(self, asked: Asked) -> Response:
        """The page for an authorization request; an HTML error where Google would not redirect."""
        problem = self._problem(asked)
        if problem is not None:
            return _page("Access blocked", f"<p>Error {escape(problem)}</p>", int(problem.split(":")[0]))
        if asked.get("prompt") == "none":
            return _redirect(asked, {"error": "interaction_required"})
        choices = [scope for scope in _scopes(asked) if scope not in IDENTITY.values()]
        boxes = "".join(_box(scope, ticked=len(choices) == 1) for scope in choices)
        form = _FORM.format(
            client=escape(asked["client_id"]),
            accounts=self._accounts(asked.get("login_hint")),
            boxes=boxes,
            request=escape(seal(asked.to_dict())),
        )
        return _page("An application wants access to your Google Account", form)

    def pressed(self, form: MultiDict[str, str]) -> Response:
        """A button of the page was pressed: back to the client with a code, or with an error."""
        asked: Asked = MultiDict(unseal(form.get("request", "")) or {})
        if self._problem(asked) is not None:
            return _page("Access blocked", "", 400)
        return self.decide(
            asked, form.get("account", ""), form.getlist("scope"), form.get("decision") == "allow"
        )

    def decide(self, asked: Asked, mailbox: str, ticked: list[str], allow: bool) -> Response:
        """The redirect that follows; identity scopes cannot be unticked."""
        if mailbox not in self._store.accounts:
            return _page("Couldn't find your Google Account", "", 400)
        wanted = _scopes(asked)
        granted = wanted & (canonical(ticked) | set(IDENTITY.values()))
        if not allow or not granted:
            return _redirect(asked, {"error": "access_denied"})
        before = self._grants.consent(mailbox, asked["client_id"]).scopes
        if asked.get("include_granted_scopes") == "true":
            granted |= before
        code = self._grants.add_code(
            asked["client_id"], mailbox, granted, asked["redirect_uri"],
            challenge=asked.get("code_challenge"), nonce=asked.get("nonce"),
            refreshable=asked.get("access_type") == "offline"
            and (not before or "consent" in asked.get("prompt", "").split()),
        )  # fmt: skip
        return _redirect(asked, {"code": code, "scope": " ".join(sorted(granted)), "prompt": "consent"})

    def _problem(self, asked: Asked) -> str | None:
        client = self._grants.clients.get(asked.get("client_id", ""))
        if client is None:
            return "401: invalid_client"
        target = asked.get("redirect_uri")
        if not target or (client.redirect_uris and target not in client.redirect_uris):
            return "400: redirect_uri_mismatch"
        if asked.get("response_type") != "code" or not asked.get("scope"):
            return "400: invalid_request"
        if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
            return "400: invalid_request"
        return None

    def _accounts(self, hint: str | None) -> str:
        known = [hint] if hint in self._store.accounts else list(self._store.accounts)[:100]
        return "".join(f"<option>{escape(str(one))}</option>" for one in known)


def _scopes(asked: Asked) -> frozenset[str]:
    return canonical(asked["scope"].split())


def _box(scope: str, *, ticked: bool) -> str:
    name, mark = escape(scope), " checked" if ticked else ""
    words = f"{escape(_IN_WORDS[scope])}<small>{name}</small>" if scope in _IN_WORDS else name
    box = f'<input type="checkbox" name="scope" value="{name}"{mark}>'
    return f"<li><label>{box} <span>{words}</span></label></li>"


def _redirect(asked: Asked, answer: dict[str, str]) -> Response:
    if "state" in asked:
        answer = {"state": asked["state"], **answer}
    target = asked["redirect_uri"]
    separator = "&" if "?" in target else "?"
    return Response(status=302, headers={"Location": target + separator + urlencode(answer)})


def _page(title: str, body: str, status: int = 200) -> Response:
    return person_page("Google", title, body, status)


_IN_WORDS = {
    "https://www.googleapis.com/auth/calendar.events": "View and edit events on all your calendars",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly": "See the list of your calendars",
}
"""As Google's page names them (https://developers.google.com/identity/protocols/oauth2/scopes)."""
_FORM = """
<p>{client}</p>
<form method="post" action="/o/oauth2/v2/auth/decision">
<input type="hidden" name="request" value="{request}">
<p><label>Account <select name="account">{accounts}</select></label></p>
<ul>{boxes}</ul>
<p class="buttons"><button name="decision" value="deny">Deny</button>
<button class="yes" name="decision" value="allow">Allow</button></p>
</form>
"""
