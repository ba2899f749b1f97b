"""The truth table, written down a second time, and a scene with real values for each of its cases.

Kept apart from the program's own table on purpose: the two are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import product

from reconciler.diff.plan import Plan, plan
from reconciler.model import ActualEvent, LedgerEntry, Registration, Standing, State
from tests.support.builders import (
    NOW,
    a_day,
    a_desired,
    a_listing,
    a_policy,
    a_registration,
    a_session,
    an_entry,
    an_event,
)

DESIRED = ("no", "same", "newer", "keep")
LEDGER = (
    "none", "released", "pending", "live", "missing", "held", "dismissed",
    "removing", "gone", "unregistering", "unregistered",
)  # fmt: skip
ACTUAL = ("yes", "no", "?")
DIGEST = ("equal", "changed", "moved")

_SETS = {
    ("desired", "any"): DESIRED,
    ("desired", "seat"): ("same", "newer"),
    ("ledger", "any other"): tuple(one for one in LEDGER if one not in ("removing", "unregistering")),
    ("actual", "any"): ACTUAL,
    ("digest", "any"): DIGEST,
}

ROWS = """
 1 | any   | removing                                                  | any   | any            | finish the removal, then look again
 2 | any   | unregistering                                             | any   | any            | resolve after its deadline
 3 | keep  | any other                                                 | any   | any            | nothing
 4 | no    | none, released                                            | no, ? | any            | nothing
 5 | no    | none, released                                            | yes   | any            | delete the orphan at its second sight
 6 | seat  | none, released                                            | ?     | any            | look first
 7 | seat  | none, released                                            | no    | any            | create
 8 | seat  | none, released                                            | yes   | any            | adopt
 9 | seat  | pending                                                   | no, ? | any            | create again
10 | seat  | pending                                                   | yes   | any            | adopt
11 | seat  | live, missing, held, dismissed                            | yes   | any            | live
12 | same  | live                                                      | ?     | equal          | nothing
13 | same  | live                                                      | ?     | changed, moved | update
14 | same  | live                                                      | no    | equal, changed | missing
15 | same  | live                                                      | no    | moved          | create next
16 | same  | missing                                                   | no, ? | equal, changed | leave to the confirm pass
17 | same  | held                                                      | no, ? | equal, changed | wait for the person or an operator
18 | same  | missing, held                                             | no    | moved          | create next
19 | same  | missing, held                                             | ?     | moved          | look first
20 | newer | live, missing, held                                       | no    | any            | create next
21 | newer | live, missing, held                                       | ?     | any            | look first
22 | same  | dismissed                                                 | no, ? | equal          | nothing
23 | same  | dismissed                                                 | no    | changed, moved | create next
24 | same  | dismissed                                                 | ?     | changed, moved | look first
25 | newer | dismissed                                                 | no    | any            | create next
26 | newer | dismissed                                                 | ?     | any            | look first
27 | no    | pending, live, missing, held, dismissed, gone, unregistered | yes | any            | delete
28 | no    | pending, live, missing, held, dismissed                   | no    | any            | forget
29 | no    | pending, live, missing, held, dismissed                   | ?     | any            | delete by id
30 | no    | gone, unregistered                                        | no, ? | any            | nothing
31 | seat  | gone                                                      | yes   | any            | adopt
32 | seat  | gone                                                      | no    | any            | create next
33 | seat  | gone                                                      | ?     | any            | look first
34 | same  | unregistered                                              | any   | any            | wait at most an hour
35 | newer | unregistered                                              | yes   | any            | adopt
36 | newer | unregistered                                              | no    | any            | create next
37 | newer | unregistered                                              | ?     | any            | look first
"""  # noqa: E501


@dataclass(frozen=True)
class Case:
    """One combination of what is desired, recorded and seen, in the words of the table."""

    desired: str
    ledger: str
    actual: str
    digest: str

    def __str__(self) -> str:
        return f"{self.desired}-{self.ledger}-{self.actual}-{self.digest}"


@dataclass(frozen=True)
class Row:
    """One row of the table, with every case it speaks of."""

    number: int
    verdict: str
    cases: tuple[Case, ...]


def _values(column: str, words: str) -> tuple[str, ...]:
    return _SETS.get((column, words)) or tuple(words.split(", "))


def _row(line: str) -> Row:
    number, desired, ledger, actual, digest, verdict = (part.strip() for part in line.split("|"))
    cases = product(
        _values("desired", desired),
        _values("ledger", ledger),
        _values("actual", actual),
        _values("digest", digest),
    )
    return Row(int(number), verdict, tuple(Case(*case) for case in cases))


TABLE = tuple(_row(line) for line in ROWS.strip().splitlines())


def every_case() -> Iterator[Case]:
    """All combinations, whether or not the table speaks of them."""
    return (Case(*case) for case in product(DESIRED, LEDGER, ACTUAL, DIGEST))


def can_be(case: Case) -> bool:
    """Whether a world with this case can be: without a row there is no older seat and nothing was written."""
    return case.ledger != "none" or (case.desired != "newer" and case.digest == "equal")


@dataclass(frozen=True)
class Scene:
    """A case with real values.

    What is changed is the title, what is moved is the end: a start that moved concerns the matching of
    days before it concerns the table. The calendar, where it is seen, holds what the row last wrote.
    """

    case: Case
    seat: Registration
    row: LedgerEntry | None
    event: ActualEvent | None

    def __str__(self) -> str:
        return str(self.case)

    def plan(self, seen_before: Collection[str] = ()) -> Plan:
        """The plan for it; a push pass where the table's column says ``?``."""
        listing = None
        if self.case.actual != "?":
            listing = a_listing(self.event) if self.event else a_listing()
        entries = [self.row] if self.row else []
        return plan(a_desired(self.seat), entries, listing, a_policy(), NOW, seen_before)


GENERATION = 3
"""Of every row in a scene, so that the next one is told from a first one."""


def scene(case: Case) -> Scene:
    """The world in which this case is so."""
    before = a_registration(a_session(title="Safety basics", days=[a_day(ends="2026-12-01 12:00")]))
    if case.digest == "changed":
        now = replace(before, session=replace(before.session, title="Safety for all"))
    elif case.digest == "moved":
        now = replace(before, session=replace(before.session, days=(a_day(ends="2026-12-01 13:00"),)))
    else:
        now = before
    standing = {"no": Standing.NONE, "keep": Standing.KEEP}.get(case.desired, Standing.WANTED)
    seat = replace(now, standing=standing, seat="seat-2" if case.desired == "newer" else "seat-1")
    row, generation = None, 0
    if case.ledger != "none":
        generation = GENERATION
        row = an_entry(before, state=State(case.ledger), generation=generation)
    event = an_event(before, generation=generation, etag="etag-2") if case.actual == "yes" else None
    return Scene(case, seat, row, event)


def scenes(number: int) -> list[Scene]:
    """A scene for every case that the row of this number speaks of and that can be."""
    return [scene(case) for case in TABLE[number - 1].cases if can_be(case)]
