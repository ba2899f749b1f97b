"""## A day of looks

How many calls it takes to find out what people delete, and how quickly it is found out: one simulated day
of a hundred thousand connected people with two sessions each, at any time within ninety days, with the
default settings. Each minute of it the program's own audit cycle chooses whom to look at, from its ledger
on SQLite and by its budget; only the look itself is left out, and what follows from it is written down:
when to look next. A look is one call. Deletions are strewn over the day, each over somebody whose session
begins within 48 hours, and noticed by the next look. A tenth of the people with a tenth of the quota is
simulated, and by the quick benchmark a hundredth; the calls are told of all, for nothing here depends on
the size.
"""

from __future__ import annotations

import random
import statistics
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.child import in_child
from benchmarks.figures import Figure, Scale
from benchmarks.home import folder_of_its_own, write_settings
from reconciler.bootstrap import House, open_house
from reconciler.ledger.database import open_database, upsert
from reconciler.ledger.tables import account, connection, person_state
from reconciler.ledger.upgrade import upgrade
from reconciler.pace import NEAR, ahead_of
from reconciler.ports import Due, Made
from reconciler.settings import load

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
_PEOPLE = 100_000
_DELETIONS = 50_000


def main(scale: Scale) -> list[Figure]:
    """Simulate it."""
    share = 100 if scale.name == "quick" else 10
    with folder_of_its_own() as folder:
        found = in_child(a_day, folder=str(folder), share=share)
    noticed = "seconds until a deletion within 48 hours of the session is noticed, 95 of 100"
    return [
        Figure(
            "google_calls_per_day_100k",
            found["looks"] * share,
            "calls to Google in a day for 100,000 people's calendars",
            "at most 600,000",
        ),
        Figure("deletion_noticed_p95_seconds_48h", found["p95"], noticed, "at most 900"),
        Figure(
            "looks_busiest_minute_ratio",
            found["busiest"],
            "looks in the busiest minute to those of an average one",
            "near 1",
        ),
    ]


def a_day(folder: str, share: int) -> dict[str, Any]:
    """The looks of the day, and how late deletions were noticed."""
    chance, people = random.Random(1), _PEOPLE // share
    starts = {
        f"p{number}": sorted(NOW + timedelta(days=90) * chance.random() for _ in range(2))
        for number in range(people)
    }
    quota = {"per_minute": 10_000 // share, "per_day": 1_000_000 // share}
    minutes: list[int] = []
    with _house(Path(folder), quota, starts, chance) as (house, at):
        looks = _Looks(house, at, starts, chance)
        loop = replace(house.loop, dispatcher=looks)
        for minute in range(24 * 60):
            at[0] = NOW + minute * MINUTE
            before = looks.count
            loop.audit()
            minutes.append(looks.count - before)
    late = looks.noticed_after(_DELETIONS // share)
    return {
        "looks": looks.count,
        "p95": statistics.quantiles(late, n=20)[-1],
        "busiest": max(minutes) / statistics.mean(minutes),
    }


class _Looks:
    """Stands where calendars would be looked at, and writes down what follows from a look."""

    def __init__(
        self, house: House, at: list[datetime], starts: dict[str, list[datetime]], chance: random.Random
    ) -> None:
        self._house, self._at, self._starts, self._chance = house, at, starts, chance
        self._seen: defaultdict[str, list[datetime]] = defaultdict(list)
        self.count = 0

    def run(
        self,
        batches: Iterator[Sequence[Due]],
        work: Callable[[Sequence[Due]], Made],
        done: Callable[[Made], None],
    ) -> None:
        now, rows = self._at[0], []
        for due in (one for batch in batches for one in batch):
            self.count += 1
            self._seen[due.person].append(now)
            coming = [start for start in self._starts[due.person] if start > now]
            look = (
                self._house.world.audits.next_look(coming[0], now, self._chance.random()) if coming else None
            )
            rows.append({"whose": due.person, "next_audit": look, "next_start": min(coming, default=None)})
        if rows:
            with self._house.ledger.database.writing() as transaction:
                whose = person_state.c.person == sa.bindparam("whose")
                transaction.execute(person_state.update().where(whose), rows)

    def noticed_after(self, count: int) -> list[float]:
        """Seconds to the next look, of so many deletions over the day within 48 hours of a session."""
        late: list[float] = []
        people = list(self._starts)
        while len(late) < count:
            person = self._chance.choice(people)
            when = NOW + timedelta(hours=22) * self._chance.random()
            coming = [start for start in self._starts[person] if start > when]
            if not coming or coming[0] - when > NEAR:
                continue
            looks = self._seen[person]
            place = bisect_left(looks, when)
            noticed = looks[place] if place < len(looks) else NOW + timedelta(days=1)
            late.append((noticed - when).total_seconds())
        return late


@contextmanager
def _house(
    folder: Path, quota: dict[str, int], starts: dict[str, list[datetime]], chance: random.Random
) -> Iterator[tuple[House, list[datetime]]]:
    state, at = f"sqlite:///{folder}/state.db", [NOW]
    settings = write_settings(folder, {"url": f"sqlite:///{folder}/lms.db"}, state)
    database = open_database(state)
    upgrade(database)
    with open_house(load(settings), clock=lambda: at[0]) as house:
        house.world.budget.allowances["google"] = replace(house.world.budget.allowances["google"], **quota)
        with database.writing() as transaction:
            switches = {"vendors": ["google"], "email_notifications": True, "mode": "sync"}
            upsert(transaction, account, [{"account": "acme", **switches}])
            transaction.execute(
                person_state.insert(), [_state(house, *one, chance) for one in starts.items()]
            )
            transaction.execute(connection.insert(), [_connected(person) for person in starts])
        database.close()
        yield house, at


def _state(house: House, person: str, starts: list[datetime], chance: random.Random) -> dict[str, Any]:
    """Somebody as a program finds them that has run for long: looks fall anywhere in their interval."""
    look = NOW + house.world.audits.every(ahead_of(starts[0], NOW)) * chance.random()
    return {
        "person": person,
        "account": "acme",
        "applied": "x",
        "next_audit": look,
        "next_start": starts[0],
    }


def _connected(person: str) -> dict[str, Any]:
    same = dict.fromkeys(("person", "subject", "address", "calendar_id", "identity"), person)
    since = dict.fromkeys(("baseline_since", "listed_at", "state_since"), NOW)
    return {**same, **since, "account": "acme", "provider": "google", "state": "connected", "scopes": []}
