"""One learner in one session of an LMS on the reference tables, and the request to give her seat back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reconciler.lms.reference_registrar import ReferenceRegistrar
from reconciler.lms.writing import write_engine
from reconciler.ports import Unregistration
from reconciler.simulators.lms import When
from tests.support.reference_lms import ReferenceSite, reference_site

ZONE = "Europe/Vienna"
NOW = datetime.now(UTC).replace(microsecond=0)
"""Databases have clocks of their own, which cannot be set: these tests happen now."""

MORNING = (NOW + timedelta(days=9)).replace(hour=9, minute=0, second=0)
DAYS = tuple((MORNING + timedelta(days=n), MORNING + timedelta(days=n, hours=7)) for n in range(2))


def when(start: datetime, end: datetime) -> When:
    """These instants as a day of the session's zone."""
    first, last = (moment.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None) for moment in (start, end))
    return When(first, last, ZONE)


@dataclass(frozen=True)
class Site:
    """``lms`` writes and reads, ``registrar`` gives back. Ana has ``seat`` in ``course``."""

    lms: ReferenceSite
    registrar: ReferenceRegistrar
    seat: str

    def asks(self, **changes: Any) -> Unregistration:
        """A request for Ana's seat, as it was proven."""
        request = Unregistration(
            account="acme",
            person="ana",
            session="course",
            seats=(self.seat,),
            days=DAYS,
            now=NOW,
            deadline=datetime.now(UTC) + timedelta(minutes=1),
            reference="evidence-1",
        )
        return replace(request, **changes)

    def statuses(self) -> dict[str, str]:
        return self.lms.rows.statuses("ana", "course")


def booked_site(url: str) -> Site:
    """Ana, and Ben beside her, booked into one course of two days."""
    lms = reference_site(url)
    lms.rows.add_account()
    for person in ("ana", "ben"):
        lms.rows.add_person(person)
    lms.rows.add_session(*(when(*day) for day in DAYS), id="course")
    seat = lms.rows.book("ana", "course")
    lms.rows.book("ben", "course", seat="bens")
    return Site(lms, ReferenceRegistrar(write_engine(url)), seat)
