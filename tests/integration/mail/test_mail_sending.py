"""Handing a message over: what became of it is known as exactly as it can be known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.mail.smtp import Encryption, Outcome, Smtp
from reconciler.simulators.certificates import Certificates, make_certificates
from tests.support.connect_proxy import a_proxy
from tests.support.smtp_servers import HANG_UP, a_post, a_scripted, unused

FROM, TO = "training@example.org", "ana@example.org"
MESSAGE = b"Subject: x\r\n\r\n.one dot\r\n..two\r\nlast line\r\n"
LONG = MESSAGE + b"".join(b"line %d\r\n" % number for number in range(2_000))
EVERY_4XX = (421, 432, 450, 451, 452, 454, 455)
EVERY_5XX = (500, 501, 502, 503, 504, 521, 534, 550, 551, 552, 553, 554, 555, 556)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


# A real server ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encryption", [Encryption.STARTTLS, Encryption.IMPLICIT])
def test_a_message_arrives_byte_for_byte_over_tls_after_signing_in(
    certificates: Certificates, encryption: Encryption
) -> None:
    with a_post(certificates, encryption) as post:
        smtp = Smtp(post.server)
        delivery = smtp.send(FROM, TO, MESSAGE)
        smtp.close()
    assert (delivery.outcome, delivery.code) == (Outcome.SENT, 250)
    (received,) = post.received
    assert (received.sender, received.recipients, received.content) == (FROM, [TO], MESSAGE)


def test_one_connection_serves_many_messages(certificates: Certificates) -> None:
    with a_scripted() as server:
        smtp = Smtp(server.there)
        assert {smtp.send(FROM, TO, MESSAGE).outcome for _ in range(20)} == {Outcome.SENT}
        smtp.close()
        assert (len(server.taken), server.connections) == (20, 1)


def test_a_wrong_password_defers_and_says_so(certificates: Certificates) -> None:
    with a_post(certificates, password="wrong") as post:
        smtp = Smtp(post.server)
        delivery = smtp.send(FROM, TO, MESSAGE)
        assert (delivery.outcome, delivery.code) == (Outcome.DEFERRED, 535)
        assert "535" in str(smtp.try_out())
        assert post.received == []


def test_an_untrusted_certificate_defers_before_a_password_is_sent(certificates: Certificates) -> None:
    with a_post(certificates, ca_file=None) as post:
        delivery = Smtp(post.server).send(FROM, TO, MESSAGE)
    assert delivery.outcome is Outcome.DEFERRED
    assert "certificate is not trusted" in delivery.text
    assert post.received == []


def test_a_certificate_for_another_name_is_not_trusted(certificates: Certificates) -> None:
    with a_post(certificates) as post:
        delivery = Smtp(replace(post.server, host="127.0.0.2")).send(FROM, TO, MESSAGE)
    assert delivery.outcome is Outcome.DEFERRED
    assert post.received == []


def test_without_starttls_nothing_is_sent_in_the_open() -> None:
    with a_scripted() as server:
        there = replace(server.there, encryption=Encryption.STARTTLS, user="training", password="x")
        delivery = Smtp(there).send(FROM, TO, MESSAGE)
    assert (delivery.outcome, delivery.text) == (Outcome.DEFERRED, "the server does not offer STARTTLS")
    assert server.taken == []


def test_the_way_may_lead_through_a_proxy(certificates: Certificates) -> None:
    with a_post(certificates) as post, a_proxy() as proxy:
        smtp = Smtp(replace(post.server, proxy=proxy.url))
        assert smtp.send(FROM, TO, MESSAGE).outcome is Outcome.SENT
        smtp.close()
    assert proxy.asked_for == [f"localhost:{post.server.port}"]


def test_a_proxy_that_refuses_defers() -> None:
    with a_scripted(greeting="HTTP/1.1 403 no\r\n\r\n") as proxy:
        url = f"http://127.0.0.1:{proxy.server_address[1]}"
        delivery = Smtp(replace(proxy.there, proxy=url)).send(FROM, TO, MESSAGE)
    assert delivery.outcome is Outcome.DEFERRED
    assert "the proxy said HTTP/1.1 403 no" in delivery.text


def test_trying_it_out_signs_in_and_sends_nothing(certificates: Certificates) -> None:
    with a_post(certificates) as post:
        assert Smtp(post.server).try_out() is None
    assert post.received == []


# Recipients ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "@example.org",
        "ana@",
        "ana@exam ple.org",
        "an a@example.org",
        "ana@example.org\r\nRCPT TO:<eve@example.com>",
        "ana\n@example.org",
        "a..b@example.org",
        '"ana"@example.org',
        "ana\x00@example.org",
        "ana\u2028@example.org",
        "ana@example.org, eve@example.com",
        "ana>@example.org",
        "a" * 65 + "@example.org",
        "ana@" + "a" * 300 + ".org",
    ],
)
def test_what_is_no_address_is_refused_without_asking_the_server(address: str) -> None:
    delivery = Smtp(unused()).send(FROM, address, MESSAGE)
    assert (delivery.outcome, delivery.code) == (Outcome.REFUSED, 0)


def test_a_domain_of_any_script_is_sent_as_ascii(certificates: Certificates) -> None:
    with a_post(certificates) as post:
        smtp = Smtp(post.server)
        assert smtp.send(FROM, "ana@straße.example", MESSAGE).outcome is Outcome.SENT
        smtp.close()
    assert post.received[0].recipients == ["ana@xn--strae-oqa.example"]


@pytest.mark.parametrize(("offered", "outcome"), [(True, Outcome.SENT), (False, Outcome.REFUSED)])
def test_a_name_of_any_script_needs_a_server_that_takes_it(
    certificates: Certificates, offered: bool, outcome: Outcome
) -> None:
    with a_post(certificates, smtputf8=offered) as post:
        smtp = Smtp(post.server)
        assert smtp.send(FROM, "jörg@example.org", MESSAGE).outcome is outcome
        assert smtp.send(FROM, TO, MESSAGE).outcome is Outcome.SENT
        smtp.close()
    assert [each.recipients[0] for each in post.received] == (["jörg@example.org", TO] if offered else [TO])


def test_no_address_is_told_of() -> None:
    with a_scripted(RCPT="550 5.1.1 <ana@example.org>: Recipient ana@example.org rejected") as server:
        delivery = Smtp(server.there).send(FROM, TO, MESSAGE)
    assert delivery.text == "5.1.1 <address>: Recipient <address> rejected"


# Faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", EVERY_4XX)
@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "message"])
def test_every_4xx_at_every_step_defers(step: str, code: int) -> None:
    with a_scripted(**{step: f"{code} 4.0.0 later"}) as server:
        smtp = Smtp(server.there)
        delivery = smtp.send(FROM, TO, MESSAGE)
        assert delivery.outcome is Outcome.DEFERRED
        server.answers.clear()
        assert smtp.send(FROM, TO, MESSAGE).outcome is Outcome.SENT
        smtp.close()


@pytest.mark.parametrize("code", EVERY_5XX)
@pytest.mark.parametrize("step", ["RCPT", "DATA", "message"])
def test_every_5xx_about_the_recipient_or_the_message_refuses_it_and_no_other(step: str, code: int) -> None:
    with a_scripted(**{step: f"{code} 5.0.0 never"}) as server:
        smtp = Smtp(server.there)
        delivery = smtp.send(FROM, TO, MESSAGE)
        assert (delivery.outcome, delivery.code) == (Outcome.REFUSED, code)
        server.answers.clear()
        assert smtp.send(FROM, TO, MESSAGE).outcome is Outcome.SENT
        smtp.close()
        assert server.connections == 1


@pytest.mark.parametrize("code", [530, 535, 550, 554])
@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL"])
def test_a_5xx_about_us_is_nobodys_fault_and_defers(step: str, code: int) -> None:
    with a_scripted(**{step: f"{code} 5.0.0 not you"}) as server:
        assert Smtp(server.there).send(FROM, TO, MESSAGE).outcome is Outcome.DEFERRED


def test_a_message_too_large_for_the_server_is_refused() -> None:
    with a_scripted(EHLO="250 SIZE 10", MAIL="552 5.3.4 too large") as server:
        assert Smtp(server.there).send(FROM, TO, MESSAGE).outcome is Outcome.REFUSED


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
def test_lost_before_the_message_it_is_deferred(step: str) -> None:
    with a_scripted(**{step: HANG_UP}) as server:
        delivery = Smtp(server.there).send(FROM, TO, MESSAGE)
        assert delivery.outcome is Outcome.DEFERRED
        assert server.taken == []


@pytest.mark.parametrize("half", ["during", "after"])
def test_lost_during_or_after_the_message_its_fate_is_unknown(half: str) -> None:
    faults = {"half": "yes"} if half == "during" else {"message": HANG_UP}
    with a_scripted(**faults) as server:
        smtp = Smtp(server.there)
        delivery = smtp.send(FROM, TO, LONG)
        assert delivery.outcome is Outcome.UNKNOWN
        server.answers.clear()
        assert smtp.send(FROM, TO, MESSAGE).outcome is Outcome.SENT
        smtp.close()


@pytest.mark.parametrize("answer", ["hello", "nonsense\r\nmore", "2"])
def test_an_answer_to_the_message_that_is_none_leaves_its_fate_unknown(answer: str) -> None:
    with a_scripted(message=answer) as server:
        assert Smtp(server.there).send(FROM, TO, MESSAGE).outcome is Outcome.UNKNOWN


def test_nobody_there_is_deferred() -> None:
    delivery = Smtp(unused()).send(FROM, TO, MESSAGE)
    assert (delivery.outcome, delivery.code) == (Outcome.DEFERRED, 0)


def test_a_server_without_a_name_is_deferred() -> None:
    delivery = Smtp(replace(unused(), host="smtp.invalid")).send(FROM, TO, MESSAGE)
    assert (delivery.outcome, delivery.text) == (Outcome.DEFERRED, "the server's name is not known")


def test_a_server_that_does_not_answer_is_deferred_before_and_unknown_after_the_message() -> None:
    with a_scripted(message="") as server:
        silent = replace(server.there, timeout=0.2)
        server.answers["message"] = "250-more to come"
        delivery = Smtp(silent).send(FROM, TO, MESSAGE)
        assert (delivery.outcome, delivery.text) == (Outcome.UNKNOWN, "the server did not answer in time")
        server.answers = {"MAIL": "250-more to come"}
        delivery = Smtp(silent).send(FROM, TO, MESSAGE)
        assert (delivery.outcome, delivery.text) == (Outcome.DEFERRED, "the server did not answer in time")


@pytest.mark.parametrize("goodbye", ["421 4.4.2 you were idle", HANG_UP])
def test_a_kept_connection_that_has_died_is_replaced_without_a_word(goodbye: str) -> None:
    with a_scripted() as server:
        smtp = Smtp(server.there)
        assert smtp.send(FROM, TO, MESSAGE).outcome is Outcome.SENT
        server.answers["MAIL"] = goodbye
        server.mend_at_next_connection = True
        assert smtp.send(FROM, TO, MESSAGE).outcome is Outcome.SENT
        smtp.close()
        assert (len(server.taken), server.connections) == (2, 2)
