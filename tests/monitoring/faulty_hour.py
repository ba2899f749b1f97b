"""An hour in which much goes wrong, of a day that began well: the daemon's cycles, and what they leave.

Sixty people, both simulated vendors over HTTPS, the real cycles on a clock that runs ahead; its metrics are
read every fifteen seconds of that hour, as Prometheus would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler import ops
from reconciler.service import Service
from reconciler.simulators.lms import When
from reconciler.simulators.wire import Fault, Simulator
from tests.monitoring.passing_time import PassingTime
from tests.support.house import HouseBed
from tests.support.pages import Pages, the_pages
from tests.support.ports import free_port

BEGINS = datetime(2026, 11, 23, 9, tzinfo=UTC)
LASTS = timedelta(hours=1)
SCRAPED = timedelta(seconds=15)
"""From one reading of the metrics to the next."""
AT_GOOGLE, AT_MICROSOFT = ([f"{vendor}{number:02}" for number in range(30)] for vendor in ("g", "m"))
NEAR, FAR = [24, 25], [27, 30, 31, 32, 33, 34, 37, 38]
"""The days of the sessions, counted from the first of November."""
_PUSHED_BEFORE, _SHIFTED = timedelta(minutes=15), timedelta(minutes=5)

Sample = tuple[str, dict[str, str], float]


@dataclass
class FaultyHour:
    """``samples`` are what the metrics were at each reading of the hour, oldest first; ``page`` is where the
    operations listener shows how it stands."""

    bed: HouseBed
    clock: PassingTime
    page: str
    samples: list[tuple[datetime, list[Sample]]] = field(default_factory=list)

    @property
    def ends(self) -> datetime:
        return BEGINS + LASTS

    def read(self, at: datetime) -> None:
        """What Prometheus would find."""
        found = self.bed.house.metrics.registry.collect()
        samples = [(one.name, one.labels, one.value) for family in found for one in family.samples]
        self.samples.append((at, samples))


@contextmanager
def faulty_hour(folder: Path, state: str, quiet: timedelta) -> Iterator[FaultyHour]:
    """The hour, over, after so long a time without any fault; the house still stands as it left it. ``state``
    is as in :func:`a_house`."""
    clock, port = PassingTime(BEGINS - quiet), free_port()
    given = {
        "ops": {"listen": f"127.0.0.1:{port}"},
        "providers": {
            "google": {"quota": {"per_minute": 300, "per_day": 20_000}},
            "microsoft": {"secret_expires": "2027-01-31"},
        },
        "deletes": {"min_sessions": 3},
    }
    with clock.in_force(), the_pages(folder, state, clock=clock, **given) as pages:
        bed = pages.bed
        clock.keep(bed.google, bed.microsoft)
        _populate(bed)
        house = bed.house.take_up()
        with ops.serving(house) as served:
            ticks = Service(bed.config, house, served, None).schedule().ticks
            _before(bed, clock, ticks["push"].run)
            told = FaultyHour(bed, clock, f"http://127.0.0.1:{port}/")
            _play(told, story(pages), [ticks[name].run for name in ("push", "audit", "confirm")])
            yield told


def _populate(bed: HouseBed) -> None:
    """Ten sessions; everybody has a seat in some of them, most of them soon or late."""
    for day in (*NEAR, *FAR):
        begins = datetime(2026, 11, 1, 9) + timedelta(days=day - 1)
        bed.lms.add_session(When(begins, begins + timedelta(hours=8)))
    for number, person in enumerate([*AT_GOOGLE, *AT_MICROSOFT]):
        sessions = {1 + number % 2, 3 + number % 8, 3 + (number + 3) % 8}
        vendor = "google" if person in AT_GOOGLE else "microsoft"
        bed.newcomer(person, vendor, *(f"session-{one}" for one in sorted(sessions)))


def _before(bed: HouseBed, clock: PassingTime, push: Callable[[], object]) -> None:
    """A quiet time: now and then the LMS changes something."""
    instant = clock() + _SHIFTED
    while instant < BEGINS:
        clock.reach(instant)
        if instant.minute < 15 and 7 <= instant.hour < 18:
            bed.lms.change(f"session-{1 + instant.hour % 10}", location=f"Room {instant.hour}")
        push()
        instant += _PUSHED_BEFORE


def _play(hour: FaultyHour, story: dict[int, Callable[[], None]], cycles: list[Callable[[], object]]) -> None:
    """Minute by minute: what happens, and a cycle of each kind. What lasts longer than until the next reading
    of the metrics is read when it is over."""
    ahead, minutes = BEGINS, 0
    while ahead <= hour.ends:
        hour.clock.reach(ahead)
        passed = (ahead - BEGINS) // timedelta(minutes=1) + 1
        for minute in range(minutes, passed):
            story.get(minute, lambda: None)()
        if passed > minutes:
            for cycle in cycles:
                cycle()
        minutes, now = passed, hour.clock()
        hour.read(now)
        ahead = now + SCRAPED - (now - BEGINS) % SCRAPED


def story(pages: Pages) -> dict[int, Callable[[], None]]:
    """What happens in which minute of the hour."""
    bed = pages.bed
    lms, google, microsoft = bed.lms, bed.google, bed.microsoft

    def renamed(title: str, *sessions: int) -> Callable[[], None]:
        def rename() -> None:
            for one in sessions:
                lms.change(f"session-{one}", title=f"{title} {one}")

        return rename

    def people_at_work() -> None:
        """At Google some give events other titles; some delete one."""
        for person in AT_GOOGLE[:6]:
            vendor, address = bed.addresses[person]
            vendor.rename(address, bed.seen(person)[0].id, "Mine")
        for person in (AT_GOOGLE[10], AT_GOOGLE[11], AT_MICROSOFT[10]):
            bed.remove(person, bed.titles(person)[0])

    def consents() -> None:
        """Ana connects her calendar; Ben declines at the vendor's page. Ids are proved by the real time."""
        google.clock.set(datetime.now(UTC))
        pages.connected("google", "ana", "ana@acme.example")
        ben = pages.arrive("ben")
        ben.press("Authorize Google Calendar")
        ben.press("Deny")
        google.clock.set(bed.clock())

    def vanish() -> None:
        for one in (5, 6, 7, 8):
            lms.drop_session(f"session-{one}")

    def back_at_microsoft() -> None:
        microsoft.faults.clear()
        people_at_work()

    def withdrawn() -> None:
        for person in AT_GOOGLE[20:22]:
            google.revoke(bed.addresses[person][1])

    def breaks(vendor: Simulator, *faults: Fault) -> Callable[[], None]:
        return lambda: vendor.faults.add(*faults)

    invalid = {"status": 400, "reason": "invalid"}
    too_fast = {"status": 403, "reason": "rateLimitExceeded", "retry_after": 240}
    _, refused = bed.addresses[AT_GOOGLE[1]]
    return {
        2: renamed("Forklift", 3, 4),
        8: breaks(microsoft, Fault("status", "*", times=-1, status=503)),
        9: renamed("Ladders", 1, 5),
        20: back_at_microsoft,
        24: breaks(google, Fault("status", "*", times=4, **too_fast)),
        25: renamed("First aid", 2, 6),
        31: withdrawn,
        32: google.faults.clear,
        33: breaks(google, Fault("slow", "list", times=4, seconds=0.8)),
        36: lambda: bed.rename_lms_table("sessions", "away"),
        44: lambda: bed.rename_lms_table("away", "sessions"),
        47: vanish,
        50: breaks(google, Fault("status", "update", mailbox=refused, times=-1, **invalid)),
        51: renamed("Fire drill", 2),
        53: consents,
    }
