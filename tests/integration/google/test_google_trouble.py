"""What goes wrong between us and Google, and whom it stops."""

from __future__ import annotations

import threading
from typing import Any

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
    ReconcilerError,
    Throttled,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.model import ActualEvent
from reconciler.providers.google.provider import GoogleCalendar
from reconciler.providers.throttle import Quota
from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.google_quota import QuotaLimits
from reconciler.simulators.wire import Fault
from tests.support.builders import NOW
from tests.support.google import ANA, BEN, CALENDARS, EVENTS, Google, a_draft_of, running, serving

FOR_EVER = -1


class Known:
    """One event that is there, and each thing that can be asked of its calendar."""

    def __init__(self, google: Google) -> None:
        self.google = google
        google.calendar.create(a_draft_of())
        (self.event,) = google.calendar.listing(NOW).events
        google.sim.recorder.clear()

    def list(self) -> object:
        return self.google.calendar.listing(NOW)

    def get(self) -> object:
        return self.google.calendar.get(self.event.event_id, ANA)

    def find(self) -> object:
        return self.google.calendar.find(a_draft_of().marker.token)

    def create(self) -> object:
        return self.google.calendar.create(a_draft_of("s2"))

    def update(self, event: ActualEvent | None = None) -> object:
        return self.google.calendar.update(a_draft_of(title="New"), event or self.event)

    def delete(self) -> object:
        return self.google.calendar.delete(self.event.event_id, ANA, self.event.etag)


READS = ["list", "get", "find"]
WRITES = ["create", "update", "delete"]
EVERYTHING = READS + WRITES


@pytest.fixture
def known(google: Google) -> Known:
    return Known(google)


def fails(known: Known, operation: str) -> ReconcilerError:
    with pytest.raises(ReconcilerError) as caught:
        getattr(known, operation)()
    return caught.value


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


# Grants -------------------------------------------------------------------------------------------


def token_requests(google: Google) -> int:
    return google.sim.recorder.count("token")


def test_an_access_token_serves_many_requests(google: Google) -> None:
    for _ in range(3):
        google.calendar.listing(NOW)
    assert token_requests(google) == 1


@pytest.mark.parametrize("operation", EVERYTHING)
def test_an_access_token_that_is_no_longer_accepted_is_refreshed_once(known: Known, operation: str) -> None:
    known.google.sim.grants.expire_access_tokens()
    getattr(known, operation)()
    assert token_requests(known.google) == 1


def test_an_access_token_near_its_end_is_refreshed_before_it_is_used() -> None:
    with running(sim=GoogleSimulator(access_token_seconds=60)) as google:
        google.calendar.listing(NOW)
        google.calendar.listing(NOW)
        assert token_requests(google) == 2
        assert google.operations() == ["list", "list"]


@pytest.mark.parametrize("operation", EVERYTHING)
def test_a_revoked_grant_asks_its_owner_to_connect_again(known: Known, operation: str) -> None:
    known.google.sim.revoke(ANA)
    assert isinstance(fails(known, operation), ReauthorizationNeeded)


def test_a_fresh_token_that_is_rejected_too_asks_the_owner_to_connect_again(known: Known) -> None:
    known.google.sim.faults.add(Fault("status", "list", status=401, times=FOR_EVER))
    assert isinstance(fails(known, "list"), ReauthorizationNeeded)
    assert known.google.operations() == ["list", "list"]


def test_a_grant_without_the_scope_for_events_asks_its_owner_to_connect_again(google: Google) -> None:
    ben = google.open(google.connect(2, BEN, [CALENDARS]))
    with pytest.raises(ReauthorizationNeeded):
        ben.listing(NOW)


