"""The pages speak people's own languages, wholly."""

from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from reconciler.web.problems import TELLINGS, Problem
from reconciler.web.words import FOLDER, languages
from tests.support.pages import Pages
from tests.support.translations import messages


@pytest.mark.parametrize("language", languages()[1:])
def test_every_message_is_translated_and_none_that_is_no_longer_used(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file)
    translated = {one.id for one in catalogue if one.id and one.string and all(one.string)}
    assert translated == set(messages())


@pytest.mark.parametrize("language", languages()[1:])
def test_a_translation_keeps_what_is_filled_in(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        for message in read_po(file):
            ids = [message.id] if isinstance(message.id, str) else list(message.id)
            strings = [message.string] if isinstance(message.string, str) else list(message.string)
            for original, translation in zip(ids, strings, strict=True):
                holes = re.findall(r"%\(\w+\)s", original)
                assert sorted(holes) == sorted(re.findall(r"%\(\w+\)s", translation)), translation


def test_every_problem_is_told() -> None:
    assert TELLINGS.keys() == set(Problem)


@pytest.mark.parametrize(
    ("locale", "accepted", "heading"),
    [
        ("de", "en", "Ihre Schulungen in Ihrem Kalender"),
        ("de_AT", "en", "Ihre Schulungen in Ihrem Kalender"),
        ("de-ch", "", "Ihre Schulungen in Ihrem Kalender"),
        ("en", "de", "Your training in your calendar"),
        ("", "de-DE,de;q=0.9", "Ihre Schulungen in Ihrem Kalender"),
        ("fr", "de", "Ihre Schulungen in Ihrem Kalender"),
        ("fr", "it", "Your training in your calendar"),
        ("nonsense; drop", "x-y-z", "Your training in your calendar"),
    ],
)
def test_a_person_is_answered_in_their_own_language_else_in_the_browsers(
    pages: Pages, locale: str, accepted: str, heading: str
) -> None:
    pages.bed.lms.change_person("ana", locale=locale)
    ana = pages.arrive("ana", pages.browser(headers={"Accept-Language": accepted}))
    assert ana.heading == heading
    (html,) = ana.page.find_all("html")
    assert html["lang"] == ("de" if heading.startswith("Ihre") else "en")


def test_somebody_unknown_is_answered_in_the_browsers_language(pages: Pages) -> None:
    somebody = pages.browser(headers={"Accept-Language": "de"}).open("/")
    assert somebody.heading == "Bitte kommen Sie über Ihr Schulungssystem"


def test_the_page_at_the_way_in_speaks_the_persons_language_already(pages: Pages) -> None:
    pages.bed.lms.change_person("ana", locale="de")
    assert pages.browser().open(pages.link()).heading == "Ihre Schulungen, in Ihrem eigenen Kalender"
