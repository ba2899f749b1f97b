"""Digests are equal where what they stand for is equal, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.diff.fields import (
    content_of,
    differences,
    digest_of,
    made_as,
    no_news,
    person_fingerprint,
    registration_line,
    session_fingerprint,
    token_of,
)
from reconciler.model import Day, EventKey, Registration, Removal, Role, Session, Standing
from tests.support.builders import a_registration, a_session, an_event

WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=4) | st.sampled_from(
    ("", "Safety", "With: Ines", "False")
)
MOMENTS = st.sampled_from(
    (datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 2))
)


@st.composite
def days(draw: st.DrawFn) -> Day:
    """A day in either way of telling time."""
    starts = draw(MOMENTS)
    ends = starts + timedelta(hours=draw(st.integers(0, 2)))
    return Day(starts, ends, draw(st.sampled_from(("Europe/Berlin", "UTC"))), draw(st.booleans()))


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """A session of few and short words."""
    return a_session(
        days=draw(st.lists(days(), max_size=2)),
        title=draw(WORDS),
        course=draw(WORDS),
        details=draw(WORDS),
        location=draw(WORDS),
        url=draw(st.sampled_from(("", "https://lms.example/"))),
        instructors=tuple(draw(st.lists(WORDS, max_size=2))),
        cancelled=draw(st.booleans()),
        cancellable=draw(st.booleans()),
        cancel_until=draw(st.sampled_from((None, datetime(2026, 11, 30, tzinfo=UTC)))),
        refused=draw(st.sampled_from((None, "unknown zone"))),
    )


removals = st.sampled_from(Removal)


@given(sessions(), sessions(), days(), days(), removals, removals)
def test_equal_digests_stand_for_equal_events(
    one: Session, other: Session, day: Day, another: Day, removal: Removal, other_removal: Removal
) -> None:
    digests = digest_of(one, day, removal), digest_of(other, another, other_removal)
    if digests[0] == digests[1]:
        assert content_of(one, removal) == content_of(other, other_removal)
        assert day == another
    assert (digests[0].time == digests[1].time) == (day == another)


@given(
    sessions(),
    days(),
    removals,
    st.sampled_from(("title", "location", "details", "url", "instructors")),
    WORDS,
)
def test_a_digest_changes_exactly_with_what_is_written(
    session: Session, day: Day, removal: Removal, field: str, word: str
) -> None:
    change: dict[str, Any] = {field: (word,) if field == "instructors" else word}
    changed = replace(session, **change)
    same_text = content_of(session, removal) == content_of(changed, removal)
    before, after = digest_of(session, day, removal), digest_of(changed, day, removal)
    assert (before == after) == same_text
    assert before.time == after.time
    if field == "url":
        assert before.content == after.content
    else:
        assert before.form == after.form


@given(sessions(), days(), days(), removals)
def test_a_day_changes_only_the_digest_of_the_time(
    session: Session, day: Day, another: Day, removal: Removal
) -> None:
    before, after = digest_of(session, day, removal), digest_of(session, another, removal)
    assert (before.content, before.form) == (after.content, after.form)


@given(sessions(), days())
def test_what_was_written_differs_in_nothing(session: Session, day: Day) -> None:
    seat = a_registration(replace(session, days=(day,)))
    event = an_event(seat)
    content = content_of(seat.session, Removal.UNREGISTERS if session.cancellable else Removal.PUT_BACK)
    assert differences(content, day, event) == frozenset()


@given(sessions(), st.randoms(use_true_random=False))
def test_a_fingerprint_does_not_depend_on_the_order_of_days(session: Session, chance: Any) -> None:
    shuffled = list(session.days)
    chance.shuffle(shuffled)
    assert session_fingerprint(session) == session_fingerprint(replace(session, days=tuple(shuffled)))


@given(sessions(), sessions(), removals)
def test_what_changes_an_event_changes_its_session_s_fingerprint(
    one: Session, other: Session, removal: Removal
) -> None:
    if session_fingerprint(one) == session_fingerprint(other):
        assert content_of(one, removal) == content_of(other, removal)
        assert sorted(map(repr, one.days)) == sorted(map(repr, other.days))
        assert (one.cancelled, one.cancellable, one.refused) == (
            other.cancelled,
            other.cancellable,
            other.refused,
        )


Part = tuple[str, str]
"""One registration's line, and the form of its session."""


