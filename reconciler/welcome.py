"""Beginning a connection, in one way for everybody: the connection, its token and the letter that tells its
person of it are written down in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.ledger.enrolment import Grant
from reconciler.ledger.store import SqlLedger
from reconciler.model import Connection, Person
from reconciler.ports import Clock, Granted, Notice, NoticeKind, Notices
from reconciler.tokens.store import SqlTokens


@dataclass(frozen=True)
class Welcome:
    """What is needed to connect somebody."""

    ledger: SqlLedger
    tokens: SqlTokens
    notices: Notices
    clock: Clock

    def begin(self, grant: Grant, credentials: Mapping[str, str], who: str, origin: str) -> Connection:
        """Connect. ``ConsentRefused``, and nothing has happened, where that may not be."""
        return self.ledger.add_connection(
            grant,
            who,
            origin,
            self.clock(),
            also=lambda within, row: self.tokens.put_within(within, row, credentials),
            letters=self.notices.letters(_connected(grant)),
        )


def grant_of(person: Person, provider: str, granted: Granted) -> Grant:
    """What this person of the LMS has granted at a vendor."""
    return Grant(
        person=person.id,
        account=person.account,
        provider=provider,
        subject=granted.subject,
        address=granted.address,
        calendar_id=granted.calendar_id,
        identity=person.identity,
        scopes=granted.scopes,
    )


def _connected(grant: Grant) -> Notice:
    return Notice(
        NoticeKind.CONNECTED,
        grant.person,
        grant.account,
        "",
        "",
        vendor=grant.provider,
        address=grant.address,
    )
