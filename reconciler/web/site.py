"""What the pages are made with: plain values and ports, handed in by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reconciler.farewell import Farewell
from reconciler.ledger.store import SqlLedger
from reconciler.model import AccountSwitches
from reconciler.ports import ConnectFlow, Consent, PasswordFlow
from reconciler.tokens.cipher import Cipher
from reconciler.tokens.store import SqlTokens
from reconciler.web.limiting import Limits
from reconciler.welcome import Welcome
from reconciler.world import World, in_force

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True, slots=True)
class LaunchKey:
    """A key with which an LMS signs launch tokens for one account. ``algorithm`` is HS256 or RS256;
    ``return_to`` are the origins its return links may lead to."""

    account: str
    algorithm: str
    key: str = field(repr=False)
    return_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """Everything the pages need. ``vault`` seals what browsers keep for us; ``link_keys`` sign our own links,
    newest first. ``about`` gives all that is stored about a person."""

    world: World
    ledger: SqlLedger
    tokens: SqlTokens
    farewell: Farewell
    welcome: Welcome
    flows: Mapping[str, ConnectFlow]
    sign_ins: Mapping[str, PasswordFlow]
    first_switches: Callable[[str], AccountSwitches]
    public_url: str
    vault: Cipher
    link_keys: Sequence[bytes] = field(repr=False)
    about: Callable[[str], Mapping[str, Any]]
    launch_keys: Mapping[str, LaunchKey] = field(default_factory=dict)
    privacy_url: str | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def consents(self) -> Mapping[str, Consent]:
        """How people let us in, by vendor, be it on the vendor's page or on ours."""
        return {**self.flows, **self.sign_ins}

    def switches(self, account: str) -> AccountSwitches:
        """The switches of an account as they are in force; its first values before any cycle has seen it."""
        known = self.stored_switches(account)
        return in_force({account: known}, self.ledger.holds())[account]

    def stored_switches(self, account: str) -> AccountSwitches:
        """The switches as the account's owner has left them."""
        return self.ledger.switches().get(account) or self.first_switches(account)

    def callback(self, vendor: str) -> str:
        """The one address to which a vendor sends people back."""
        return f"{self.public_url}/oauth/{vendor}/callback"

    @property
    def prefix(self) -> str:
        """The path under which the pages lie; empty for the root."""
        return urlsplit(self.public_url).path

    @staticmethod
    def of(app: Flask) -> Site:
        """The site that an application serves."""
        site: Site = app.extensions["site"]
        return site
