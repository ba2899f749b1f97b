"""What operators and account owners set, and who may not lose a seat by deleting an event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model import Answer, Mode, MultiDay, UnregisterMode
from tests.harness.mailbox import Trouble
from tests.harness.process import start
from tests.harness.site import DAY, MINUTE, Options, Site, Templates, when


@pytest.fixture(params=list(UnregisterMode), ids=str)
def moded(
    request: pytest.FixtureRequest, tmp_path: Path, templates: Templates, caplog: pytest.LogCaptureFixture
) -> Iterator[Site]:
    """Ana has deleted her event, more than the grace time ago, in each mode of un-registering."""
    caplog.set_level("INFO")
    site = Site.made(tmp_path, templates, Options(unregister=request.param))
    site.newcomer("ana", "google", site.lms.add_session(when(9), id="session-1"))
    site.round()
    site.delete("ana")
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    yield site
    site.close()


def seats(site: Site, person: str = "ana") -> set[str]:
    return set(site.facts.statuses(person, "session-1").values())


def test_each_mode_does_what_it_says(moded: Site, caplog: pytest.LogCaptureFixture) -> None:
    expected = {
        UnregisterMode.APPLY: ("cancelled", ["unregistered"], ["deleted", "given-back"]),
        UnregisterMode.ASK: ("booked", ["held"], ["question"]),
        UnregisterMode.REPORT: ("booked", ["live"], []),
        UnregisterMode.NEVER: ("booked", ["live"], ["put-back"]),
    }
    status, states, told = expected[moded.options.unregister]
    assert seats(moded) == {status}
    assert moded.states("ana") == states
    assert [str(one.kind) for one in moded.told] == told
    recorded = "put back: person ana, session session-1: recorded only (unregister.mode: report)"
    logged = [entry.getMessage() for entry in caplog.get_records("setup")]
    assert (recorded in logged) == (moded.options.unregister is UnregisterMode.REPORT)


def test_once_the_seat_is_given_back_the_sessions_other_days_are_removed(
    tmp_path: Path, templates: Templates
) -> None:
    site = Site.made(tmp_path, templates, Options(multi_day=MultiDay.ANY))
    site.newcomer("ana", "google", site.lms.add_session(when(9), when(10), id="session-1"))
    site.round()
    site.delete("ana", day=0)
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert seats(site) == {"cancelled"}
    site.round()
    assert site.events("ana") == []
    site.close()


def ana(site: Site, **changes: object) -> None:
    site.newcomer("ana", "google", site.lms.add_session(when(9), id="session-1", **changes))
    site.round()


def deleted_and_waited(site: Site) -> None:
    site.delete("ana")
    for _ in range(2):
        site.audit_all()
        site.clock.move(31 * MINUTE)
    site.round()


def test_upsert_only_unregisters_nobody(site: Site) -> None:
    ana(site)
    known = site.desk.switches()["acme"]
    site.desk.set_switches(replace(known, mode=Mode.UPSERT_ONLY), "test", site.clock())
    deleted_and_waited(site)
    assert seats(site) == {"booked"}


@pytest.mark.parametrize(
    ("until", "said"),
    [(-60, "has passed"), (20, "passes before the time of grace is over")],
    ids=["passed", "passes meanwhile"],
)
def test_after_the_lms_deadline_the_event_comes_back(site: Site, until: int, said: str) -> None:
    ana(site, cancel_until=(site.clock() + until * MINUTE).replace(tzinfo=None))
    deleted_and_waited(site)
    assert seats(site) == {"booked"}
    assert len(site.events("ana")) == 1
    assert [one.why for one in site.told] == [f"the deadline for giving the seat back {said}"]


def test_an_answer_to_an_earlier_deletion_is_none_to_the_next(site: Site) -> None:
    ana(site)
    site.delete("ana")
    site.audit_all()
    assert site.answer("ana", "session-1", Answer.GIVE_BACK)
    event = next(one for one in site.mailbox("ana").events if one.key)
    site.mailbox("ana").restore(event)
    site.audit_all()
    site.delete("ana")
    site.audit_all()
    assert seats(site) == {"booked"}


def test_an_answer_concerns_the_seat_it_was_given_for(site: Site) -> None:
    ana(site)
    site.delete("ana")
    site.audit_all()
    assert site.answer("ana", "session-1", Answer.GIVE_BACK)
    site.lms.cancel("ana", "session-1")
    site.lms.book("ana", "session-1")
    site.round()
    site.round()
    assert seats(site) == {"cancelled", "booked"}
    assert len(site.events("ana")) == 1


def test_where_the_grant_hides_other_calendars_the_learner_is_asked(site: Site) -> None:
    ana(site)
    site.mailbox("ana").troubles.add(Trouble.HIDDEN)
    deleted_and_waited(site)
    assert site.states("ana") == ["held"]
    assert [str(one.kind) for one in site.told] == ["question"]


def test_somebody_else_under_the_same_id_finds_nothing_and_loses_nothing(site: Site) -> None:
    ana(site)
    site.lms.change_person("ana", identity="another human")
    deleted_and_waited(site)
    assert seats(site) == {"booked"}
    assert site.events("ana") == []


def test_a_clone_at_another_address_writes_nothing(site: Site) -> None:
    ana(site)
    site.kill()
    site.lms.cancel("ana", "session-1")
    site.public_url = "https://clone.example"
    clone = start(site, "clone")
    for kind in ("push", "audit", "confirm"):
        clone.cycle(kind)
    clone.close()
    assert len(site.events("ana")) == 1


def test_one_refused_event_stops_no_other(site: Site) -> None:
    for number in (1, 2, 3):
        site.lms.add_session(when(number), id=f"session-{number}")
    site.newcomer("ana", "google", "session-1", "session-2", "session-3")
    site.mailbox("ana").refusals = 1
    site.round()
    assert len(site.events("ana")) == 2
    site.clock.move(DAY / 2)
    site.round()
    assert len(site.events("ana")) == 3
