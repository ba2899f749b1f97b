"""Who is due to be told something: by which way each person learns of their days, and what they were told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b

from reconciler.diff.mail_day import Baseline
from reconciler.model import AccountSwitches, ConnectionState, Invitations, Mode, Outlet, PersonState
from reconciler.ports import MAIL_NOTHING, Due, Glance, MailBaseline
from reconciler.post.posting import Posting, PostOrder
from reconciler.world import World, mode_of

_BROKEN = (ConnectionState.REAUTHORIZE, ConnectionState.SUSPENDED)


class Outlets:
    """Tells one person's outlet from the switches of their account and the state of their connection."""

    def __init__(self, world: World, posting: Posting, switches: Mapping[str, AccountSwitches]) -> None:
        self._world, self._posting, self._switches = world, posting, switches

    def mode(self, account: str) -> Mode:
        """How much may be done in this account."""
        return mode_of(self._world, self._switches.get(account))

    def maintained(self, account: str) -> bool:
        """Whether people of this account are told of their days at all, just now."""
        return self.wanted(account) and self.mode(account) is not Mode.OBSERVE

    def wanted(self, account: str) -> bool:
        """Whether the account's owner and the operator want them to be told of their days."""
        own = self._switches.get(account)
        return (
            own is not None and own.email_notifications and self._posting.invitations is not Invitations.OFF
        )

    def of(self, account: str, person: str, state: PersonState | None) -> Outlet:
        """By which way this person learns of their days."""
        if not self.maintained(account):
            return Outlet.NONE
        own = self._switches[account]
        if own.people is not None and person not in own.people:
            return Outlet.NONE
        kept = state is not None and state.provider in self._world.providers and state.provider in own.vendors
        if state is None or state.connection is None or not kept:
            return Outlet.MAIL
        return Outlet.BROKEN if state.connection in _BROKEN else Outlet.CALENDAR

    def mark(self, outlet: Outlet, account: str, digest: str, address: str) -> str:
        """What stands for everything that a person is told by."""
        if outlet is Outlet.NONE:
            return MAIL_NOTHING
        parts = (digest, address, self._posting.invitations, self.mode(account))
        return (
            f"{outlet}:{blake2b(chr(31).join(parts).encode('utf-8', 'replace'), digest_size=10).hexdigest()}"
        )


def baseline_of(baselines: Mapping[str, MailBaseline], account: str, person: str) -> Baseline:
    """What it means that this person is seen."""
    known = baselines.get(account)
    if known is None or (known.people is not None and person not in known.people):
        return Baseline.FIRST
    return Baseline.RESTORED if known.restored else Baseline.KNOWN


class Addressees:
    """Who is due in this mail cycle, from two streams, both ordered by person. ``broken`` collects those
    whose calendar has to be authorized again."""

    def __init__(self, outlets: Outlets) -> None:
        self._outlets = outlets
        self.seen = 0
        self.broken: list[str] = []

    def who_is_due(self, people: Iterator[Glance], states: Iterator[PersonState]) -> Iterator[Due]:
        """Those who were last told of something else. Both streams are read to their end."""
        glance = next(people, None)
        for state in states:
            while glance is not None and glance.person < state.person:
                yield from self._due(glance, None)
                glance = next(people, None)
            if glance is not None and glance.person == state.person:
                yield from self._due(glance, state)
                glance = next(people, None)
            elif state.mailed not in (None, MAIL_NOTHING):
                yield Due(state.person, "")  # gone from the LMS: nothing is sent any more
        while glance is not None:
            yield from self._due(glance, None)
            glance = next(people, None)

    def _due(self, glance: Glance, state: PersonState | None) -> Iterator[Due]:
        self.seen += 1
        outlet = self._outlets.of(glance.account, glance.person, state)
        if outlet is Outlet.BROKEN and state and state.connection is ConnectionState.REAUTHORIZE:
            self.broken.append(glance.person)
        mailed = state.mailed if state else None
        if mailed is None and (outlet is Outlet.NONE or not glance.digest):
            return  # never told anything, and nothing to tell
        if mailed != self._outlets.mark(outlet, glance.account, glance.digest, glance.address):
            yield Due(glance.person, glance.digest, glance.next_start)


def baselines_after(order: PostOrder, outlets: Outlets) -> Iterator[MailBaseline]:
    """What has to be written down of accounts once everybody in them has been seen."""
    for account, own in order.switches.items():
        known = order.baselines.get(account)
        if not outlets.maintained(account):
            continue
        since = order.now if known is None or known.restored else known.since
        new = MailBaseline(account, since, own.people)
        if new != known:
            yield new
