"""Everything outside the program's memory: files, clock, LMS, vendors, people. It survives every crash."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from reconciler.errors import ReconcilerError
from reconciler.ledger.database import open_database
from reconciler.ledger.enrolment import Grant
from reconciler.ledger.store import SqlLedger
from reconciler.ledger.upgrade import upgrade
from reconciler.lms.reference_tables import create_schema
from reconciler.model import Answer, ConnectionState, LedgerEntry, MultiDay, State, Suspicion, UnregisterMode
from reconciler.ports import Notice
from reconciler.simulators.caldav_store import CYRUS, Oddities
from reconciler.simulators.lms import SmallLms, When
from tests.harness.boundaries import Boundaries, Crash
from tests.harness.caldav import CalDav
from tests.harness.clock import SimulatedClock
from tests.harness.facts import Facts
from tests.harness.mailbox import Mailbox, Stored
from tests.harness.oracle import Oracle
from tests.harness.outbox import Told
from tests.harness.process import Process, plain, start
from tests.harness.vendor import Vendor, google, microsoft

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONE = "Europe/Vienna"
OPEN = frozenset({State.PENDING, State.MISSING, State.HELD, State.REMOVING, State.UNREGISTERING})


@dataclass(frozen=True)
class Options:
    """How the operator has set the program up; which vendors people use, and how odd a CalDAV server is."""

    unregister: UnregisterMode = UnregisterMode.APPLY
    multi_day: MultiDay = MultiDay.ASK
    vendors: tuple[str, ...] = ("google", "microsoft")
    oddities: Oddities = CYRUS

    @property
    def asks(self) -> bool:
        return self.unregister is UnregisterMode.ASK


def when(days_ahead: float, hours: float = 2, zone: str = ZONE) -> When:
    """A day of a session, so many days after the start of the story; wall time of its zone."""
    starts = (START + timedelta(days=days_ahead)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return When(starts, starts + timedelta(hours=hours), zone)


def _day(starts: datetime, ends: datetime) -> When:
    zone = ZoneInfo(ZONE)
    return When(
        starts.astimezone(zone).replace(tzinfo=None), ends.astimezone(zone).replace(tzinfo=None), ZONE
    )


class Templates:
    """Files made once and copied for each site."""

    def __init__(self, folder: Path) -> None:
        self.state, self.lms = folder / "empty-state.db", folder / "empty-lms.db"
        database = open_database(f"sqlite:///{self.state}")
        upgrade(database)
        database.close()
        engine = sa.create_engine(f"sqlite:///{self.lms}")
        create_schema(engine)
        SmallLms(engine).add_account()
        engine.dispose()
        for file in (self.state, self.lms):
            _whole(file)


def _whole(file: Path) -> None:
    """Everything into the one file: nothing is left in the write-ahead log beside it."""
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


@dataclass
class Site:
    """``own`` is an event of each person's own, as it must stay."""

    folder: Path
    options: Options = field(default_factory=Options)
    public_url: str = "https://calendar.example"

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(START)
        self.boundaries = Boundaries()
        self.vendors: dict[str, Vendor] = {
            one.name: one
            for one in (google(self.clock, self.boundaries), microsoft(self.clock, self.boundaries))
        }
        self.vendors["caldav"] = CalDav(self.clock, self.boundaries, self.options.oddities)
        self.state, self.lms_file = self.folder / "state.db", self.folder / "lms.db"
        self.witness = self.folder / "witness"
        self._told = Told()
        self.own: dict[str, tuple[str, int, bool]] = {}
        self.people: dict[str, tuple[str, Mailbox]] = {}
        self.starts = 0
        self.begun = START
        self._processes: dict[str, Process] = {}
        self._desk: SqlLedger | None = None

    @classmethod
    def made(cls, folder: Path, templates: Templates, options: Options | None = None) -> Site:
        """A site with empty files."""
        site = cls(folder, options or Options())
        site.templates = templates
        shutil.copy(templates.state, site.state)
        shutil.copy(templates.lms, site.lms_file)
        site.engine = sa.create_engine(f"sqlite:///{site.lms_file}")
        site.clock.rules(site.engine)
        site.lms = SmallLms(site.engine)
        site.facts = Facts(site.engine)
        site.oracle = Oracle(site)
        return site

    templates: Templates = field(init=False)
    engine: sa.Engine = field(init=False)
    lms: SmallLms = field(init=False)
    facts: Facts = field(init=False)
    oracle: Oracle = field(init=False)

    @property
    def all_days_needed(self) -> bool:
        return self.options.multi_day is not MultiDay.ANY

    @property
    def told(self) -> list[Notice]:
        """What people were told so far, as it was written down in the outbox, be that lost meanwhile."""
        return self._told.listen(self.desk)

    # Processes ------------------------------------------------------------------------------------

    def process(self, name: str = "a") -> Process:
        """A process of the program; started if it does not run."""
        if name not in self._processes:
            self.starts += 1
            self._processes[name] = start(self, f"{name}-{self.starts}")
        return self._processes[name]

    @property
    def desk(self) -> SqlLedger:
        """The state database as pages and commands see it: apart from every process."""
        if self._desk is None:
            self._desk = SqlLedger(plain(self.state, self.clock))
        return self._desk

    def kill(self, name: str = "a") -> None:
        """Its memory is gone."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.close()

    def cycle(self, kind: str, name: str = "a") -> str:
        """One cycle, and how it ended; a crash in it leaves nothing but the files."""
        try:
            result = self.process(name).cycle(kind).result
        except Crash:
            self.kill(name)
            result = "crashed"
        except ReconcilerError as problem:  # it could not even start
            self.kill(name)
            result = type(problem).__name__
        return result

    def round(self, name: str = "a") -> None:
        """A minute later, one cycle of each kind."""
        self.clock.move(MINUTE)
        for kind in ("push", "audit", "confirm"):
            self.cycle(kind, name)

    def audit_all(self, name: str = "a") -> None:
        """Everybody is due; a round."""
        for person in self.people:
            self.desk.make_due(person, self.clock())
        self.round(name)

    def close(self) -> None:
        self.close_state()
        self.engine.dispose()
        for vendor in self.vendors.values():
            vendor.close()

    def close_state(self) -> None:
        """Nobody has the state database open any more."""
        for name in list(self._processes):
            self.kill(name)
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    # People ---------------------------------------------------------------------------------------

    def newcomer(self, person: str, vendor: str, *sessions: str, role: str = "learner") -> None:
        """A person of the LMS with these seats and a connected calendar."""
        self.lms.add_person(person)
        for session in sessions:
            self.lms.book(person, session, role)
        mailbox = self.vendors[vendor].new_mailbox(person)
        mailbox.events.append(
            Stored("own", mailbox.default, 1, "Dentist", "", None, None, None, None, None, False, START)
        )
        self.own[person] = ("Dentist", 1, True)
        self.people[person] = (vendor, mailbox)
        mailbox.publish()
        self.connect(person)

    def connect(self, person: str) -> None:
        """Its owner connects the calendar, perhaps again; what vanished before proves nothing."""
        vendor, mailbox = self.people[person]
        identity = self.facts.identity(person) or person
        grant = Grant(
            person, "acme", vendor, f"subject-{person}", f"{person}@x.example", mailbox.default, identity
        )
        self.desk.add_connection(grant, "test", "test", self.clock())

    def mailbox(self, person: str) -> Mailbox:
        return self.people[person][1]

    def searchable(self, person: str) -> bool:
        """Whether this person's server finds events by our marker."""
        return self.vendors[self.people[person][0]].searchable

    def events(self, person: str, session: str | None = None) -> list[Stored]:
        """Our events in a person's calendars, by start."""
        found = [one for one in self.mailbox(person).ours() if session in (None, one.key and one.key.session)]
        return sorted(found, key=lambda one: (one.day is None, one.day and one.day.start_instant))

    def delete(self, person: str, session: str | None = None, day: int | None = None) -> None:
        """The owner deletes events of ours: of one session or all, one day or all."""
        events = self.events(person, session)
        for event in events if day is None else events[day : day + 1]:
            self.mailbox(person).delete(event, self.clock())
            self.oracle.deleted(person, event)

    def answer(self, person: str, session: str, given: Answer) -> bool:
        """What the buttons in the mail do; false if it is too late, or nothing is in question."""
        try:
            self.desk.answer(person, session, given, person, "test", self.clock())
        except ReconcilerError:
            return False
        self.oracle.answered(person, session, given.value)
        return True

    def states(self, person: str, session: str | None = None) -> list[str]:
        return [row.state.value for row in self.rows(person) if session in (None, row.key.session)]

    def rows(self, person: str) -> Sequence[LedgerEntry]:
        """What the program has written down of a person's events."""
        return self.desk.entries([person])[person]

    def healthy(self, person: str) -> bool:
        """Whether this person's calendar is to be kept, and can be."""
        found = self.desk.connections([person])
        return (
            bool(found)
            and found[0].state is ConnectionState.CONNECTED
            and (self.facts.identity(person) == found[0].identity or self.facts.identity(person) is None)
        )

    def lose_state(self) -> None:
        """The state database and its witness are gone; it is set up anew and people connect again."""
        self._told.listen(self.desk)
        self.close_state()
        for file in self.folder.glob("state.db*"):
            file.unlink()
        self.witness.unlink(missing_ok=True)
        shutil.copy(self.templates.state, self.state)
        self._told.begin_anew(self.desk)
        self.oracle.state_lost("the state was lost")
        for person in self.people:
            self.connect(person)

    # What must hold -------------------------------------------------------------------------------

    def wrongs(self) -> list[str]:
        """What was found wrong so far."""
        self.oracle.foreign()
        self.oracle.notices()
        vendors = [wrong for vendor in self.vendors.values() for wrong in vendor.wrongs]
        return sorted({*self.oracle.wrongs, *vendors})

    def settle(self) -> None:
        """Faults stop; within two audits calendars are right, and in time every deletion has come to
        something."""
        self.boundaries.disarm()
        self._faults_stop()
        self.clock.move(7 * HOUR)  # past every back-off
        # Each audit takes away one event too many; one without its marker has to be found before.
        more = any(one.returned or one.marker is None for one in self._there())
        for _ in range(5 if more else 2):
            self.audit_all()
        self.oracle.calendars()
        spans = (74 * HOUR,) if self._at_rest() else (31 * MINUTE, 31 * MINUTE, 73 * HOUR, MINUTE)
        for span in spans:
            self.clock.move(span)
            self.audit_all()
            self._put_back_what_the_fleet_guard_holds()
        if not self._at_rest():
            self.audit_all()
        self.oracle.calendars(finally_=True)
        self.oracle.outcomes()
        self.oracle.untold()

    def _at_rest(self) -> bool:
        """Nothing is open that hours would bring to an end: one look after them shows what they bring."""
        rows = [row for rows in self.desk.entries(list(self.people)).values() for row in rows]
        open_ = any(row.state in OPEN or row.suspicion != Suspicion() for row in rows)
        stands = any(one.stands for one in self.oracle.deletions)
        return not (open_ or stands or self.desk.holds())

    def days(self, session: str) -> list[When]:
        """The days of a session as they are now."""
        found = self.facts.session(session)
        return [_day(starts, ends) for starts, ends in found.days] if found else []

    def back_up(self) -> Path:
        """A copy of the state database as it is, made while the program runs."""
        backup = self.folder / "backup.db"
        backup.unlink(missing_ok=True)
        with self.desk.database.engine.connect() as connection:
            connection.exec_driver_sql(f"VACUUM INTO '{backup}'")
        return backup

    def restore_state(self, backup: Path) -> None:
        """An old copy is put in the place of the state database; the witness beside the service stays."""
        self._told.listen(self.desk)
        self.close_state()
        for file in self.folder.glob("state.db*"):
            file.unlink()
        shutil.copy(backup, self.state)
        self._told.begin_anew(self.desk)
        self.oracle.state_lost("the state was restored from an old copy")

    def _faults_stop(self) -> None:
        for vendor in self.vendors.values():
            vendor.troubles.clear()
        for person, (_, mailbox) in self.people.items():
            mailbox.troubles.clear()
            mailbox.conflicts = 0
            mailbox.lost.discard(mailbox.default)
            found = self.desk.connections([person])
            if not found or found[0].state is not ConnectionState.CONNECTED:
                self.oracle.void(person, "connected again")
                with suppress(ReconcilerError):
                    self.connect(person)

    def _there(self) -> Iterator[Stored]:
        for _, mailbox in self.people.values():
            yield from mailbox.there()

    def _put_back_what_the_fleet_guard_holds(self) -> None:
        ledger = self.desk
        for row in ledger.held():
            if row.suspicion.hold_reason is not None and row.suspicion.hold_reason.value == "fleet-guard":
                self.answer(row.key.person, row.key.session, Answer.KEEP)
        for hold in ledger.holds():
            if hold.guard == "fleet":
                ledger.release_hold(hold.guard, hold.subject, "operator", self.clock())
