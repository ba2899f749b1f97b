"""What the provider makes of everything that goes wrong between it and Microsoft Graph."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.errors import (
    MailboxUnavailable,
    ReauthorizationNeeded,
    ReconcilerError,
    Throttled,
    VendorNonsense,
    VendorUnavailable,
)
from reconciler.model import ActualEvent
from reconciler.providers.microsoft.client import Mailbox
from reconciler.providers.microsoft.provider import MicrosoftCalendar
from reconciler.providers.microsoft.transport import Answer, Transport
from tests.support.builders import NOW, a_day, a_draft
from tests.support.microsoft_bed import ANA, MicrosoftBed, a_microsoft, certificates

SINCE = NOW - timedelta(days=1)
MOVED = replace(a_draft(), day=a_day("2026-12-02 10:00"))

Act = Callable[[MicrosoftCalendar, ActualEvent], object]
READS: dict[str, Act] = {
    "list": lambda calendar, event: calendar.listing(SINCE),
    "get": lambda calendar, event: calendar.get(event.event_id, event.calendar_id),
    "calendars": lambda calendar, event: calendar.find(a_draft().marker.token),
}
WRITES: dict[str, Act] = {
    "create": lambda calendar, event: calendar.create(a_draft(generation=1)),
    "update": lambda calendar, event: calendar.update(MOVED, event),
    "delete": lambda calendar, event: calendar.delete(event.event_id, event.calendar_id, event.etag),
}
ACTS = {**READS, **WRITES}


@pytest.fixture
def bed() -> Iterator[MicrosoftBed]:
    with a_microsoft() as made:
        yield made


def an_event_in(bed: MicrosoftBed) -> ActualEvent:
    written = bed.calendar.create(a_draft())
    event = bed.calendar.get(written.event_id, written.calendar_id)
    assert event is not None
    bed.simulator.recorder.clear()
    return event


# Answers lost -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lost_reply", "drop"])
@pytest.mark.parametrize("operation", WRITES)
def test_a_write_without_an_answer_is_of_unknown_fate_and_never_sent_again(
    bed: MicrosoftBed, operation: str, fault: str
) -> None:
    event = an_event_in(bed)
    bed.fault(fault, operation)
    with pytest.raises(VendorUnavailable):
        WRITES[operation](bed.calendar, event)
    assert bed.sent(operation) == 1


@pytest.mark.parametrize("operation", READS)
def test_a_read_without_an_answer_is_sent_again(bed: MicrosoftBed, operation: str) -> None:
    event = an_event_in(bed)
    bed.fault("drop", operation, times=2)
    READS[operation](bed.calendar, event)
    assert bed.sent(operation) == 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_write_that_graph_stumbles_over_is_of_unknown_fate(bed: MicrosoftBed, status: int) -> None:
    bed.fault("status", "create", status=status)
    with pytest.raises(VendorUnavailable, match=f"{status} .*request-id [0-9a-f-]{{36}}"):
        bed.calendar.create(a_draft())
    assert bed.sent("create") == 1


@pytest.mark.parametrize(
    ("consumer", "repeat"),
    [
        (False, "first_201"),
        (False, "first_200"),
        (False, "conflict_409"),
        (False, "another"),
        (True, "first_201"),  # made without its marker: only Graph itself can tell that it is there
        (True, "first_200"),
    ],
)
def test_a_create_whose_answer_was_lost_and_that_is_looked_for_before_is_made_once(
    consumer: bool, repeat: str
) -> None:
    with a_microsoft(transaction_repeat=repeat, consumer=consumer) as bed:
        bed.fault("lost_reply", "create")
        with pytest.raises(VendorUnavailable):
            bed.calendar.create(a_draft())
        if not bed.calendar.find(a_draft().marker.token).events:
            bed.calendar.create(a_draft())
        assert len(bed.owner.look()) == 1
        assert len(bed.calendar.find(a_draft().marker.token).events) == 1


# Listings -----------------------------------------------------------------------------------------


def test_a_listing_cut_short_is_an_error_and_not_a_short_listing() -> None:
    with a_microsoft(page_cap=2) as bed:
        for number in range(5):
            draft = a_draft()
            key = replace(draft.marker.key, session=f"s{number}")
            bed.calendar.create(
                replace(draft, made_as=f"m{number}", marker=replace(draft.marker, key=key, token=f"{number}"))
            )
        bed.fault("cut_page", "list")
        with pytest.raises(VendorUnavailable):
            bed.calendar.listing(SINCE)
        assert len(bed.calendar.listing(SINCE).events) == 5


@pytest.mark.parametrize("operation", [*READS, "create", "update"])
def test_a_page_of_html_is_nonsense(bed: MicrosoftBed, operation: str) -> None:
    event = an_event_in(bed)
    bed.fault("html", operation)
    with pytest.raises(VendorNonsense):
        ACTS[operation](bed.calendar, event)
    assert bed.sent(operation) == 1


def test_a_page_of_html_for_a_deletion_is_no_confirmation(bed: MicrosoftBed) -> None:
    event = an_event_in(bed)
    bed.fault("html", "delete")
    with pytest.raises(VendorNonsense):
        bed.calendar.delete(event.event_id, event.calendar_id, event.etag)
    assert len(bed.owner.look()) == 1


def test_an_endless_answer_is_given_up() -> None:
    with a_microsoft(transport={"max_body_bytes": 100_000}) as bed:
        bed.fault("huge", "list", size=50_000_000)
        with pytest.raises(VendorNonsense, match="100000 bytes"):
            bed.calendar.listing(SINCE)


def test_a_slow_answer_is_given_up(bed: MicrosoftBed) -> None:
    hasty = Transport(ca_file=str(certificates().ca_file), read_seconds=0.2)
    bed.graph.tokens.get(bed.connection)
    bed.graph = replace(bed.graph, transport=hasty)
    bed.fault("slow", "create", seconds=2)
    with pytest.raises(VendorUnavailable, match="Timeout"):
        bed.calendar.create(a_draft())


# Graph's envelope is believed, others are not -----------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 412])
def test_a_proxys_refusal_proves_nothing(bed: MicrosoftBed, status: int) -> None:
    proxy = ScriptedTransport((status, {"Content-Type": "text/html"}, "<h1>no</h1>"))
    calendar = calendar_behind(bed, proxy)
    with pytest.raises(VendorNonsense):
        calendar.get("event", bed.connection.calendar_id)


@pytest.mark.parametrize("status", [404, 410])
def test_a_404_that_does_not_speak_of_the_event_proves_nothing(bed: MicrosoftBed, status: int) -> None:
    bed.fault("status", "get", status=status, reason="UnknownError")
    with pytest.raises(VendorNonsense):
        bed.calendar.get("event", bed.connection.calendar_id)


@pytest.mark.parametrize(
    "content",
    [
        {"value": "x"},
        {"value": [1]},
        {},
        {"value": [], "@odata.nextLink": "https://evil.example/v1.0/me"},
        {"value": [], "@odata.nextLink": "http://graph.microsoft.com/v1.0/me"},
        {"value": [], "@odata.nextLink": 7},
        {"value": [{"id": "without an etag"}]},
    ],
    ids=str,
)
def test_a_page_that_is_not_graphs_is_nonsense(bed: MicrosoftBed, content: dict[str, Any]) -> None:
    installed = {"id": "String {6d1f7c0e-6f0b-4b56-9a53-3c1f0d2a8e47} Name Installation", "value": "test"}
    for one in content.get("value", ()):
        if isinstance(one, dict):
            one["singleValueExtendedProperties"] = [installed]
    calendar = calendar_behind(bed, ScriptedTransport((200, {}, json.dumps(content))))
    with pytest.raises(VendorNonsense):
        calendar.listing(SINCE)


@pytest.mark.parametrize("answer", [{}, {"id": "event"}, {"@odata.etag": "x"}, []], ids=str)
def test_an_answer_to_a_create_that_names_no_event_is_nonsense_and_no_used_id(
    bed: MicrosoftBed, answer: Any
) -> None:
    calendar = calendar_behind(bed, ScriptedTransport((201, {}, json.dumps(answer))))
    with pytest.raises(VendorNonsense):
        calendar.create(a_draft())


def test_pages_that_go_round_in_a_circle_end(bed: MicrosoftBed) -> None:
    page = json.dumps({"value": [], "@odata.nextLink": "https://graph.microsoft.com/v1.0/next"})
    calendar = calendar_behind(bed, ScriptedTransport(*[(200, {}, page)] * 5))
    with pytest.raises(VendorNonsense, match="circle"):
        calendar.listing(SINCE)


# Mailboxes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("MailboxNotEnabledForRESTAPI", MailboxUnavailable),
        ("ErrorInvalidUser", MailboxUnavailable),
        ("ResourceNotFound", MailboxUnavailable),
        ("ErrorAccessDenied", MailboxUnavailable),
        ("ErrorMailboxMoveInProgress", VendorUnavailable),
        ("ErrorMailboxStoreUnavailable", VendorUnavailable),
    ],
)
@pytest.mark.parametrize("operation", ACTS)
def test_a_dead_mailbox_is_told_from_one_on_the_move(
    bed: MicrosoftBed, operation: str, reason: str, error: type[ReconcilerError]
) -> None:
    event = an_event_in(bed)
    bed.fault("dead_mailbox", "*", reason=reason, times=-1)
    with pytest.raises(error, match=reason):
        ACTS[operation](bed.calendar, event)
    bed.simulator.faults.clear()
    assert len(bed.owner.look()) == 1


def test_mailboxes_are_addressed_by_object_id_which_stale_knowledge_does_not_touch(bed: MicrosoftBed) -> None:
    bed.fault("dead_mailbox", "*", reason="MailboxInfoStale", times=-1)
    bed.calendar.create(a_draft())
    assert len(bed.calendar.listing(SINCE).events) == 1


def test_a_token_for_another_account_reaches_no_mailbox(bed: MicrosoftBed) -> None:
    ben = bed.simulator.add_account("ben@contoso.example")
    bed.connection = replace(bed.connection, subject=f"{ben.tenant}:{ben.oid}")
    with pytest.raises(MailboxUnavailable):
        bed.calendar.create(a_draft())
    assert bed.simulator.owner("ben@contoso.example").look() == []


# Quotas -------------------------------------------------------------------------------------------


def test_after_a_refusal_nothing_is_sent_before_the_stated_time(bed: MicrosoftBed) -> None:
    bed.fault("status", "list", status=429, retry_after=120)
    with pytest.raises(Throttled) as refused:
        bed.calendar.listing(SINCE)
    assert refused.value.retry_after >= 119
    sent = bed.sent()
    for act in ACTS.values():
        with pytest.raises(Throttled):
            act(bed.calendar, an_unwritten_event(bed))
    assert bed.sent() == sent


def test_a_busy_server_that_states_a_time_is_left_alone_as_well(bed: MicrosoftBed) -> None:
    bed.fault("status", "create", status=503, retry_after=120)
    with pytest.raises(VendorUnavailable):
        bed.calendar.create(a_draft())
    sent = bed.sent()
    with pytest.raises(Throttled):
        bed.calendar.listing(SINCE)
    assert bed.sent() == sent


def test_a_refusal_of_one_person_stops_nobody_else(bed: MicrosoftBed) -> None:
    bed.fault("status", "list", status=429, retry_after=120, mailbox=ANA)
    with pytest.raises(Throttled):
        bed.calendar.listing(SINCE)
    other = other_connection(bed)
    other.calendar.create(a_draft())


def test_no_more_than_three_requests_of_one_mailbox_are_in_flight() -> None:
    with a_microsoft(latency_seconds=0.02) as bed:
        bed.calendar.listing(SINCE)
        threads = [threading.Thread(target=bed.calendar.listing, args=(SINCE,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert bed.simulator.throttle.most_at_once == 3
        assert not bed.simulator.throttle.refused
        assert bed.sent("list") == 13


# Metrics and logs ---------------------------------------------------------------------------------


class Counting:
    """An observer that counts."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, ...]] = Counter()

    def request(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        assert seconds > 0
        self.seen[provider, operation, outcome] += 1

    def throttled(self, provider: str, scope: str, seconds: float) -> None:
        self.seen["throttled", provider, scope] += 1

    def waited(self, provider: str, scope: str, seconds: float) -> None:
        self.seen["waited", provider, scope] += 1


def test_every_request_is_counted_with_its_outcome() -> None:
    counting = Counting()
    with a_microsoft(observer=counting) as bed:
        written = bed.calendar.create(a_draft())
        bed.fault("drop", "list")
        bed.calendar.listing(SINCE)
        bed.calendar.delete(written.event_id, written.calendar_id, None)
        bed.fault("status", "list", status=429, retry_after=60)
        with pytest.raises(Throttled):
            bed.calendar.listing(SINCE)
    assert counting.seen == {
        ("microsoft", "token", "ok"): 1,
        ("microsoft", "create", "ok"): 1,
        ("microsoft", "find", "ok"): 1,
        ("microsoft", "list", "ok"): 1,
        ("microsoft", "list", "VendorUnavailable"): 1,
        ("microsoft", "delete", "ok"): 1,
        ("microsoft", "list", "Throttled"): 1,
        ("throttled", "microsoft", "person"): 1,
    }


def test_errors_and_logs_name_nobody(bed: MicrosoftBed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="reconciler")
    bed.fault("status", "create", status=400, reason="ErrorInvalidRecipients")
    with pytest.raises(ReconcilerError) as refused:
        bed.calendar.create(a_draft())
    bed.simulator.revoke(ANA)
    bed.graph.tokens.forget(bed.connection)
    with pytest.raises(ReauthorizationNeeded) as broken:
        bed.calendar.listing(SINCE)
    said = caplog.text + str(refused.value) + str(broken.value)
    assert "ErrorInvalidRecipients (request-id" in said
    assert "AADSTS50173" in said
    for secret in (ANA, "Safety", "Bearer", *bed.store.put_so_far):
        assert secret not in said


# Tools --------------------------------------------------------------------------------------------


class ScriptedTransport(Transport):
    """Answers what a box between us and Graph answers, in order."""

    def __init__(self, *answers: tuple[int, dict[str, str], str]) -> None:
        super().__init__()
        self._answers = list(answers)

    def send(self, *given: Any, **more: Any) -> Any:
        return Answer(*self._answers.pop(0))


def calendar_behind(bed: MicrosoftBed, transport: Transport) -> MicrosoftCalendar:
    """The calendar with a token, and this between it and Graph."""
    bed.graph.tokens.get(bed.connection)
    graph = replace(bed.graph, transport=transport, url="https://graph.microsoft.com/v1.0")
    return MicrosoftCalendar(Mailbox(graph, bed.connection), bed.connection.calendar_id, "test")


def an_unwritten_event(bed: MicrosoftBed) -> ActualEvent:
    return ActualEvent("event", bed.connection.calendar_id, 'W/"x"', None, None, "", "", None, None)


def other_connection(bed: MicrosoftBed) -> MicrosoftBed:
    """Ben, at the same vendor, through the same client."""
    account = bed.simulator.add_account("ben@contoso.example")
    connection = replace(
        bed.connection,
        id=2,
        subject=f"{account.tenant}:{account.oid}",
        calendar_id=bed.simulator.mailbox(account.upn).default.id,
    )
    bed.store.put(connection, {"refresh_token": bed.simulator.issue_refresh_token(account.upn)})
    return replace(bed, connection=connection)
