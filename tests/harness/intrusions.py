"""What may happen outside while a process is in the middle of something, at any of its boundaries."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.model import Answer
from tests.harness.scenarios import ONE, book_again, disconnect, reconnect, restore
from tests.harness.site import MINUTE, Site, when

Intrusion = Callable[[Site], object]


def stopped(site: Site) -> None:
    """The process stands still for ten minutes; another one does all there is to do."""
    site.clock.move(10 * MINUTE)
    for kind in ("push", "audit", "confirm"):
        site.cycle(kind, "b")


def stopped_while_the_event_is_taken_back(site: Site) -> None:
    """The same, and the event's owner takes it back from the bin meanwhile."""
    restore(site)
    stopped(site)


def disconnected_and_connected_again(site: Site) -> None:
    """For a moment; what vanished before proves nothing."""
    disconnect(site)
    reconnect(site)


INTRUSIONS: dict[str, Intrusion] = {
    "stopped for ten minutes": stopped,
    "stopped while the event is taken back": stopped_while_the_event_is_taken_back,
    "the event is taken back": restore,
    "its owner keeps the seat": lambda site: site.answer("ana", ONE, Answer.KEEP),
    "the seat is cancelled and taken again": book_again,
    "the session is moved": lambda site: site.lms.move(ONE, when(11)),
    "the session is called off": lambda site: site.lms.cancel_session(ONE),
    "the seat is cancelled": lambda site: site.lms.cancel("ana", ONE),
    "attended": lambda site: site.lms.set_status("ana", ONE, "attended"),
    "disconnected and connected again": disconnected_and_connected_again,
}
