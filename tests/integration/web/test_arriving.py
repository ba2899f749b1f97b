"""Arriving from the LMS: with a token that is right in every point, once, and after a button was pressed."""

from __future__ import annotations

import base64
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from reconciler.web import links
from tests.support.pages import KID, LMS, PUBLIC, SECRET, Pages

BUTTON = "Open my calendar settings"


def test_whoever_comes_sees_whose_page_it_is_and_one_button(pages: Pages) -> None:
    ana = pages.browser().open(pages.link())
    assert "You are here as Ana Berger." in ana.text
    assert ana.buttons() == [BUTTON]
    ana.press(BUTTON)
    assert (ana.answer.url, ana.heading) == (f"{PUBLIC}/", "Your training in your calendar")


def test_a_scanner_that_opens_every_link_uses_nothing_up(pages: Pages) -> None:
    link = pages.link()
    for _ in range(5):
        scanner = pages.browser()
        scanner.open(link)
        scanner.open("/").open("/privacy")
    assert pages.browser().open(link).press(BUTTON).answer.url == f"{PUBLIC}/"


def test_a_token_is_used_up_by_the_button(pages: Pages) -> None:
    link = pages.link()
    first, second = pages.browser().open(link), pages.browser().open(link)
    first.press(BUTTON)
    second.press(BUTTON)
    assert second.heading == "This link was used already"
    assert second.open("/").answer.status == 403


def test_the_same_token_in_two_tabs_of_one_browser_leads_back_to_the_page(pages: Pages) -> None:
    link = pages.link()
    ana = pages.browser().open(link).press(BUTTON)
    ana.open(link).press(BUTTON)
    assert ana.heading == "This link was used already"
    assert ana.press("To my calendar settings").answer.status == 200


def refused(pages: Pages, token: str) -> str:
    """What is said to whoever comes with this token; they come no further, button or not."""
    somebody = pages.browser().open(f"{PUBLIC}/launch?token={token}")
    heading = somebody.heading
    assert somebody.answer.status in (400, 403)
    csrf = pages.browser().open(pages.link())
    (field,) = csrf.page.find_all("input", attrs={"name": "csrf"})
    csrf.send("POST", "/launch", [("csrf", str(field["value"])), ("token", token)])
    assert csrf.heading == heading
    assert csrf.open("/").answer.status == 403
    return heading


WRONG = "This link cannot be used"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.example.org"},
        {"aud": None},
        {"account": "another"},
        {"account": None},
        {"jti": None},
        {"jti": ""},
        {"iat": None},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"role": "administrator"},
        {"role": None},
        {"return_to": "https://evil.example.org/"},
        {"return_to": "javascript:alert(1)"},
        {"return_to": f"{LMS}.evil.example.org/"},
        {"return_to": f"{LMS}@evil.example.org/"},
        {"return_to": "//evil.example.org"},
        {"return_to": 7},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_or_missing_claim_is_refused(pages: Pages, claims: dict[str, Any]) -> None:
    assert refused(pages, pages.token(**claims)) == WRONG


def test_a_token_signed_with_another_key_or_with_none_is_refused(pages: Pages) -> None:
    assert refused(pages, pages.token(key="another secret that is long enough for it")) == WRONG
    assert refused(pages, pages.token(kid="unknown")) == WRONG
    assert refused(pages, pages.token(kid=None)) == WRONG
    assert refused(pages, pages.token(key=None, algorithm="none")) == WRONG
    whole = pages.token().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": KID}).encode()).decode().rstrip("=")
    assert refused(pages, f"{head}.{whole[1]}.") == WRONG
    assert refused(pages, ".".join([*whole[:2], "AAAA"])) == WRONG


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "%00", "e30.e30.e30", "." * 9], ids=repr)
def test_what_is_no_token_at_all_is_refused(pages: Pages, token: str) -> None:
    assert refused(pages, token) == WRONG


def test_a_token_is_good_for_its_time_and_never_for_more_than_ten_minutes(pages: Pages) -> None:
    link = pages.link()
    pages.bed.clock.move(timedelta(seconds=140))
    assert pages.browser().open(link).answer.status == 200
    pages.bed.clock.move(timedelta(seconds=20))
    assert pages.browser().open(link).heading == "This link is too old"
    now = int(pages.bed.clock().timestamp())
    assert refused(pages, pages.token(exp=now + 601)) == WRONG
    assert refused(pages, pages.token(iat=now + 60, exp=now + 90)) == WRONG
    assert refused(pages, pages.token(iat="now")) == WRONG


