"""What goes wrong between us and Google, and whom it stops."""

from __future__ import annotations

import pytest
from werkzeug.wrappers import Request, Response

from reconciler.errors import (
    CalendarTrouble,
    EventChanged,
    EventGone,
    EventIdUsed,
    EventRefused,
    MailboxUnavailable,
    ReauthorizationNeeded,
    Throttled,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.wire import Fault
from tests.support.builders import NOW
from tests.support.google import (
    ANA,
    BEN,
    EVENTS,
    EVERYTHING,
    FOR_EVER,
    READS,
    WRITES,
    Google,
    Known,
    a_draft_of,
    fails,
    refused,
    running,
    serving,
)

# Lost replies -------------------------------------------------------------------------------------


def test_a_create_whose_answer_is_lost_meets_its_own_first_attempt(known: Known) -> None:
    known.google.sim.faults.add(Fault("lost_reply", "create"))
    assert isinstance(fails(known, "create"), EventIdUsed)
    made = known.google.calendar.get(a_draft_of("s2").made_as, ANA)
    assert made is not None
    assert made.marker == a_draft_of("s2").marker
    assert len(known.google.alive()) == 2


@pytest.mark.parametrize("operation", WRITES)
def test_a_write_whose_answers_are_all_lost_has_an_unknown_fate(known: Known, operation: str) -> None:
    known.google.sim.faults.add(Fault("lost_reply", operation, times=FOR_EVER))
    assert isinstance(fails(known, operation), VendorUnavailable)
    known.google.sim.faults.clear()
    expected = {"create": EventIdUsed, "update": EventChanged, "delete": EventGone}
    assert isinstance(fails(known, operation), expected[operation])
    assert len(known.google.alive()) == {"create": 2, "update": 1, "delete": 0}[operation]


@pytest.mark.parametrize(("operation", "error"), [("update", EventChanged), ("delete", EventGone)])
def test_a_write_whose_answer_is_lost_once_is_answered_as_it_then_is(
    known: Known, operation: str, error: type[Exception]
) -> None:
    known.google.sim.faults.add(Fault("lost_reply", operation))
    assert isinstance(fails(known, operation), error)


@pytest.mark.parametrize("operation", WRITES)
def test_a_write_that_never_arrived_is_not_sent_again_by_us(known: Known, operation: str) -> None:
    known.google.sim.faults.add(Fault("status", operation, status=503, times=FOR_EVER))
    assert isinstance(fails(known, operation), VendorUnavailable)
    assert known.google.operations() == [operation]


@pytest.mark.parametrize("operation", READS)
def test_a_read_is_sent_again(known: Known, operation: str) -> None:
    known.google.sim.faults.add(Fault("status", status=500), Fault("drop"), Fault("drop"))
    assert getattr(known, operation)() is not None


def test_an_event_that_is_not_found_at_first_may_only_be_fresh(known: Known) -> None:
    known.google.sim.faults.add(Fault("status", "get", status=404))
    assert known.get() is not None


@pytest.mark.parametrize("operation", READS)
def test_a_read_is_not_sent_again_for_ever(known: Known, operation: str) -> None:
    known.google.sim.faults.add(Fault("status", status=500, times=FOR_EVER))
    assert isinstance(fails(known, operation), VendorUnavailable)
    assert len(known.google.operations()) == 3


@pytest.mark.parametrize("operation", EVERYTHING)
def test_silence_ends_after_the_time_out(operation: str) -> None:
    with running(timeout=0.1) as google:
        known = Known(google)
        google.sim.faults.add(Fault("slow", seconds=0.4, times=FOR_EVER))
        assert isinstance(fails(known, operation), VendorUnavailable)


# Nonsense -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", EVERYTHING)
def test_a_page_of_html_is_not_googles_answer(known: Known, operation: str) -> None:
    known.google.sim.faults.add(Fault("html", times=FOR_EVER))
    assert isinstance(fails(known, operation), VendorNonsense)


@pytest.mark.parametrize("operation", EVERYTHING)
def test_an_endless_answer_is_not_read_to_its_end_and_harms_nothing_after_it(operation: str) -> None:
    with running(max_body_bytes=20_000) as google:
        known = Known(google)
        google.sim.faults.add(Fault("huge", size=5_000_000))
        assert isinstance(fails(known, operation), VendorNonsense)
        assert known.list() is not None


ANSWERS: list[tuple[str, int, str, str]] = [
    ("a proxy's refusal", 403, "text/html", "<html>Blocked by your company</html>"),
    ("a proxy's not found", 404, "text/html", "<html>404</html>"),
    ("a proxy's gone", 410, "text/html", "<html>gone</html>"),
    ("a proxy's precondition", 412, "text/plain", "412"),
    ("a proxy's login", 302, "text/html", "<html>log in</html>"),
    ("half of an answer", 200, "application/json", '{"kind": "calendar#events", "items": [{"id": "ab'),
    ("no answer at all", 200, "application/json", ""),
    ("an empty object", 200, "application/json", "{}"),
    ("a list", 200, "application/json", "[]"),
    ("not even text", 200, "application/json", "\udcff\udcfe"),
    ("another kind", 200, "application/json", '{"kind": "calendar#freeBusy", "items": []}'),
    ("items of no kind", 200, "application/json", '{"kind": "calendar#events", "items": {"a": 1}}'),
    ("an item that is no event", 200, "application/json", '{"kind": "calendar#events", "items": [1]}'),
    (
        "pages without end",
        200,
        "application/json",
        '{"kind": "calendar#events", "items": [], "nextPageToken": "again"}',
    ),
]


@pytest.mark.parametrize(
    ("status", "kind", "body"), [one[1:] for one in ANSWERS], ids=[one[0] for one in ANSWERS]
)
def test_what_is_not_googles_neither_empties_a_calendar_nor_parks_it(
    status: int, kind: str, body: str
) -> None:
    def answer(request: Request) -> Response:
        if request.path == "/token":
            return Response('{"access_token": "t", "expires_in": 3599}', content_type="application/json")
        return Response(body.encode("utf-8", "surrogateescape"), status=status, content_type=kind)

    with serving(answer) as url:
        calendar = Google(GoogleSimulator(), url).calendar
        for ask in (
            lambda: calendar.listing(NOW),
            lambda: calendar.get("abcdef", ANA),
            lambda: calendar.find("0" * 40),
            lambda: calendar.create(a_draft_of()),
            lambda: calendar.delete("abcdef", ANA, '"1"') if status != 200 else calendar.listing(NOW),
        ):
            with pytest.raises(CalendarTrouble):
                ask()


# Mailboxes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 403])
@pytest.mark.parametrize("operation", EVERYTHING)
def test_a_dead_mailbox_is_no_deleted_event(known: Known, operation: str, status: int) -> None:
    known.google.sim.faults.add(Fault("dead_mailbox", mailbox=ANA, status=status, times=FOR_EVER))
    assert isinstance(fails(known, operation), MailboxUnavailable)


def test_a_lost_calendar_to_which_an_event_was_moved_concerns_that_event_alone(known: Known) -> None:
    other = known.google.sim.add_calendar(ANA, "Mine")
    known.google.sim.owner.move(ANA, known.event.event_id, other.id)
    (moved,) = known.google.calendar.find(a_draft_of().marker.token).events
    known.google.sim.owner.delete_calendar(ANA, other.id)
    for ask in (
        lambda: known.google.calendar.get(moved.event_id, other.id),
        lambda: known.update(moved),
        lambda: known.google.calendar.delete(moved.event_id, other.id, moved.etag),
    ):
        with pytest.raises(EventRefused):
            ask()
    assert known.list() is not None


def test_one_persons_dead_mailbox_is_not_anothers(known: Known) -> None:
    ben = known.google.open(known.google.connect(2, BEN))
    known.google.sim.faults.add(Fault("dead_mailbox", mailbox=ANA, times=FOR_EVER))
    assert isinstance(fails(known, "list"), MailboxUnavailable)
    assert ben.listing(NOW).events == ()


# Other refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("accessNotConfigured", VendorUnavailable),
        ("dailyLimitExceeded", Throttled),
        ("requiredAccessLevel", MailboxUnavailable),
        ("insufficientPermissions", ReauthorizationNeeded),
        ("forbiddenForNonOrganizer", EventRefused),
    ],
)
def test_a_403_stops_what_its_reason_says(known: Known, reason: str, error: type[Exception]) -> None:
    known.google.sim.faults.add(refused(reason=reason, times=FOR_EVER))
    assert isinstance(fails(known, "update"), error)


def test_every_request_is_told_to_the_observer_with_its_outcome(known: Known) -> None:
    known.google.observer.outcomes.clear()
    known.google.sim.faults.add(Fault("status", "list", status=500))
    known.list()
    known.update()
    fails(known, "update")
    known.google.sim.grants.expire_access_tokens()
    known.list()
    assert known.google.observer.outcomes == {
        ("list", "auth"): 1,
        ("token", "ok"): 1,
        ("list", "VendorUnavailable"): 1,
        ("list", "ok"): 2,
        ("update", "ok"): 1,
        ("update", "EventChanged"): 1,
    }


def test_no_error_tells_what_an_event_says(known: Known) -> None:
    for status in (400, 403, 404, 409, 410, 412, 500):
        for operation in ("create", "update", "delete"):
            known.google.sim.faults.add(Fault("status", operation, status=status))
            text = str(fails(known, operation))
            assert "Safety" not in text
            assert ANA not in text


def test_events_scope_alone_is_enough_to_write(google: Google) -> None:
    ben = google.open(google.connect(2, BEN, [EVENTS]))
    written = ben.create(a_draft_of())
    ben.delete(written.event_id, BEN, written.etag)
