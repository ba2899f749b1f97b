"""The bare clients: what anybody would write who had only to make these calls, and had nothing to remember.

Each request that the program sent to one mailbox is sent to another one in the same order, by Google's own
client library, or by requests. An event made before is the one that is asked for, changed or deleted next.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httplib2
import requests
from googleapiclient.discovery import build
from googleapiclient.http import HttpRequest

from benchmarks.vendors import Account, Vendor

Request = dict[str, Any]
"""One request as the simulator saw it."""

Send = Callable[[Account, Request], None]


def client(vendor: Vendor) -> Send:
    """The bare client of this vendor."""
    return {"google": _google, "microsoft": _microsoft}[vendor.name](vendor)


def _google(vendor: Vendor) -> Send:
    http = httplib2.Http(ca_certs=vendor.ca_file)
    service = build(
        "calendar",
        "v3",
        http=http,
        static_discovery=True,
        client_options={"api_endpoint": f"{vendor.url}/calendar/v3/"},
    )
    events = service.events()
    known: dict[str, dict[str, Any]] = {}

    def request_of(account: Account, seen: Request) -> HttpRequest:
        where: dict[str, Any] = {"calendarId": account.calendar}
        if seen["operation"] == "list":
            return events.list(**where, **{name: values[0] for name, values in seen["query"].items()})
        if seen["operation"] == "create":
            return events.insert(**where, body=json.loads(seen["body"]), sendUpdates="none")
        where["eventId"] = known[account.mailbox]["id"]
        if seen["operation"] == "get":
            return events.get(**where)
        if seen["operation"] == "update":
            request = events.update(**where, body=json.loads(seen["body"]), sendUpdates="none")
        else:
            request = events.delete(**where, sendUpdates="none")
        request.headers["If-Match"] = known[account.mailbox]["etag"]
        return request

    def send(account: Account, seen: Request) -> None:
        request = request_of(account, seen)
        request.headers["authorization"] = f"Bearer {account.token}"
        answer = request.execute()
        if "id" in answer:
            known[account.mailbox] = answer

    return send


def _microsoft(vendor: Vendor) -> Send:
    session = requests.Session()
    session.trust_env = False
    session.verify = vendor.ca_file
    known: dict[str, dict[str, Any]] = {}

    def send(account: Account, seen: Request) -> None:
        root = f"{vendor.url}/v1.0/users/{account.oid}"
        headers = {"Authorization": f"Bearer {account.token}", "Prefer": seen["headers"]["prefer"]}
        content = json.loads(seen["body"]) if seen["body"] else None
        if seen["operation"] in ("create", "list", "find"):
            url = f"{root}/calendars/{quote(account.calendar, safe='')}/events"
        else:
            url = f"{root}/events/{quote(known[account.mailbox]['id'], safe='')}"
        if "if-match" in seen["headers"]:
            headers["If-Match"] = known[account.mailbox]["@odata.etag"]
        answer = session.request(
            seen["method"], url, params=seen["query"] or None, json=content, headers=headers
        )
        answer.raise_for_status()
        if answer.content and "id" in (found := answer.json()):
            known[account.mailbox] = found

    return send
