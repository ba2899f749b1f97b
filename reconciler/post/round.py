"""The mail cycle: choose who is due, plan their letters, send what is due."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.model import AccountSwitches, ConnectionState
from reconciler.ports import Due, Mail, Notice, NoticeKind, Scan
from reconciler.post.choosing import Addressees, Outlets, baselines_after
from reconciler.post.notices import OutboxNotices, name_of
from reconciler.post.planning import Planner
from reconciler.post.posting import Posting, PostOrder
from reconciler.post.sending import Sender
from reconciler.world import World

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """One mail cycle, in its three steps."""

    world: World
    posting: Posting
    order: PostOrder

    @classmethod
    def at(
        cls,
        world: World,
        posting: Posting,
        switches: Mapping[str, AccountSwitches],
        now: datetime,
        lms_since: datetime,
    ) -> Round:
        """The cycle that begins now."""
        order = PostOrder(now, lms_since, switches, world.ledger.mail_baselines())
        return cls(world, posting, order)

    @property
    def outlets(self) -> Outlets:
        return Outlets(self.world, self.posting, self.order.switches)

    def holding(self, held: frozenset[str]) -> Round:
        """The same, with these accounts held."""
        return replace(self, order=replace(self.order, held=held))

    # Choosing -------------------------------------------------------------------------------------

    def choose(self, scan: Scan) -> tuple[list[Due], Addressees]:
        """Who is due, those with near sessions first. Writes nothing."""
        addressees = Addressees(self.outlets)
        with self.world.ledger.people() as states:
            due = list(addressees.who_is_due(scan.people, states))
        return due, addressees

    def planner(self) -> Planner:
        """Plans the letters of whoever is due."""
        return Planner(self.world, self.posting, self.order, self.outlets)

    def ask_for_authorization(self, people: Sequence[str]) -> None:
        """Those whose vendor does not let us in any more are told so, once each; whoever has been so since
        before anybody was told of anything is left alone."""
        ledger, notices = self.world.ledger, OutboxNotices(self.posting, self.world.clock)
        found = [
            Notice(
                NoticeKind.REAUTHORIZE,
                one.person,
                one.account,
                "",
                "",
                mark=f"{one.id}:{one.state_since.isoformat()}",
                vendor=one.provider,
                address=one.address,
            )
            for one in ledger.connections(people)
            if one.state is ConnectionState.REAUTHORIZE
            and one.state_since is not None
            and one.account in self.order.baselines
            and one.state_since > self.order.baselines[one.account].since
        ]
        told = ledger.posted([name_of(notice) for notice in found])
        for notice in found:
            for letter in notices.letters(notice) if name_of(notice) not in told else ():
                ledger.post(letter)

    # Afterwards -----------------------------------------------------------------------------------

    def settle(self, counts: Mapping[str, int]) -> None:
        """What follows once everybody due has been planned for: from now on what is new is told."""
        ledger, outlets = self.world.ledger, self.outlets
        unwanted = [account for account in self.order.baselines if not outlets.wanted(account)]
        known = [account for account in unwanted if account in self.order.switches]
        if known:
            ledger.end_mail_baselines(known)
        if not counts.get("taken"):
            for baseline in baselines_after(self.order, outlets):
                ledger.set_mail_baseline(baseline)

    def send(self) -> Counter[str]:
        """Send what is due."""
        return Sender(self.world, self.posting, self.order, self.outlets).run()

    # Looking --------------------------------------------------------------------------------------

    def intended(self, due: Sequence[Due]) -> Iterator[Mail]:
        """What would be planned for these people. Writes nothing."""
        planner = self.planner()
        expected = {one.person: one.expected for one in due}
        for standing in planner.read(list(expected), expected):
            planned, _ = planner.plan(standing)
            for intended in planned.letters:
                yield planner.mail_of(intended, standing)
