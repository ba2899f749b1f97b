"""A plan names what differs, and no more than is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.diff.changes import Update, differing
from reconciler.diff.guards import allow
from reconciler.diff.plan import plan
from reconciler.model import Mode, Registration
from reconciler.render import PersonPlan, as_text
from tests.support.builders import (
    NOW,
    a_day,
    a_desired,
    a_listing,
    a_policy,
    a_registration,
    a_session,
    an_entry,
    an_event,
)

BEFORE = a_registration(a_session(title="Forklift", location="Yard"))
LATER = [a_day("2026-12-09 13:00")]


def changed(**fields: Any) -> Registration:
    return replace(BEFORE, session=replace(BEFORE.session, **fields))


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (changed(location="Hall 2"), "text"),
        (changed(title="Fork-lift"), "text"),
        (changed(days=tuple(LATER)), "time"),
        (changed(location="Hall 2", days=tuple(LATER)), "text, time"),
        (changed(url="https://lms.example/new"), "text"),
    ],
    ids=["room", "title", "time", "room and time", "link"],
)
def test_a_push_that_has_not_looked_tells_text_from_time_and_claims_no_more(
    after: Registration, said: str
) -> None:
    planned = plan(a_desired(after), [an_entry(BEFORE)], None, a_policy(), NOW)
    printed = as_text([PersonPlan("ana", "google", allow(planned, Mode.SYNC, False, may_delete=True))])
    assert f"[{said}]  <- " in printed


def test_an_audit_names_each_field_it_saw_to_be_edited() -> None:
    edited = replace(an_event(BEFORE), title="Boring stuff", block="mine now")
    planned = plan(a_desired(BEFORE), [an_entry(BEFORE)], a_listing(edited), a_policy(), NOW)
    (update,) = planned.changes
    assert isinstance(update, Update)
    assert differing(update) == "text, title"


def test_a_line_of_a_plan_names_its_day_by_date_not_by_number() -> None:
    planned = plan(a_desired(changed(days=tuple(LATER))), [an_entry(BEFORE)], None, a_policy(), NOW)
    printed = as_text([PersonPlan("ana", "google", allow(planned, Mode.SYNC, False, may_delete=True))])
    assert "session s1, Wed 2026-12-09 12:00Z" in printed