def test_a_token_that_was_used_cannot_come_back_before_it_is_too_old(pages: Pages) -> None:
    link = pages.link()
    pages.browser().open(link).press(BUTTON)
    pages.bed.clock.move(timedelta(seconds=149))
    pages.arrive("ben")  # whatever is past is thrown away on this occasion
    again = pages.browser().open(link).press(BUTTON)
    assert again.heading == "This link was used already"


def test_somebody_the_lms_does_not_know_or_has_suspended_comes_no_further(pages: Pages) -> None:
    pages.bed.lms.change_person("ben", active=False)
    pages.bed.lms.add_account("other")
    pages.bed.lms.add_person("eve", account="other")
    for person in ("nobody", "ben", "eve"):
        said = refused(pages, pages.token(person))
        assert said == "We cannot find you in the training system"


def test_an_id_that_now_belongs_to_somebody_else_opens_nothing_any_more(pages: Pages) -> None:
    ana = pages.arrive("ana")
    pages.bed.lms.change_person("ana", identity="ana-the-second")
    assert ana.open("/").heading == "We cannot find you in the training system"


def test_an_lms_that_does_not_answer_is_said_so(pages: Pages) -> None:
    link = pages.link()
    with sqlite3.connect(pages.bed.folder / "lms.db") as lms:
        lms.execute("ALTER TABLE people RENAME TO gone")
    assert pages.browser().open(link).heading == "The training system does not answer"


def test_an_lms_may_sign_with_a_key_that_it_shares_with_nobody(pages: Pages) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (pages.bed.folder / "lms-key.pem").write_bytes(public)
    (pages.bed.folder / "lms-key.pem").chmod(0o600)
    keys = {"lms": {"account": "acme", "public_key_file": "lms-key.pem", "return_to": [LMS]}}
    pages.bed.configure(web={"launch_keys": keys})
    pages.anew()
    signed = pages.token(key=private, kid="lms", algorithm="RS256")
    assert pages.browser().open(f"{PUBLIC}/launch?token={signed}").answer.status == 200
    claims = jwt.decode(signed, options={"verify_signature": False})
    # The oldest trick: the public key as a shared secret.
    forged = jwt.encode(claims, "x" * 32, "HS256", headers={"kid": "lms"})
    assert refused(pages, forged) == WRONG
    assert refused(pages, pages.token(kid="lms", key=SECRET)) == WRONG


def test_the_way_back_leads_to_the_lms(pages: Pages) -> None:
    ana = pages.arrive("ana")
    (link,) = [one for one in ana.page.find_all("a") if one.get_text() == "Back to training"]
    assert link["href"] == f"{LMS}/profile"
    assert "Back to training" not in pages.arrive("ben", return_to=None).answer.text


def test_support_makes_a_link_that_works_once_and_is_written_down(pages: Pages) -> None:
    made = pages.bed.cli("connect-link", "ana")
    assert made.exit_code == 0, made.output
    link = made.stdout.strip()
    assert ("web.listen is not set" in made.stderr) == (pages.bed.house.settings.web.listen is None)
    (line, *_) = pages.bed.house.ledger.audit_log(1)
    assert (line.what, line.person, line.detail) == ("link made", "ana", "as learner")
    pages.bed.clock.now = datetime.now(UTC)
    first, second = pages.browser().open(link), pages.browser().open(link)
    assert first.press(BUTTON).answer.status == 200
    assert second.press(BUTTON).heading == "This link was used already"
    assert pages.bed.cli("connect-link", "nobody").exit_code == 1


def test_a_link_for_one_purpose_is_good_for_no_other(pages: Pages) -> None:
    for purpose in (links.SEAT, links.APPROVE):
        claims = {"sub": "ana", "account": "acme", "role": "owner"}
        token = links.sign(pages.site, purpose, claims, pages.bed.clock())
        assert refused(pages, token) == WRONG


def test_signing_out_leaves_nothing_behind(pages: Pages) -> None:
    ana = pages.arrive("ana").press("Sign out")
    assert ana.heading == "You are signed out"
    assert ana.cookies() == {}
    assert ana.open("/").heading == "Please come in through your training system"
