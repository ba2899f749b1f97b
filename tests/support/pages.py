"""The pages of a whole house, in front of both simulated vendors, and people who come to them.

::

    with the_pages(folder, ledger_url) as pages:
        ana = pages.arrive("ana")
        ana.press("Authorize Google Calendar")
        pages.allow(ana)
        assert "Your calendar is connected." in ana.text
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
from flask import Flask

from reconciler.mail.letter import Letter, Mailbox
from reconciler.mail.smtp import Delivery
from reconciler.model import MailState
from reconciler.pages import site_of
from reconciler.post.notices import OutboxNotices
from reconciler.post.posting import Posting
from reconciler.simulators.microsoft_directory import DEFAULT_CLIENT_ID, DEFAULT_SECRET, ClientApp
from reconciler.web.app import create_app
from reconciler.web.limiting import Limits
from reconciler.web.site import Site
from tests.support.browser import Browser
from tests.support.house import HouseBed, a_house

PUBLIC = "https://calendar.example.org"
LMS = "https://learn.example.org"
SECRET = "a secret that Acme's LMS and we share, long enough"
KID = "acme-2026"


class NoServer:
    """Where nothing is sent from: what people are told waits in the outbox."""

    def compose(self, letter: Letter, message_id: str, now: datetime) -> bytes:
        raise AssertionError("nothing is sent here")

    def send(self, sender: str, recipient: str, message: bytes) -> Delivery:
        raise AssertionError("nothing is sent here")


@dataclass(frozen=True)
class Told(OutboxNotices):
    """What people were told, as it was written down."""

    bed: HouseBed

    @property
    def kinds(self) -> list[str]:
        return [mail.kind for mail in self.bed.house.ledger.mails((MailState.WAITING,), 100)]


@dataclass
class Pages:
    """The pages, and the house they belong to."""

    bed: HouseBed
    told: Told
    limits: Limits
    public: str = PUBLIC
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _app: Flask | None = None

    @property
    def site(self) -> Site:
        site = site_of(self.bed.house)
        farewell = replace(site.farewell, notices=self.told)
        welcome = replace(site.welcome, notices=self.told)
        return replace(site, welcome=welcome, farewell=farewell, limits=self.limits)

    @property
    def app(self) -> Flask:
        """The application, made once."""
        if self._app is None:
            self._app = create_app(self.site)
        return self._app

    def anew(self) -> None:
        """The pages start again, as they do with other settings."""
        self._app = None

    # Links ----------------------------------------------------------------------------------------

    def token(self, person: str = "ana", *, key: Any = SECRET, kid: str | None = KID, **claims: Any) -> str:
        """A launch token as Acme's LMS makes it; ``claims`` are laid over its own, None takes one away."""
        now = int(self.bed.clock().timestamp())
        algorithm = claims.pop("algorithm", "HS256")
        whole = {
            "sub": person,
            "account": "acme",
            "role": "learner",
            "aud": self.public,
            "iat": now,
            "exp": now + 120,
            "jti": f"launch-{next(self._numbers)}",
            "return_to": f"{LMS}/profile",
            **claims,
        }
        whole = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(whole, key, algorithm, headers={"kid": kid} if kid else {})

    def link(self, person: str = "ana", **claims: Any) -> str:
        return f"{self.public}/launch?token={self.token(person, **claims)}"

    # People ---------------------------------------------------------------------------------------

    def browser(self, **given: Any) -> Browser:
        return Browser(self.app, self.public, **given)

    def arrive(self, person: str = "ana", browser: Browser | None = None, **claims: Any) -> Browser:
        """Somebody comes from the LMS, and presses the one button."""
        browser = browser or self.browser()
        browser.open(self.link(person, **claims))
        assert browser.answer.status == 200, browser.text
        (button,) = browser.buttons()[:1]
        return browser.press(button)

    def account_at(self, vendor: str, address: str = "ana@contoso.example") -> str:
        """An account at a vendor, with an event of its owner's own."""
        at = self.bed.google if vendor == "google" else self.bed.microsoft
        at.move_in(address)
        self.bed.addresses["ana"] = (at, address)
        self.bed.remember_own_events()
        return address

    def consent(self, browser: Browser, vendor: str, address: str, **pressed: Any) -> Browser:
        """From our page to the vendor's, and back with everything allowed."""
        browser.press({"google": "Authorize Google Calendar", "microsoft": "Authorize Microsoft 365"}[vendor])
        return self.allow(browser, vendor, address, **pressed)

    def allow(
        self, browser: Browser, vendor: str, address: str, follow: bool = True, **choices: Any
    ) -> Browser:
        """On the vendor's page: everything ticked, and the button that allows it."""
        if vendor == "microsoft":
            return browser.press("Accept", follow, account=address)
        boxes = [str(one["value"]) for one in browser.page.find_all("input", type="checkbox")]
        return browser.press("Allow", follow, account=address, **{"scope": boxes, **choices})

    def connected(self, vendor: str, person: str = "ana", address: str = "ana@contoso.example") -> Browser:
        """Somebody who has connected a calendar through the pages, looking at their own."""
        self.account_at(vendor, address)
        return self.consent(self.arrive(person), vendor, address)


@contextmanager
def the_pages(
    folder: Path, state: str, public: str = PUBLIC, listen: str = "127.0.0.1:8080", **given: Any
) -> Iterator[Pages]:
    """A house with pages at the address ``public``, Ana and Ben of Acme in its LMS."""
    (folder / "launch-secret").write_text(SECRET)
    (folder / "launch-secret").chmod(0o600)
    web = {
        "listen": listen,
        "launch_keys": {KID: {"account": "acme", "secret_file": "launch-secret", "return_to": [LMS]}},
    }
    sections = {"installation": {"id": "test", "public_url": public}, "web": web, **given}
    with a_house(folder, state, **sections) as bed:
        bed.lms.add_person("ana", name="Ana Berger")
        bed.lms.add_person("ben", name="Ben Okafor")
        callback = f"{public}/oauth/microsoft/callback"
        app = ClientApp(DEFAULT_CLIENT_ID, DEFAULT_SECRET, {callback})
        bed.microsoft.directory.register_app(app)
        logging.getLogger("reconciler").setLevel(logging.INFO)
        bed.remember_own_events()
        way = Posting(NoServer(), NoServer(), Mailbox("Training", "training@x.example"))
        yield Pages(bed, Told(way, bed.clock, bed), Limits(), public)
