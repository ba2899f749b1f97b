"""What is wrong with mail is told before anybody is mailed: texts, the server, doubled invitations."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.lms.engine import read_engine
from reconciler.lms.moodle import MoodleLms
from reconciler.mailroom import doubled
from reconciler.settings import load
from reconciler.simulators.certificates import make_certificates
from tests.support.house import HouseBed
from tests.support.smtp_servers import USER, Post, a_post, unused


def mail(post: Post | None = None, **different: object) -> dict[str, object]:
    server = post.server if post else unused()
    given = {"host": server.host, "port": server.port, "from_address": "training@example.org"}
    return {"mail": {**given, "tls": str(server.encryption), **different}}


def test_a_text_that_does_not_work_stops_the_start_and_is_told_with_its_line(house: HouseBed) -> None:
    text = house.folder / "mail/en/deleted.txt"
    text.parent.mkdir(parents=True)
    text.write_text("Subject: x\n\n{{ hello() }}\n\n{{ untl }}\n")
    house.configure(**mail(templates="mail"))
    for verb in ("check-config", "once"):
        refused = house.cli(verb)
        assert refused.exit_code == 78
        assert refused.stderr == f"mail.templates: {text}:5: 'untl' is undefined\n"
    text.write_text("Subject: x\n\n{{ hello() }}\n\n{{ until }}\n")
    assert house.cli("check-config").exit_code == 0


def test_the_way_to_the_server_is_tried_without_sending_anything(house: HouseBed) -> None:
    (house.folder / "password").write_text("correct horse")
    (house.folder / "password").chmod(0o600)
    with a_post(make_certificates(house.folder)) as post:
        house.configure(
            network={"ca_file": post.server.ca_file}, **mail(post, user=USER, password_file="password")
        )
        checked = house.cli("check-config", "--online")
        assert "mail.host" not in checked.stderr
        (house.folder / "password").write_text("wrong")
        refused = house.cli("check-config", "--online")
        assert refused.exit_code == 78
        assert "mail.host: 535" in refused.stderr
    assert house.cli("check-config").exit_code == 0
    assert "mail.host: the connection failed" in house.cli("check-config", "--online").stderr
    assert post.received == []


@pytest.mark.parametrize(
    ("invitations", "says"),
    [
        (
            "gaps",
            [
                "The LMS mails these itself (mail.invitations: gaps): 1 (Safety): confirmation.",
                "Learners of these get no invitation from anybody: 2 (Forklift).",
            ],
        ),
        (
            "all",
            [
                "The LMS mails these itself (mail.invitations: all): 1 (Safety): confirmation.",
                "Their learners get each invitation twice: choose gaps, or switch those mails off.",
            ],
        ),
    ],
)
def test_what_moodle_mails_itself_is_told(house: HouseBed, invitations: str, says: list[str]) -> None:
    site = f"sqlite:///{house.folder}/moodle.db"
    engine = sa.create_engine(site)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE mdl_facetoface (id INTEGER, name TEXT, confirmationsubject TEXT,"
            " confirmationmessage TEXT, cancellationsubject TEXT)"
        )
        connection.exec_driver_sql(
            "INSERT INTO mdl_facetoface VALUES"
            " (1, 'Safety', 'Booked', 'See you', 'x'), (2, 'Forklift', '', 'y', '')"
        )
    house.configure(**mail(invitations=invitations))
    lms = MoodleLms(read_engine(sa.make_url(site)))
    assert doubled(load(Path(house.config)), lms) == says
    assert doubled(load(Path(house.config)), house.lms) == []
    lms.close()
