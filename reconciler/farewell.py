"""Ending a connection, in one order for everybody: the token is destroyed here, the grant is ended at the
vendor where that is possible, and the person is told."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.errors import ConnectionBroken, CycleError, ReconcilerError
from reconciler.model import Connection, ConnectionState
from reconciler.ports import Clock, Consent, Ledger, Mail, Notice, NoticeKind, Notices, TokenStore

log = logging.getLogger(__name__)

COMMAND_LINE = "command line"
"""Where operators give their orders, for the audit log."""


class Silence:
    """Notices where there is no way to tell anybody."""

    def letters(self, notice: Notice) -> Sequence[Mail]:
        """Only the log knows, by ids."""
        session = f", session {notice.session}" if notice.session else ""
        why = f": {notice.why}" if notice.why else ""
        log.info("nobody is mailed: %s, person %s%s%s", notice.kind, notice.person, session, why)
        return ()


@dataclass(frozen=True)
class Farewell:
    """``flows`` are the consents by vendor; a vendor without one has nothing to end."""

    ledger: Ledger
    tokens: TokenStore
    notices: Notices
    clock: Clock
    flows: Mapping[str, Consent] = field(default_factory=dict)

    def end(self, connection: Connection, who: str, origin: str, why: str, *, tell: bool = True) -> bool:
        """Disconnect, if the connection still stands as it was read; whether its grant is ended at the
        vendor too. Raises ``ReconcilerError`` if it does not stand any more. ``tell`` the person.

        The vendor comes last: a grant that lives on with nobody knowing its token harms less than a
        connection without grant.
        """
        credentials = self._credentials(connection)
        goodbye = _goodbye(connection, *self._asker(connection, who, origin))
        letters = self.notices.letters(goodbye) if tell else ()
        self.ledger.disconnect(connection.person, who, origin, self.clock(), connection, letters)
        return self._revoke(connection, credentials)

    def _asker(self, connection: Connection, who: str, origin: str) -> tuple[str, str]:
        """Who wanted it, and from where: whoever had the events removed first had asked before."""
        leaving = connection.state is ConnectionState.LEAVING
        return (self.ledger.asked_to_leave(connection.person) if leaving else None) or (who, origin)

    def _credentials(self, connection: Connection) -> Mapping[str, str] | None:
        try:
            return self.tokens.get(connection)
        except (ConnectionBroken, CycleError):
            return None  # none, or under a key that is lost: nothing that could be ended

    def _revoke(self, connection: Connection, credentials: Mapping[str, str] | None) -> bool:
        flow = self.flows.get(connection.provider)
        if flow is None or credentials is None:
            return False
        try:
            return flow.revoke(credentials)
        except ReconcilerError as problem:
            log.warning(
                "the grant of person %s could not be ended at %s: %s",
                connection.person,
                connection.provider,
                problem,
            )
            return False


def _goodbye(connection: Connection, who: str, origin: str) -> Notice:
    """Whoever ends a connection, its person is told: they may not have been the one."""
    by_operator = "operator" if origin == COMMAND_LINE else ""
    since = connection.state_since.isoformat() if connection.state_since else ""
    return Notice(
        NoticeKind.DISCONNECTED,
        connection.person,
        connection.account,
        "",
        "person" if who == f"person {connection.person}" else by_operator,
        mark=f"{connection.id}:{since}",
        vendor=connection.provider,
        address=connection.address,
    )
