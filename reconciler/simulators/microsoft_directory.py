"""The directory behind both halves of the simulator: tenants, accounts and registered applications."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.simulators.microsoft_errors import SignInProblem
from reconciler.simulators.microsoft_switches import AccountKind

CONSUMER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
DEFAULT_CLIENT_ID = "5f3c8f6e-6a0c-4a55-9d0e-2a3bb1c0ffee"
DEFAULT_SECRET = "simulated~secret"  # noqa: S105 - what the simulated directory expects
_SPACE = uuid.UUID("8f1d3c2a-54b7-4e0e-9a43-1f6f2f6b7d10")


@dataclass
class Tenant:
    """An organisation and what its administrators have decided.

    ``user_consent``: people may consent for themselves. ``admin_consented``: applications approved for all
    (delegated). ``application_permissions``: client id -> application permissions granted.
    ``application_reach``: client id -> object ids it may address (absent: all). ``refusal``: the AADSTS code
    every sign-in ends with.
    """

    id: str
    domain: str
    user_consent: bool = True
    admin_consented: set[str] = field(default_factory=set)
    application_permissions: dict[str, set[str]] = field(default_factory=dict)
    application_reach: dict[str, set[str]] = field(default_factory=dict)
    refusal: int | None = None


@dataclass(frozen=True)
class Account:
    """A person: ``upn`` may change in life, ``oid`` (object id) does not."""

    upn: str
    oid: str
    tenant: str
    name: str
    kind: AccountKind = "work"
    admin: bool = False


@dataclass
class ClientApp:
    """A registered application and its credentials."""

    client_id: str
    secret: str
    redirect_uris: set[str] = field(default_factory=set)
    secret_expires: datetime | None = None
    certificate: bytes | None = None  # PEM, for client assertions


class Directory:
    """Who and what is known."""

    def __init__(self) -> None:
        self.tenants: dict[str, Tenant] = {}
        self.apps: dict[str, ClientApp] = {}
        self._accounts: dict[str, Account] = {}
        self.register_app(ClientApp(DEFAULT_CLIENT_ID, DEFAULT_SECRET))

    def add_tenant(self, domain: str) -> Tenant:
        """The tenant of that domain, made if new."""
        known = self.tenants.get(domain)
        if known is None:
            known = Tenant(str(uuid.uuid5(_SPACE, domain)), domain)
            self.tenants[domain] = self.tenants[known.id] = known
        return known

    def add_account(
        self, upn: str, name: str | None = None, consumer: bool = False, admin: bool = False
    ) -> Account:
        """An account in the tenant of its domain; consumers are all in one tenant of Microsoft's."""
        if consumer:
            tenant = self.tenants.setdefault(CONSUMER_TENANT, Tenant(CONSUMER_TENANT, "consumers"))
        else:
            tenant = self.add_tenant(upn.partition("@")[2].lower())
        account = Account(
            upn=upn,
            oid=str(uuid.uuid5(_SPACE, upn.lower())),
            tenant=tenant.id,
            name=name or upn.partition("@")[0].replace(".", " ").title(),
            kind="consumer" if consumer else "work",
            admin=admin,
        )
        self._accounts[upn.lower()] = self._accounts[account.oid] = account
        return account

    def account(self, upn_or_oid: str) -> Account | None:
        """By address (in any case) or object id; None if unknown."""
        return self._accounts.get(upn_or_oid.lower())

    def accounts(self) -> list[Account]:
        """Everybody once."""
        return list({one.oid: one for one in self._accounts.values()}.values())

    def register_app(self, app: ClientApp) -> None:
        """Add an application, or replace the one of that client id."""
        self.apps[app.client_id] = app

    def app(self, client_id: str | None) -> ClientApp:
        """The registered application; AADSTS700016 if there is none."""
        found = self.apps.get(client_id or "")
        if found is None:
            raise SignInProblem(700016)
        return found

    def admits(self, tenant: str, account: Account) -> bool:
        """Whether the account may sign in at this authority (a tenant, common, organizations, consumers)."""
        if tenant == "common":
            return True
        if tenant in ("organizations", "consumers"):
            return (account.kind == "consumer") == (tenant == "consumers")
        return self.tenant(tenant).id == account.tenant

    def tenant(self, name: str) -> Tenant:
        """By id or domain; AADSTS90002 if unknown."""
        found = self.tenants.get(name.lower())
        if found is None:
            raise SignInProblem(90002)
        return found
