"""Both simulated vendors' consent as a browser goes through it, and our flows in front of it over HTTPS.

A vendor's page is opened and its button pressed as a person does; what comes back is the query with which
the browser returns to us.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from reconciler.ports import ConnectFlow, FlowStart, Granted
from reconciler.providers.google.client import PERSON_QUOTA as GOOGLE_PERSON
from reconciler.providers.google.client import PROJECT_QUOTA, Client
from reconciler.providers.google.connect import GoogleConsent
from reconciler.providers.google.oauth import AccessTokens as GoogleTokens
from reconciler.providers.google.transport import Transport as GoogleTransport
from reconciler.providers.microsoft.client import AT_ONCE, PERSON_QUOTAS, PROJECT_QUOTAS, Graph
from reconciler.providers.microsoft.connect import MicrosoftConsent
from reconciler.providers.microsoft.oauth import AccessTokens as MicrosoftTokens
from reconciler.providers.microsoft.oauth import Entra
from reconciler.providers.microsoft.transport import Transport as MicrosoftTransport
from reconciler.providers.throttle import AtOnce, Throttle
from reconciler.simulators.google import CLIENT, GoogleSimulator
from reconciler.simulators.microsoft import MicrosoftSimulator
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, DEFAULT_SECRET, ClientApp
from tests.support.google import Tokens, impatient
from tests.support.microsoft_bed import HeldTokens, certificates

CALLBACK = "https://calendar.example/callback"
ANA = "ana@contoso.example"
Answer = dict[str, str]


@dataclass
class Consent:
    """One vendor, and our flow with it."""

    simulator: Any
    url: str
    flow: ConnectFlow

    def begin(self, state: str = "state-1", hint: str | None = None) -> FlowStart:
        return self.flow.begin(CALLBACK, state, hint)

    def finish(self, start: FlowStart, answer: Mapping[str, str]) -> Granted:
        return self.flow.finish(start.secrets, CALLBACK, answer)

    def granted(self, mailbox: str = ANA, **pressed: Any) -> Granted:
        """All the way, from our button to the grant."""
        start = self.begin()
        return self.finish(start, self.press(start.auth_url, mailbox, **pressed))

    def press(self, url: str, mailbox: str = ANA, decision: str = "", **pressed: Any) -> Answer:
        """What the browser comes back with, after this button of the vendor's page."""
        raise NotImplementedError

    def answers(self) -> int:
        """How many token requests there were."""
        return int(self.simulator.recorder.count("token"))


class AtGoogle(Consent):
    """Google's page: ``ticked`` are the boxes, all where it is None."""

    def press(
        self,
        url: str,
        mailbox: str = ANA,
        decision: str = "allow",
        *,
        ticked: Collection[str] | None = None,
    ) -> Answer:
        with _browser() as browser:
            page = browser.get(url, timeout=10).text
            boxes = re.findall(r'name="scope" value="([^"]+)"', page)
            form = {
                "request": unescape(re.findall(r'name="request" value="([^"]+)"', page)[0]),
                "account": mailbox,
                "scope": boxes if ticked is None else list(ticked),
                "decision": decision,
            }
            target = f"{self.url}/o/oauth2/v2/auth/decision"
            answer = browser.post(target, data=form, allow_redirects=False, timeout=10)
        return _returned(answer)


class AtMicrosoft(Consent):
    """Entra's page; where an administrator's approval is needed, its button back."""

    def press(self, url: str, mailbox: str = ANA, decision: str = "accept") -> Answer:
        with _browser() as browser:
            assert browser.get(url, timeout=10).ok
            form = {"account": mailbox, "decision": decision}
            answer = browser.post(url, data=form, allow_redirects=False, timeout=10)
            if "Need admin approval" in answer.text:
                form["decision"] = "return"
                answer = browser.post(url, data=form, allow_redirects=False, timeout=10)
        return _returned(answer)


def _browser() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificates().ca_file)
    return session


def _returned(answer: requests.Response) -> Answer:
    target = answer.headers["Location"]
    assert target.startswith(f"{CALLBACK}?"), target
    return dict(parse_qsl(urlsplit(target).query))


@contextmanager
def at_google(secret: str = CLIENT.secret, **settings: Any) -> Iterator[AtGoogle]:
    """Google with Ana's account."""
    simulator = GoogleSimulator()
    simulator.add_account(ANA)
    with simulator.serve(certificates()) as served:
        url = served.url
        wire = GoogleTransport(ca_file=str(certificates().ca_file), timeout=5.0)
        tokens = GoogleTokens(Tokens(), wire, client_id=CLIENT.id, client_secret=secret)
        throttle = Throttle("google", [PROJECT_QUOTA], [GOOGLE_PERSON], sleep=impatient)
        client = Client(wire, tokens, throttle, endpoint=f"{url}/calendar/v3/")
        flow = GoogleConsent(
            wire,
            client,
            client_id=CLIENT.id,
            client_secret=secret,
            auth_uri=f"{url}/o/oauth2/v2/auth",
            token_uri=f"{url}/token",
            revoke_uri=f"{url}/revoke",
            keys_uri=f"{url}/oauth2/v3/certs",
            **settings,
        )
        yield AtGoogle(simulator, url, flow)


@contextmanager
def at_microsoft(secret: str = DEFAULT_SECRET, **settings: Any) -> Iterator[AtMicrosoft]:
    """Microsoft with Ana's account."""
    simulator = MicrosoftSimulator()
    simulator.directory.register_app(ClientApp(DEFAULT_CLIENT_ID, DEFAULT_SECRET, {CALLBACK}))
    simulator.add_account(ANA)
    with simulator.serve(certificates()) as served:
        wire = MicrosoftTransport(ca_file=str(certificates().ca_file))
        entra = Entra(DEFAULT_CLIENT_ID, secret, wire, login_url=served.url)
        throttle = Throttle("microsoft", PROJECT_QUOTAS, PERSON_QUOTAS, sleep=impatient)
        tokens = MicrosoftTokens(entra, HeldTokens())
        graph = Graph(wire, tokens, throttle, AtOnce(AT_ONCE), f"{served.url}/v1.0")
        yield AtMicrosoft(simulator, served.url, MicrosoftConsent(entra, graph, **settings))
