"""Through a real mail server into a mailbox: what arrives is what was written."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email.policy import default
from pathlib import Path

from reconciler.mail.compose import Composer
from reconciler.mail.letter import Mailbox
from reconciler.mail.samples import samples
from reconciler.mail.smtp import Outcome, Smtp
from reconciler.simulators.certificates import make_certificates
from tests.support.icalendars import problems
from tests.support.postfix import a_postfix

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
FROM = "training@example.org"


def test_every_letter_arrives_in_a_maildir_as_it_was_written(tmp_path: Path) -> None:
    composer = Composer(Mailbox("Acme Training", FROM))
    letters = {
        f"{number}@example.org": letter
        for number, letter in enumerate([*list(samples("en_GB"))[::2], *list(samples("de"))[1::2]])
    }
    written = {each: composer.compose(letter, each, NOW) for each, letter in letters.items()}
    with a_postfix(make_certificates(tmp_path)) as postfix:
        smtp = Smtp(postfix.server)
        for message in written.values():
            delivery = smtp.send(FROM, "ana@example.org", message)
            assert delivery.outcome is Outcome.SENT, delivery
        unknown = smtp.send(FROM, "nobody@example.org", message)
        assert (unknown.outcome, unknown.code) == (Outcome.REFUSED, 550)
        assert "nobody" not in unknown.text
        smtp.close()
        arrived = postfix.delivered(len(written))
    assert len(arrived) == len(written) > 40
    for raw in arrived:
        message = email.message_from_bytes(raw, policy=default)
        own = str(message["Message-ID"]).strip("<>")
        assert raw.endswith(written.pop(own).replace(b"\r\n", b"\n"))
        assert re.search(r"with ESMTPS", str(message["Received"]))
        for part in message.walk():
            if part.get_content_type() in ("text/calendar", "application/ics"):
                invite = letters[own].invite
                assert invite is not None
                assert problems(part.get_payload(decode=True), invite) == []
    assert written == {}
