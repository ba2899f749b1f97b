"""Stopping everything, going on, and looking anew: what operators say when something is strange."""

from __future__ import annotations

import pytest

from reconciler.model import State
from tests.support.house import DAY, MONDAY, TUESDAY, HouseBed

SAFETY = "101"


@pytest.fixture
def ana(house: HouseBed) -> HouseBed:
    """Ana has a seat, and her event is there."""
    house.newcomer("ana", "google", house.lms.add_session(MONDAY, id=SAFETY, title="Safety"))
    house.once()
    return house


def said(house: HouseBed, *words: str) -> str:
    result = house.cli(*words, *house.at())
    assert result.exit_code == 0, result.output
    return result.output.strip()


def refused(house: HouseBed, *words: str) -> str:
    result = house.cli(*words)
    assert result.exit_code != 0
    return result.output.strip()


@pytest.mark.parametrize(
    ("account", "where"), [((), ""), (("acme",), " in account acme")], ids=["everywhere", "one account"]
)
def test_paused_nothing_is_written_and_resumed_what_vanished_meanwhile_is_made_again(
    ana: HouseBed, account: tuple[str, ...], where: str
) -> None:
    paused = f"Paused: nothing is written any more{where}, from the next cycle on."
    assert said(ana, "pause", *account) == paused
    status = ana.cli("status").output
    assert "paused by" in status
    assert f"End it with `reconciler {' '.join(['resume', *account])}`." in status
    ana.remove("ana")
    ana.lms.move(SAFETY, TUESDAY)
    ana.count_anew()
    ana.clock.move(DAY)
    ana.once()
    assert ana.writes() == 0
    assert said(ana, "resume", *account) == "Resumed."
    ana.once()
    assert ana.states("ana") == [State.LIVE]
    assert set(ana.lms.statuses("ana", SAFETY).values()) == {"booked"}


def test_only_what_is_paused_can_be_resumed(ana: HouseBed) -> None:
    assert "nothing is paused by that name" in refused(ana, "resume")
    said(ana, "pause", "acme")
    assert refused(ana, "resume") == (
        "Failed: nothing is paused by that name (everything). What is paused: account acme."
    )


def test_a_mistyped_account_is_not_paused(ana: HouseBed) -> None:
    assert 'Did you mean "acme"?' in refused(ana, "pause", "acmee")
    assert "PAUSED" not in ana.cli("status").output


def test_resync_looks_at_one_calendar_in_the_next_cycle(ana: HouseBed) -> None:
    ana.once()
    ana.remove("ana")
    ana.once()
    assert ana.states("ana") == [State.LIVE]
    assert said(ana, "resync", "ana") == "Person ana is due."
    ana.once()
    assert ana.states("ana") == [State.MISSING]


def test_after_rebaseline_what_is_missing_proves_nothing(ana: HouseBed) -> None:
    ana.remove("ana")
    assert said(ana, "rebaseline", "ana") == "1 calendar is looked at anew, before anything is concluded."
    ana.once()
    assert (ana.states("ana"), ana.titles("ana")) == ([State.LIVE], ["Safety"])


def test_whose_calendar_is_not_connected_cannot_be_looked_at(ana: HouseBed) -> None:
    ana.once()
    assert ana.cli("connection", "disconnect", "ana").exit_code == 0
    assert "nobody of that id has a connected calendar" in refused(ana, "resync", "ana")


def test_whom_nobody_knows_cannot_be_looked_at(ana: HouseBed) -> None:
    assert "nobody of that id has a connected calendar" in refused(ana, "resync", "bob")
    assert "nobody of that id has a calendar with a baseline" in refused(ana, "rebaseline", "bob")
    assert "name a PERSON or --everybody" in refused(ana, "rebaseline")
