"""Letters as messages: what mail programs need is there, in the person's language, whatever was written."""

from __future__ import annotations

import email
import html
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.mail.compose import Composer
from reconciler.mail.letter import Letter, Mailbox, Method, Template, day_fact, packed, unpacked
from reconciler.mail.samples import samples
from reconciler.model import Day
from tests.support.hostile import HOSTILE
from tests.support.icalendars import problems

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
ID = "1.abc@training.example.org"
COMPOSER = Composer(Mailbox("Acme Training", "training@example.org"), reply_to="help@example.org")
INVITING = (Template.INVITATION, Template.CANCELLED, Template.WITHDRAWN)


def a_letter(template: Template = Template.INVITATION, locale: str = "en_GB", **facts: Any) -> Letter:
    first = next(letter for letter in samples(locale) if letter.template is template)
    return replace(first, facts={**first.facts, **facts})


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert not [part.defects for part in message.walk() if part.defects]
    return message


def composed(letter: Letter) -> EmailMessage:
    return read(COMPOSER.compose(letter, ID, NOW))


def plain(message: EmailMessage) -> str:
    return str(message.get_body(("plain",)).get_content())


def rich(message: EmailMessage) -> str:
    return str(message.get_body(("html",)).get_content())


class _Page(HTMLParser):
    """What a reader sees of HTML, and the tags and addresses in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


# Form ---------------------------------------------------------------------------------------------


def test_an_invitation_has_the_layout_that_outlook_gmail_and_apple_show_a_card_for() -> None:
    raw = COMPOSER.compose(a_letter(), ID, NOW)
    message = read(raw)
    outer, inner = list(message.iter_parts())[::-1][0], next(iter(message.iter_parts()))
    assert message.get_content_type() == "multipart/mixed"
    assert inner.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in inner.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    entry = list(inner.iter_parts())[-1]
    assert dict(entry["Content-Type"].params) == {"method": "REQUEST", "charset": "UTF-8"}
    assert (outer.get_content_type(), outer.get_filename()) == ("application/ics", "invite.ics")
    assert entry.get_payload(decode=True) == outer.get_payload(decode=True)


@pytest.mark.parametrize("template", INVITING)
def test_organizer_and_attendee_are_the_sender_and_the_recipient_of_the_message(template: Template) -> None:
    letter = a_letter(template)
    message = composed(letter)
    entry = next(part for part in message.walk() if part.get_content_type() == "text/calendar")
    raw = entry.get_payload(decode=True)
    assert letter.invite is not None
    assert problems(raw, letter.invite) == []
    assert f"METHOD:{letter.invite.method}\r\n".encode() in raw
    assert entry["Content-Type"].params["method"] == letter.invite.method
    assert letter.invite.organizer.address == message["From"].addresses[0].addr_spec
    assert letter.invite.attendee.address == message["To"].addresses[0].addr_spec


def test_a_message_is_lines_of_ascii_with_cr_and_lf_of_bearable_length() -> None:
    for letter in samples("de_AT"):
        raw = COMPOSER.compose(letter, ID, NOW)
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        assert raw.isascii()


def test_the_headers_say_who_when_and_that_no_answer_is_wanted_from_a_machine() -> None:
    message = composed(a_letter())
    assert message["From"] == "Acme Training <training@example.org>"
    assert message["To"].addresses[0].display_name == "Ana Öztürk"
    assert message["Reply-To"] == "help@example.org"
    assert message["Message-ID"] == f"<{ID}>"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en-GB"


def test_a_plain_notice_has_no_entry() -> None:
    for letter in samples():
        kinds = [part.get_content_type() for part in composed(letter).walk()]
        assert ("text/calendar" in kinds) == (letter.template in INVITING)


def test_a_letter_is_the_same_after_it_was_stored() -> None:
    for letter in samples():
        assert unpacked(packed(letter)) == letter


# Words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["en", "en_GB", "de", "de_AT"])
def test_every_text_is_written_for_learners_and_instructors_with_much_or_little_told(locale: str) -> None:
    seen = set()
    for letter in samples(locale):
        message = composed(letter)
        seen.add(letter.template)
        for text in (message["Subject"], plain(message), _Page(rich(message)).text):
            assert not re.search(r"[{}]|None|undefined|  +\.|\(\)", text), (letter.template, text)
        assert len(message["Subject"]) > 5
    assert seen == set(Template)


def test_both_bodies_tell_the_whole_timetable_place_people_and_link() -> None:
    message = composed(a_letter())
    for text in (plain(message), html.unescape(rich(message))):
        for told in (
            "Negotiation: the hard way",
            "Wednesday, 2 December 2026, 09:00\N{EN DASH}17:00",
            "Tuesday, 1 December 2026, 09:00\N{EN DASH}17:00",
            "Thursday, 3 December 2026",
            "Friday, 4 December 2026",
            "Central European Time",
            "Room 3, Main Street 1",
            "Room 1",
            "Dev Patel, Chloé Martin",
            "https://learn.example.org/session?id=42",
            "Bring a pen.",
        ):
            assert told in text


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("en_US", "Changed: Negotiation: the hard way, Wed, Dec 2"),
        ("en_GB", "Changed: Negotiation: the hard way, Wed 2 Dec"),
        ("de_AT", "Geändert: Negotiation: the hard way, Mi., 2. Dez."),
        ("de_kids", "Geändert: Negotiation: the hard way, Mi., 2. Dez."),
        ("de-CH", "Geändert: Negotiation: the hard way, Mi., 2. Dez."),
        ("fr_FR", "Changed: Negotiation: the hard way, Wed, Dec 2"),
        ("", "Changed: Negotiation: the hard way, Wed, Dec 2"),
        ("\x00", "Changed: Negotiation: the hard way, Wed, Dec 2"),
    ],
)
def test_the_language_is_the_persons_or_the_nearest_there_is(locale: str, subject: str) -> None:
    assert composed(a_letter(locale=locale))["Subject"] == subject


def test_whoever_has_no_language_of_ours_gets_that_of_the_settings() -> None:
    german = Composer(Mailbox("Schulung", "training@example.org"), language="de")
    assert read(german.compose(a_letter(locale="fr"), ID, NOW))["Subject"].startswith("Geändert")


def test_a_deleted_event_tells_the_hour_until_which_the_seat_can_be_kept_and_how() -> None:
    message = composed(a_letter(Template.DELETED))
    assert message["Subject"] == "Your seat in Negotiation: the hard way is given back at 14:30"
    until = "Saturday, 28 November 2026, 14:30 (Central European Time)"
    assert until in " ".join(plain(message).split())
    assert "https://calendar.example.org/seats?token=x" in plain(message)
    assert "https://calendar.example.org/seats?token=x" in _Page(rich(message)).links


def test_days_over_midnight_and_of_several_dates_are_told_whole() -> None:
    night = Day(datetime(2026, 12, 2, 22), datetime(2026, 12, 3, 2), "Asia/Tokyo")
    camp = Day(datetime(2026, 12, 2), datetime(2026, 12, 5), "Asia/Tokyo", all_day=True)
    text = plain(composed(a_letter(days=[day_fact(night), day_fact(camp)])))
    assert "Wednesday, 2 December 2026, 22:00 \N{EN DASH} Thursday, 3 December 2026, 02:00" in text
    assert "Wednesday, 2 December 2026 \N{EN DASH} Friday, 4 December 2026" in text


# Hostile ------------------------------------------------------------------------------------------

_SAFE_TAGS = {"html", "head", "meta", "title", "body", "table", "tr", "td", "p", "h1", "a", "br", "s", "span"}
_SAFE_TAGS |= {"strong", "div"}
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Reply-To", "Auto-Submitted"]
HEADERS += ["X-Auto-Response-Suppress", "Content-Language", "Content-Type", "MIME-Version"]


def poisoned(letter: Letter, text: str) -> Letter:
    """The letter with this text wherever somebody could have written it."""

    def within(value: Any) -> Any:
        if isinstance(value, dict):
            fixed = ("starts", "ends", "zone", "change", "until", "role")
            return {name: inner if name in fixed else within(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [within(inner) for inner in value]
        return value + text if isinstance(value, str) else value

    invite = letter.invite
    if invite:
        invite = replace(invite, title=text, location=text, url=text, description=text)
        invite = replace(invite, attendee=Mailbox(text, invite.attendee.address))
    to = Mailbox(text, letter.to.address)
    return replace(letter, to=to, facts=within(letter.facts), invite=invite)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    for letter in list(samples())[::3]:
        raw = COMPOSER.compose(poisoned(letter, text), ID, NOW)
        message = read(raw)
        assert [name for name in message.keys() if not name.startswith("Content-Tr")] == HEADERS  # noqa: SIM118
        assert [each.addr_spec for each in message["To"].addresses] == ["ana@example.org"]
        assert len(message["Subject"]) <= 180
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\x00", raw)
        page = _Page(rich(message))
        assert set(page.tags) <= _SAFE_TAGS
        assert {link.partition(":")[0] for link in page.links if link} <= {"http", "https", "mailto"}
        for shown in (message["Subject"], plain(message), page.text):
            assert not re.search(
                "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", shown
            )


def test_braces_are_shown_as_they_were_written() -> None:
    letter = a_letter(session={"title": "{{ 7 * 7 }} {% raw %} %(x)s {x}"})
    message = composed(replace(letter, facts={**letter.facts, "person": "{name} {{ 7 }}"}))
    for text in (message["Subject"], plain(message), _Page(rich(message)).text):
        assert "{{ 7 * 7 }} {% raw %} %(x)s {x}" in text
    assert "Hello {name} {{ 7 }}," in plain(message)


@settings(max_examples=60)
@given(st.text(), st.text(max_size=30))
def test_no_text_makes_a_message_fail(text: str, name: str) -> None:
    letter = poisoned(a_letter(), text)
    message = composed(replace(letter, to=Mailbox(name, f"{name}@example.org"), locale=name))
    assert message["From"].addresses[0].addr_spec == "training@example.org"


# An operator's own --------------------------------------------------------------------------------


def own(folder: Path, **texts: str) -> Composer:
    """A composer with these texts; ``de__deleted`` is de/deleted.txt."""
    for name, text in texts.items():
        file = folder / f"{name.replace('__', '/')}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    return Composer(Mailbox("Acme", "training@example.org"), own=folder)


def test_an_operators_text_takes_the_place_of_ours_in_both_bodies(tmp_path: Path) -> None:
    text = "Subject: Bye {{ person }}\n\n{{ hello() }}\n\nUntil {{ moment() }}!\n\n"
    text += '{{ button("Stay", answer_url) }}\n'
    composer = own(tmp_path, en__deleted=text)
    assert composer.check() == []
    message = read(composer.compose(a_letter(Template.DELETED), ID, NOW))
    assert message["Subject"] == "Bye Ana Öztürk"
    assert "Until Saturday, 28 November 2026, 14:30 (Central European Time)!" in plain(message)
    assert "Stay" in _Page(rich(message)).text
    other = read(composer.compose(a_letter(Template.DELETED, "de"), ID, NOW))
    assert other["Subject"].startswith("Ihr Platz")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Hello\n\nworld", "must begin with a line 'Subject: ...' and an empty line"),
        ("Subject: x\n\nHello {{ person }", "deleted.txt:3: "),
        ("Subject: x\n\n{% if person %}\nHello", "deleted.txt:3: "),
        ("Subject: x\n\nHello\n\n{{ persn }}", "deleted.txt:5: 'persn' is undefined"),
        ("Subject: {{ sesion.title }}\n\nHello", "'sesion' is undefined"),
        ("Subject: x\n\n{{ session.titel }}", "deleted.txt:3: "),
        ("Subject: x\n\n{{ ''.__class__.__mro__ }}", "deleted.txt:3: "),
        ("Subject: x\n\n{{ buttn('a', answer_url) }}", "deleted.txt:3: 'buttn' is undefined"),
        ("Subject: x\n\n{% for n in range(10000000) %}x{% endfor %}", "deleted.txt:3: "),
        ("Subject: x\n\n{{ 1 / 0 }}", "deleted.txt:3: division by zero"),
    ],
)
def test_what_is_wrong_with_a_text_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (problem,) = own(tmp_path, en__deleted=text).check()
    assert problem.startswith(f"{tmp_path}/en/deleted.txt")
    assert says in problem


def test_a_text_that_fails_all_the_same_is_replaced_by_ours(tmp_path: Path) -> None:
    composer = own(tmp_path, en__deleted="Subject: x\n\n{% if person == 'Eve' %}{{ 1 / 0 }}{% endif %}Hi")
    assert composer.check() == []
    letter = a_letter(Template.DELETED, person="Eve")
    assert "Hello Eve," in plain(read(composer.compose(letter, ID, NOW)))


def test_files_and_words_that_mean_nothing_are_told(tmp_path: Path) -> None:
    composer = own(tmp_path, en__delted="Subject: x\n\nx")
    (tmp_path / "en/words.toml").write_text('helo = "Hi {name}"\n')
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    composer = Composer(Mailbox("Acme", "training@example.org"), own=tmp_path)
    assert [problem.partition(" is no ")[0] for problem in composer.check()] == [
        f"{tmp_path}/en/delted.txt:",
        f"{tmp_path}/logo.png:",
        f"{tmp_path}/en/words.toml: helo",
    ]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    composer = Composer(Mailbox("Acme", "training@example.org"), own=tmp_path / "gone")
    assert composer.check() == [f"{tmp_path}/gone: cannot be read: No such file or directory"]


def test_a_language_of_ones_own_needs_every_text(tmp_path: Path) -> None:
    (problem,) = own(tmp_path, fr__deleted="Subject: x\n\nx").check()
    assert problem.startswith(f"{tmp_path}/fr: invitation.txt, cancelled.txt")
    english = {file.name: file.read_text() for file in (Path("reconciler/mail/templates/en")).iterdir()}
    for name, text in english.items():
        (tmp_path / "fr" / name).write_text(text.replace("Hello", "Bonjour"))
    composer = Composer(Mailbox("Acme", "training@example.org"), own=tmp_path)
    assert composer.check() == []
    assert "Bonjour Ana Öztürk," in plain(read(composer.compose(a_letter(locale="fr_CA"), ID, NOW)))


def test_the_cancellation_bears_its_method() -> None:
    assert a_letter(Template.CANCELLED).invite.method is Method.CANCEL
