"""What stands where turns would be taken, and writes down whose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from benchmarks.rows import NOW
from reconciler.bootstrap import House
from reconciler.ledger.tables import connection, person_state
from reconciler.ports import Due, Made


@dataclass
class Recorder:
    """A dispatcher; ``due`` is whose turn it would have been in the last cycle."""

    house: House
    due: list[Due] = field(default_factory=list)

    def run(
        self,
        batches: Iterator[Sequence[Due]],
        work: Callable[[Sequence[Due]], Made],
        done: Callable[[Made], None],
    ) -> None:
        self.due = [one for batch in batches for one in batch]

    def settle(self) -> None:
        """They had their turn, and found everything in place."""
        applied = [{"whose": one.person, "applied": one.expected} for one in self.due]
        looked = [{"whose": one.person, "baseline_since": NOW, "listed_at": NOW} for one in self.due]
        with self.house.ledger.database.writing() as transaction:
            for table, rows in ((person_state, applied), (connection, looked)):
                if rows:
                    transaction.execute(table.update().where(table.c.person == sa.bindparam("whose")), rows)
