"""What each of five real CalDAV servers does in its own way, and that it does no harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.errors import EventChanged, EventGone, EventIdUsed, EventRefused, MailboxUnavailable
from reconciler.providers.caldav import dav
from reconciler.providers.caldav.client import TokenRefused
from reconciler.providers.caldav.manners import Manners
from tests.contract.test_calendars import SINCE, a_draft_of, from_ledger
from tests.support.builders import NOW
from tests.support.caldav_bed import CalDavBed

EACH = pytest.mark.parametrize("caldav", ["radicale", "xandikos", "davical", "cyrus", "sogo"], indirect=True)
SYNCING = pytest.mark.parametrize("caldav", ["radicale", "xandikos", "cyrus"], indirect=True)
NOT_SYNCING = pytest.mark.parametrize("caldav", ["davical", "sogo"], indirect=True)
SOGO = pytest.mark.parametrize("caldav", ["sogo"], indirect=True)

MANNERS = {
    "radicale": Manners(syncs=True, conditional=True, unique_uids=True, filters=True, schedules=False),
    "xandikos": Manners(syncs=True, conditional=True, unique_uids=True, filters=True, schedules=True),
    "davical": Manners(syncs=False, conditional=True, unique_uids=False, filters=True, schedules=True),
    "cyrus": Manners(syncs=True, conditional=True, unique_uids=True, filters=True, schedules=True),
    "sogo": Manners(syncs=False, conditional=False, unique_uids=True, filters=False, schedules=True),
}


@EACH
def test_its_manners_are_found_out_when_somebody_connects(caldav: CalDavBed) -> None:
    expected = MANNERS[caldav.server.name]
    assert replace(caldav.manners, schedules=False) == replace(expected, schedules=False)


# Listing ------------------------------------------------------------------------------------------


@SYNCING
def test_nothing_to_do_costs_one_request_of_less_than_a_kilobyte(caldav: CalDavBed) -> None:
    for number in range(5):
        caldav.calendar.create(a_draft_of(f"s{number}"))
    caldav.calendar.listing(SINCE)
    caldav.calendar.listing(SINCE)
    caldav.transport.seen.clear()
    assert len(caldav.calendar.listing(SINCE).events) == 5
    ((_, _, answer),) = caldav.transport.seen
    assert len(answer.body) < 1024


@SYNCING
def test_what_this_process_has_made_needs_no_search_by_its_marker(caldav: CalDavBed) -> None:
    provider = caldav.provider
    made = [provider.open(caldav.connection).create(a_draft_of("s9"))]
    provider.open(caldav.connection).listing(SINCE)
    made += [provider.open(caldav.connection).create(a_draft_of(f"s{number}")) for number in range(3)]
    caldav.asked()
    events = provider.open(caldav.connection).listing(SINCE).events
    assert {event.event_id for event in events} == {one.event_id for one in made}
    assert caldav.asked() == ["REPORT", "REPORT"], "what has changed, and the reading of it"


@SYNCING
def test_a_token_that_is_not_known_any_more_is_refused_and_everything_listed_anew(caldav: CalDavBed) -> None:
    caldav.calendar.create(a_draft_of())
    before = caldav.calendar.listing(SINCE)
    memory = caldav.provider.open(caldav.connection)._looking.recall()
    assert memory is not None
    stale = replace(memory, token="http://ilt.invalid/sync/0")
    with pytest.raises(TokenRefused):
        caldav.raw.changes(caldav.connection.calendar_id, stale.token)
    caldav.memory.remember(caldav.connection, str(stale))
    caldav.remove(before.events[0].event_id)
    assert caldav.calendar.listing(SINCE).events == ()


@NOT_SYNCING
def test_a_server_that_answers_any_token_with_a_full_list_is_not_asked_by_token(caldav: CalDavBed) -> None:
    changes, _ = caldav.raw.changes(caldav.connection.calendar_id, "http://ilt.invalid/sync/0")
    assert changes, "it takes a token that it never gave"
    caldav.calendar.create(a_draft_of())
    (event,) = caldav.calendar.listing(SINCE).events
    caldav.remove(event.event_id)
    assert caldav.calendar.listing(SINCE).events == ()


@pytest.mark.parametrize("caldav", ["radicale", "xandikos", "davical", "cyrus"], indirect=True)
def test_what_comes_back_in_the_guise_of_a_change_is_listed_anew(caldav: CalDavBed) -> None:
    """Whatever was found out: a list of everything instead of what has changed loses no deletion."""
    caldav.with_manners(syncs=True)
    drafts = [a_draft_of(f"s{number}") for number in range(3)]
    for draft in drafts:
        caldav.calendar.create(draft)
    assert len(caldav.calendar.listing(SINCE).events) == 3
    assert len(caldav.calendar.listing(SINCE).events) == 3
    caldav.remove(drafts[0].made_as)
    assert {one.event_id for one in caldav.calendar.listing(SINCE).events} == {
        draft.made_as for draft in drafts[1:]
    }


@SYNCING
def test_what_was_deleted_long_ago_is_no_error_in_what_has_changed(caldav: CalDavBed) -> None:
    caldav.calendar.listing(SINCE)
    for number in range(3):
        caldav.calendar.create(a_draft_of(f"s{number}"))
        caldav.remove(a_draft_of(f"s{number}").made_as)
    caldav.calendar.create(a_draft_of("s9"))
    assert [one.event_id for one in caldav.calendar.listing(SINCE).events] == [a_draft_of("s9").made_as]
    changes, _ = caldav.raw.changes(caldav.connection.calendar_id, "")
    assert {entry.status for entry in changes} <= {200, 404}


@SYNCING
def test_somebody_elses_changes_are_seen_as_references_and_never_read(caldav: CalDavBed) -> None:
    caldav.calendar.create(a_draft_of())
    caldav.calendar.listing(SINCE)
    path = f"{caldav.connection.calendar_id}private.ics"
    text = caldav.own().decode().replace("UID:dentist", "UID:private")
    caldav.put(path, text)
    caldav.asked()
    assert len(caldav.calendar.listing(SINCE).events) == 1


@EACH
def test_no_request_limits_the_number_of_results(caldav: CalDavBed) -> None:
    """One server cuts the answer there without a word, and its next token leaves out the rest."""
    assert b"nresults" not in dav.sync_collection("x")
    for number in range(12):
        caldav.calendar.create(a_draft_of(f"s{number}"))
    assert len(caldav.calendar.listing(SINCE).events) == 12


@EACH
def test_a_calendar_that_is_gone_is_no_empty_calendar(caldav: CalDavBed) -> None:
    caldav.calendar.create(a_draft_of())
    (event,) = caldav.calendar.listing(SINCE).events
    bed = replace(caldav, connection=replace(caldav.connection, calendar_id=f"{caldav.server.home}gone/"))
    for asked in (
        lambda: bed.calendar.listing(SINCE),
        lambda: bed.calendar.find(a_draft_of().marker.token),
        lambda: bed.calendar.get(event.event_id, bed.connection.calendar_id),
    ):
        with pytest.raises(MailboxUnavailable):
            asked()


# Writing ------------------------------------------------------------------------------------------


@EACH
def test_an_event_under_another_name_is_found_by_its_uid_and_not_made_twice(caldav: CalDavBed) -> None:
    draft = a_draft_of()
    made = caldav.calendar.create(draft)
    caldav.rename(made.event_id, "renamed-by-another-program.ics")
    with pytest.raises(EventIdUsed):
        caldav.calendar.create(draft)
    event = caldav.calendar.get(made.event_id, made.calendar_id)
    assert event is not None
    new = a_draft_of(title="New")
    caldav.calendar.update(new, replace(from_ledger(event), etag=event.etag))
    after = caldav.calendar.get(made.event_id, made.calendar_id)
    assert after is not None
    assert after.title == "New"
    caldav.calendar.delete(after.event_id, after.calendar_id, after.etag)
    assert caldav.calendar.get(made.event_id, made.calendar_id) is None


@SOGO
def test_a_server_that_heeds_no_etags_is_asked_right_before_each_write(caldav: CalDavBed) -> None:
    caldav.calendar.create(a_draft_of())
    (event,) = caldav.calendar.listing(SINCE).events
    caldav.retitle(event.event_id, "Boring")
    with pytest.raises(EventChanged):
        caldav.calendar.update(a_draft_of(title="New"), event)
    with pytest.raises(EventChanged):
        caldav.calendar.delete(event.event_id, event.calendar_id, event.etag)
    caldav.remove(event.event_id)
    with pytest.raises(EventGone):
        caldav.calendar.update(a_draft_of(title="New"), event)
    assert caldav.calendar.listing(SINCE).events == ()


@SOGO
def test_an_etag_that_is_used_again_hides_no_change(caldav: CalDavBed) -> None:
    made = caldav.calendar.create(a_draft_of())
    caldav.calendar.listing(SINCE)
    text, path = caldav.text(made.event_id), caldav.path(made.event_id)
    caldav.remove(made.event_id)
    caldav.put(path, text.replace("SUMMARY:Safety basics", "SUMMARY:Boring"))
    (event,) = caldav.calendar.listing(SINCE).events
    assert event.title == "Boring"


@EACH
def test_an_owners_alarm_categories_and_notes_stay(caldav: CalDavBed) -> None:
    made = caldav.calendar.create(a_draft_of())
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Leave now\r\nEND:VALARM"
    caldav.add_line(made.event_id, alarm)
    caldav.edit(made.event_id, "TRANSP:OPAQUE", "TRANSP:OPAQUE\r\nCATEGORIES:Work\r\nX-NOTE:mine")
    caldav.annotate(made.event_id, "Ask Sam")
    (event,) = caldav.calendar.listing(SINCE).events
    caldav.calendar.update(a_draft_of(title="New", details="Bring gloves."), event)
    after = caldav.text(made.event_id)
    for kept in (
        "TRIGGER:-PT15M",
        "CATEGORIES:Work",
        "X-NOTE:mine",
        "Ask Sam",
        "Bring gloves.",
        "SUMMARY:New",
    ):
        assert kept in after


@EACH
def test_an_event_with_guests_is_not_written_where_the_server_would_write_to_them(caldav: CalDavBed) -> None:
    made = caldav.calendar.create(a_draft_of())
    guests = "ORGANIZER:mailto:a@b.org\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org"
    caldav.edit(made.event_id, "TRANSP:OPAQUE", f"TRANSP:OPAQUE\r\n{guests}")
    (event,) = caldav.calendar.listing(SINCE).events
    before = caldav.text(made.event_id)
    assert "ATTENDEE" in before
    if caldav.manners.schedules:
        with pytest.raises(EventRefused):
            caldav.calendar.update(a_draft_of(title="New"), event)
        with pytest.raises(EventRefused):
            caldav.calendar.delete(event.event_id, event.calendar_id, event.etag)
        assert caldav.text(made.event_id) == before
    else:
        caldav.calendar.update(a_draft_of(title="New"), event)
        assert "bob@example.org" in caldav.text(made.event_id)


@EACH
def test_once_a_day_everything_is_listed_anew(caldav: CalDavBed) -> None:
    caldav.calendar.create(a_draft_of())
    before = caldav.calendar.listing(SINCE)
    memory = caldav.provider.open(caldav.connection)._looking.recall()
    assert memory is not None
    # A server that forgot to mention a deletion would be found out then.
    ghost = replace(memory, whole_at=memory.whole_at - timedelta(days=2), events={})
    caldav.memory.remember(caldav.connection, str(ghost))
    assert caldav.calendar.listing(SINCE).events == before.events
    assert memory.whole_at > NOW
