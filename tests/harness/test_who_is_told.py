"""The judge hears what people are told: whoever loses a seat without a word is found."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reconciler.ports import Mail, Notice, NoticeKind
from reconciler.post.notices import OutboxNotices
from tests.harness.site import MINUTE, Site
from tests.harness.test_deleting_an_event import ana_in, seats


@pytest.mark.parametrize(
    ("unsaid", "wrong"),
    [
        (NoticeKind.DELETED, "I6: ana lost a seat in {} and had not been told that it would be so"),
        (NoticeKind.GIVEN_BACK, "I6: ana was never told that the seat in {} was given back"),
    ],
)
def test_whoever_is_not_told_is_found(
    site: Site, monkeypatch: pytest.MonkeyPatch, unsaid: NoticeKind, wrong: str
) -> None:
    letters = OutboxNotices.letters

    def silent(notices: OutboxNotices, notice: Notice) -> Sequence[Mail]:
        return () if notice.kind is unsaid else letters(notices, notice)

    monkeypatch.setattr(OutboxNotices, "letters", silent)
    session = ana_in(site, 9)
    site.delete("ana")
    site.audit_all()
    site.clock.move(31 * MINUTE)
    site.round()
    assert seats(site, "ana", session) == {"cancelled"}
    site.settle()
    assert site.wrongs() == [wrong.format(session)]
