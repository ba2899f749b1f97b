"""From the settings to a real mail server: the program as its users start it."""

from __future__ import annotations

import email
import os
from email import policy
from pathlib import Path

import pytest

from reconciler.labels import MailWay
from reconciler.mail.smtp import Encryption
from reconciler.model import MailState
from reconciler.ports import Mail
from tests.support.house import MONDAY, TUESDAY, HouseBed, a_house
from tests.support.microsoft_bed import certificates
from tests.support.smtp_servers import PASSWORD, USER, Post, a_post


def mailing(folder: Path, post: Post, **more: object) -> dict[str, object]:
    """The settings' section for this server."""
    file = folder / "smtp-password"
    with open(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(PASSWORD)
    return {
        "host": post.server.host,
        "port": post.server.port,
        "tls": "starttls",
        "user": USER,
        "password_file": "smtp-password",
        "from_address": "training@acme.example",
        "coalesce": "1m",
        **more,
    }


def received(post: Post) -> list[str]:
    """Recipient and subject of each message, in order of arrival."""
    messages = [email.message_from_bytes(one.content, policy=policy.default) for one in post.received]
    return [f"{one['To'].addresses[0].addr_spec}: {one['Subject']}" for one in messages]


def test_a_person_without_a_calendar_is_invited_updated_and_cancelled(tmp_path: Path, state_at: str) -> None:
    with a_post(certificates(), Encryption.STARTTLS) as post, a_house(tmp_path, state_at) as house:
        house.configure(mail=mailing(tmp_path, post))
        house.once()
        session = house.lms.add_session(MONDAY, title="First aid")
        house.lms.add_person("ana", email="ana@acme.example")
        house.lms.book("ana", session)
        assert [line.detail for line in house.plan()] == ["invitation: First aid"]
        twice(house)
        house.lms.move(session, TUESDAY)
        twice(house)
        house.lms.cancel("ana", session)
        twice(house)
        assert len(post.received) == 3, received(post)
        ways = [one.content.partition(b"method=")[2][:8].strip(b'";\r\n') for one in post.received]
        assert [way.decode().strip('"').partition(";")[0].upper()[:6] for way in ways] == [
            "REQUES",
            "REQUES",
            "CANCEL",
        ]
        assert all(line.startswith("ana@acme.example: ") for line in received(post))
        counted = house.metrics()
        assert f'reconciler_mails_total{{kind="{MailWay.REQUEST}",result="sent"}} 2.0' in counted
        assert f'reconciler_mails_total{{kind="{MailWay.CANCEL}",result="sent"}} 1.0' in counted
        assert "Mails: 3 sent" in house.cli("status").stdout
        assert "told by mail of a new or changed day" in house.explained("ana")


def twice(house: HouseBed) -> None:
    house.once()
    house.once()


def test_every_connect_and_disconnect_is_told(tmp_path: Path, state_at: str) -> None:
    with a_post(certificates(), Encryption.STARTTLS) as post, a_house(tmp_path, state_at) as house:
        house.configure(mail=mailing(tmp_path, post))
        house.once()
        house.lms.add_person("ana", email="ana@acme.example")
        house.connect("ana", "google")
        house.once()
        house.house.farewell.end(house.connection("ana"), "person ana", "test", "as asked")
        house.once()
        assert len(post.received) == 2, received(post)


def test_who_disconnected_a_calendar_is_said(tmp_path: Path, state_at: str) -> None:
    with a_post(certificates(), Encryption.STARTTLS) as post, a_house(tmp_path, state_at) as house:
        house.configure(mail=mailing(tmp_path, post))
        house.once()
        for person in ("ana", "ben"):
            house.lms.add_person(person, email=f"{person}@acme.example")
            house.connect(person, "google")
        twice(house)
        assert house.cli("connection", "disconnect", "ana").exit_code == 0
        house.house.ledger.leave("ben", "person ben", "192.0.2.1", house.house.world.clock())
        twice(house)
        said = {mail.person: mail.body or "" for mail in letters_of(house, "disconnected")}
        assert '"operator"' in said["ana"]
        assert '"person"' in said["ben"]


def letters_of(house: HouseBed, kind: str) -> list[Mail]:
    return [one for one in house.house.ledger.mails(tuple(MailState), 100) if one.kind == kind]


def test_without_a_mail_section_status_says_that_nobody_is_told(tmp_path: Path, state_at: str) -> None:
    with a_house(tmp_path, state_at) as house:
        house.once()
        assert "Mail is not configured" in house.cli("status").stdout


def test_a_clone_of_the_installation_mails_nobody(tmp_path: Path, state_at: str) -> None:
    with a_post(certificates(), Encryption.STARTTLS) as post, a_house(tmp_path, state_at) as house:
        house.configure(mail=mailing(tmp_path, post))
        house.once()
        house.configure(installation={"id": "clone"})
        house.lms.add_person("ana", email="ana@acme.example")
        house.lms.book("ana", house.lms.add_session(MONDAY))
        twice(house)
        assert post.received == []


@pytest.fixture
def state_at(ledger_file: Path, tmp_path: Path) -> str:
    """A state database of this test's own."""
    (tmp_path / "state.db").write_bytes(ledger_file.read_bytes())
    return f"sqlite:///{tmp_path / 'state.db'}"