def test_credentials_that_are_gone_ask_their_owner_to_connect_again(google: Google) -> None:
    google.store.remove(google.ana)
    with pytest.raises(ReauthorizationNeeded):
        google.calendar.listing(NOW)
    google.store.put(google.ana, {})
    with pytest.raises(ReauthorizationNeeded):
        google.calendar.listing(NOW)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", "token", status=503, times=FOR_EVER), VendorUnavailable),
        (Fault("status", "token", status=429, times=FOR_EVER), VendorUnavailable),
        (Fault("drop", "token", times=FOR_EVER), VendorUnavailable),
        (Fault("html", "token", times=FOR_EVER), VendorNonsense),
        (Fault("status", "token", status=401, reason="invalid_client", times=FOR_EVER), VendorUnavailable),
        (Fault("status", "token", status=400, reason="invalid_request", times=FOR_EVER), VendorUnavailable),
        (Fault("status", "token", status=400, reason="invalid_grant"), ReauthorizationNeeded),
        (Fault("status", "token", status=400, reason="admin_policy_enforced"), ReauthorizationNeeded),
    ],
)
def test_only_a_dead_grant_is_a_reason_to_connect_again(
    google: Google, fault: Fault, error: type[Exception]
) -> None:
    google.sim.faults.add(fault)
    with pytest.raises(error):
        google.calendar.listing(NOW)


def test_our_own_wrong_secret_parks_nobody() -> None:
    with (
        running(client_secret="wrong") as google,
        pytest.raises(VendorUnavailable, match="client id and secret"),
    ):
        google.calendar.listing(NOW)


def test_many_threads_refresh_a_connections_token_once(google: Google) -> None:
    problems: list[BaseException] = []

    def work() -> None:
        try:
            google.calendar.listing(NOW)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert token_requests(google) == 1
    assert google.operations() == ["list"] * 8


def test_a_connection_to_another_account_does_not_use_the_formers_token(google: Google) -> None:
    google.calendar.create(a_draft_of())
    ben = google.open(google.connect(google.ana.id, BEN))
    assert ben.listing(NOW).events == ()


# Quotas -------------------------------------------------------------------------------------------


def refused(status: int = 403, reason: str = "userRateLimitExceeded", **fault: Any) -> Fault:
    return Fault("status", status=status, reason=reason, **fault)


def test_a_short_refusal_is_waited_out(known: Known) -> None:
    known.google.sim.faults.add(refused(429, "rateLimitExceeded", retry_after=1))
    known.create()
    assert known.google.operations() == ["create", "create"]
    assert known.google.observer.refusals == {"project": 1}


@pytest.mark.parametrize("operation", EVERYTHING)
def test_a_long_refusal_stops_that_persons_requests_and_nobody_elses(known: Known, operation: str) -> None:
    ben = known.google.open(known.google.connect(2, BEN))
    known.google.sim.faults.add(refused(retry_after=120))
    error = fails(known, operation)
    assert isinstance(error, Throttled)
    assert 119 < error.retry_after <= 120
    asked = len(known.google.operations())
    for another in EVERYTHING:
        assert isinstance(fails(known, another), Throttled)
    assert len(known.google.operations()) == asked
    assert ben.listing(NOW).events == ()


def test_a_refusal_of_the_whole_project_stops_everybody(known: Known) -> None:
    ben = known.google.open(known.google.connect(2, BEN))
    known.google.sim.faults.add(refused(reason="rateLimitExceeded", retry_after=120))
    assert isinstance(fails(known, "list"), Throttled)
    with pytest.raises(Throttled):
        ben.listing(NOW)


def test_a_calendars_usage_limit_leaves_its_owner_alone_for_hours(known: Known) -> None:
    known.google.sim.faults.add(refused(reason="quotaExceeded"))
    error = fails(known, "create")
    assert isinstance(error, Throttled)
    assert (error.retry_after, error.scope) == (6 * 3600, "google/ana")


def test_a_pause_asked_for_by_a_failing_google_is_kept(known: Known) -> None:
    known.google.sim.faults.add(Fault("status", "list", status=503, retry_after=60))
    assert isinstance(fails(known, "list"), Throttled)
    assert known.google.operations() == ["list"]


def listings_until_throttled(calendar: GoogleCalendar) -> int:
    for count in range(100):
        try:
            calendar.listing(NOW)
        except Throttled:
            return count
    return 100


def test_we_stay_under_the_quota_by_ourselves() -> None:
    sim = GoogleSimulator(quota=QuotaLimits(user=20, project=30))
    project, person = [Quota(30, 60)], [Quota(20, 60)]
    with running(sim=sim, project=project, person=person, patience=0) as google:
        ben = google.open(google.connect(2, BEN))
        assert listings_until_throttled(google.calendar) == 19
        assert listings_until_throttled(ben) == 9
        assert google.sim.quota.refused == 0


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
