"""Work and reports as JSON, from process to process: ids, digests and counts; no title, no address."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.apply import Done
from reconciler.errors import CycleError, LmsUnreadable, StateUnreadable
from reconciler.ports import Due
from reconciler.turn import TurnReport
from reconciler.works import Hearing, Reconciling

_ERRORS = (LmsUnreadable, StateUnreadable)


@dataclass(frozen=True, slots=True)
class Work:
    """A batch, and what is to be done with it. ``log`` names the cycle in the log, ``run`` for programs. What
    the accounts' switches say is read by whoever does it."""

    run: str
    log: str
    cycle: str
    now: datetime
    lms_since: datetime
    audit: bool
    held: frozenset[str]
    fleet_held: frozenset[str]
    batch: tuple[Due, ...]


def work_of(kind: Reconciling | Hearing, batch: Sequence[Due], run: str, log: str) -> Work:
    """What a dispatcher was asked to do, as data."""
    order = kind.order
    held = kind.court.fleet_held if isinstance(kind, Hearing) else frozenset[str]()
    cycle = kind.world.cycle
    return Work(run, log, cycle, order.now, order.lms_since, order.audit, order.held, held, tuple(batch))


def dumped(work: Work) -> str:
    """To JSON."""
    return json.dumps(
        {
            "run": work.run,
            "log": work.log,
            "cycle": work.cycle,
            "now": work.now.isoformat(),
            "lms_since": work.lms_since.isoformat(),
            "audit": work.audit,
            "held": sorted(work.held),
            "fleet_held": sorted(work.fleet_held),
            "batch": [[one.person, one.expected] for one in work.batch],
        }
    )


def loaded(text: str) -> Work:
    """From JSON."""
    data = json.loads(text)
    return Work(
        run=data["run"],
        log=data["log"],
        cycle=data["cycle"],
        now=datetime.fromisoformat(data["now"]),
        lms_since=datetime.fromisoformat(data["lms_since"]),
        audit=data["audit"],
        held=frozenset(data["held"]),
        fleet_held=frozenset(data["fleet_held"]),
        batch=tuple(Due(person, expected) for person, expected in data["batch"]),
    )


# What came of it ----------------------------------------------------------------------------------


def dumped_reports(reports: Sequence[TurnReport]) -> str:
    """To JSON. An error's sentence stays in the log of who met it."""
    return json.dumps(
        {
            "reports": [
                {
                    "person": one.person,
                    "provider": one.provider,
                    "outcome": one.outcome,
                    "looked": one.looked,
                    "done": [[done.change, done.cause, done.result] for done in one.done],
                    "drift": one.drift,
                    "held": one.held,
                    "notes": one.notes,
                    "behind": one.behind,
                }
                for one in reports
            ]
        }
    )


def dumped_error(problem: CycleError) -> str:
    """What ended a batch, and with it its cycle."""
    return json.dumps({"error": type(problem).__name__, "says": str(problem)})


def reports_of(text: str) -> list[TurnReport]:
    """From JSON; raises the ``CycleError`` that ended the batch, if one did."""
    data = json.loads(text)
    if "error" in data:
        kinds = {kind.__name__: kind for kind in _ERRORS}
        raise kinds.get(data["error"], CycleError)(data["says"])
    return [
        TurnReport(**{**one, "done": tuple(Done(*done) for done in one["done"]), "notes": (*one["notes"],)})
        for one in data["reports"]
    ]
