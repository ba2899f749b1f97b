"""The way in: an address, a user name and an app password, tried out before anything is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from reconciler.errors import (
    ConsentProblem,
    ConsentRefused,
    EventError,
    MailboxUnavailable,
    ReauthorizationNeeded,
    ReconcilerError,
)
from reconciler.ports import CalendarOffer, Granted, SignIn
from reconciler.providers.caldav.client import NAME, Server, Wire
from reconciler.providers.caldav.discovery import Account, account_of, away, calendars_in, manners_of


class CalDavSignIn:
    """See :class:`~reconciler.ports.PasswordFlow`. A connection's subject is its principal's address."""

    name = NAME
    manage_url = ""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.offered = wire.transport.guard.offered
        self.any_address = wire.transport.guard.any_address

    def try_out(self) -> Mapping[str, str]:
        """See the port."""
        found = {address: away(self._wire, address) for address in self.offered}
        return {address: problem for address, problem in found.items() if problem}

    def calendars(self, sign_in: SignIn) -> Sequence[CalendarOffer]:
        """See the port."""
        with _told():
            return self._offers(self._account(sign_in))

    def finish(self, sign_in: SignIn, calendar_id: str) -> Granted:
        """See the port."""
        with _told():
            account = self._account(sign_in)
            chosen = [one for one in self._offers(account) if one.id == calendar_id]
        if not chosen:
            raise ConsentRefused("this is none of their calendars", ConsentProblem.READ_ONLY)
        with _told(in_calendar=True):
            manners = manners_of(Server(self._wire, account.login), calendar_id)
        origin = account.login.origin
        return Granted(
            subject=f"{origin}{account.principal}",
            address=f"{sign_in.user} ({origin.host}, {chosen[0].name})",
            calendar_id=calendar_id,
            scopes=(),
            lacking=(),
            credentials={
                "server": str(origin),
                "user": sign_in.user,
                "password": sign_in.password,
                "home": account.home,
                "manners": str(manners),
            },
        )

    def revoke(self, credentials: Mapping[str, str]) -> bool:
        """Only its owner can delete an app password."""
        return False

    def _account(self, sign_in: SignIn) -> Account:
        if not sign_in.user or ":" in sign_in.user or not sign_in.password:
            raise ConsentRefused("no user name or no password", ConsentProblem.WRONG_PASSWORD)
        return account_of(self._wire, sign_in.address.strip(), sign_in.user, sign_in.password)

    def _offers(self, account: Account) -> list[CalendarOffer]:
        found = calendars_in(Server(self._wire, account.login), account.home)
        offers = [CalendarOffer(one.path, one.name) for one in found if one.writable]
        return sorted(offers, key=lambda one: one.name.casefold())


@contextmanager
def _told(in_calendar: bool = False) -> Iterator[None]:
    """Every error as one that a person can be told, and that tells nothing else."""
    try:
        yield
    except ConsentRefused:
        raise
    except ReauthorizationNeeded as problem:
        raise ConsentRefused(
            "user name or password are not taken", ConsentProblem.WRONG_PASSWORD
        ) from problem
    except (EventError, MailboxUnavailable) as problem:
        kind = ConsentProblem.READ_ONLY if in_calendar else ConsentProblem.NO_SERVER
        raise ConsentRefused("nothing can be written into this calendar", kind) from problem
    except ReconcilerError as problem:
        raise ConsentRefused("no CalDAV server can be used there", ConsentProblem.NO_SERVER) from problem
