"""What is not known for sure about Microsoft Graph and Entra, as switches of the simulator.

The vendor's documents are silent, or contradict one another, about each of these. A client has to be right
whichever way a switch stands; the defaults are the likeliest behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AccountKind = Literal["work", "consumer"]


@dataclass(frozen=True)
class MicrosoftSwitches:
    """One behaviour of the vendor. Durations are in seconds of the simulated clock."""

    # events: transactionId is documented as avoiding redundant POSTs, not what the second POST answers
    transaction_repeat: Literal["first_201", "first_200", "conflict_409", "another"] = "first_201"
    transaction_after_delete: Literal["another", "first_201", "conflict_409"] = "another"
    transaction_memory_seconds: float | None = None  # None: never forgotten

    # events: extended properties
    strips_properties_on_create: frozenset[AccountKind] = frozenset({"consumer"})
    index_delay_listings: int = 0  # how many property-filtered listings do not yet find a new event
    index_delay_seconds: float = 0.0

    # events: conflicts, the bin, folders
    stale_update: Literal["412", "409", "ignored"] = "412"
    stale_delete: Literal["412", "409", "ignored"] = "412"
    soft_deleted_answers_get: bool = False  # GET by immutable id still answers after DELETE
    restore_keeps_immutable_id: bool = True
    events_span_calendars: bool = False  # /me/events lists every calendar, not the default one alone

    # events: time
    original_zone_as: Literal["given", "windows"] = "given"
    ambiguous_time_is_second: bool = False  # a wall time that happens twice is taken as the later one
    all_day_floats: bool = True  # all-day events read as midnight in whatever zone is preferred
    unknown_zones: frozenset[str] = frozenset()  # IANA names this deployment has not learnt yet

    # answers
    adds_online_meeting: bool = False  # a mailbox policy: Teams meeting and location on create
    omits_nulls: bool = False
    page_cap: int | None = None  # pages are never longer than this, whatever $top says

    # limits per application and mailbox
    concurrent_requests: int = 4
    window_requests: int = 10_000
    window_seconds: float = 600.0
    concurrency_retry_after: int = 5
    refused_requests_count: bool = True  # a request refused for its rate still fills the window
    latency_seconds: float = 0.0  # real seconds each Graph request takes

    # sign-in
    access_token_seconds: int = 3600
    refresh_overlap_seconds: float = 3600.0  # how long a rotated refresh token is still accepted
    refresh_idle_seconds: float = 90 * 86400.0
    id_tokens_follow_real_time: bool = False  # for clients whose own clock is not the simulated one