def _part(session: Session, role: Role, standing: Standing, seat: str | None) -> Part:
    fingerprint = session_fingerprint(session)
    return registration_line(
        Registration("ana", session, role, standing, seat), fingerprint
    ), fingerprint.form


parts = st.builds(
    _part,
    sessions(),
    st.sampled_from(Role),
    st.sampled_from(Standing),
    st.sampled_from(("seat-1", "seat-2", None)),
)


def digest(identity: str, active: bool, of: list[Part]) -> str:
    return person_fingerprint(identity, active, [line for line, _ in of], [form for _, form in of])


@given(st.lists(parts, max_size=3), st.lists(parts, max_size=3), st.booleans(), st.booleans())
def test_a_person_s_digest_is_equal_exactly_where_the_registrations_are(
    one: list[Part], other: list[Part], active: bool, other_active: bool
) -> None:
    same_news = sorted(line for line, _ in one) == sorted(line for line, _ in other)
    same_news = same_news and (active == other_active or not one)
    same_forms = sorted(form for _, form in one) == sorted(form for _, form in other)
    first, second = digest("ana", active, one), digest("ana", other_active, other)
    assert (first == second) == (same_news and same_forms)
    assert no_news(first, second) == (same_news and bool(one))


@given(st.lists(parts, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_registrations_means_nothing(of: list[Part], chance: Any) -> None:
    shuffled = list(of)
    chance.shuffle(shuffled)
    assert digest("ana", True, of) == digest("ana", True, shuffled)


@given(sessions(), st.sampled_from(("https://a.example/", "https://b.example/")), st.booleans())
def test_a_new_link_or_closing_sentence_is_no_news(session: Session, url: str, cancellable: bool) -> None:
    other = replace(session, url=url, cancellable=cancellable)
    before, after = (
        digest("ana", True, [_part(one, Role.LEARNER, Standing.WANTED, "a")]) for one in (session, other)
    )
    assert no_news(after, before)
    assert (before == after) == (session == other)


@given(st.lists(parts, min_size=1, max_size=3))
def test_somebody_else_under_the_same_id_has_another_digest(of: list[Part]) -> None:
    assert digest("ana", True, of) != digest("ana again", True, of)


def test_nothing_desired_has_an_empty_digest() -> None:
    assert digest("ana", True, []) == ""


def test_what_was_never_applied_is_news() -> None:
    assert not no_news("", None)
    assert not no_news("1.2", None)


keys = st.builds(
    EventKey, st.sampled_from(("1", "11", "a")), st.sampled_from(("1", "11", "a")), st.integers(0, 12)
)


@given(keys, keys, st.integers(0, 3), st.integers(0, 3))
def test_an_id_belongs_to_one_key_and_generation(key: EventKey, other: EventKey, one: int, two: int) -> None:
    assert (made_as("here", key, one) == made_as("here", other, two)) == ((key, one) == (other, two))
    assert (token_of("here", key) == token_of("here", other)) == (key == other)
    assert made_as("here", key, one) != made_as("there", key, one)
    assert token_of("here", key) != token_of("there", key)


@given(keys, st.integers(0, 100))
def test_ids_are_of_the_letters_that_every_vendor_takes(key: EventKey, generation: int) -> None:
    chosen = made_as("here", key, generation)
    assert len(chosen) == 32
    assert set(chosen) <= set("0123456789abcdefghijklmnopqrstuv")
    assert set(token_of("here", key)) <= set("0123456789abcdef")
