"""The scene about people without a calendar: what they are mailed."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

from reconciler.demo.cast import VIENNA, Course, schedule, when
from reconciler.demo.play import Play

FORKLIFT_AGAIN = Course("106", "Forklift, part two", "Yard", ((2, 13, 16, VIENNA),), "dev", ("omar",))
WAIT = timedelta(minutes=6)
"""A little more than changes wait for others, so that several become one mail."""


def by_mail(play: Play) -> None:
    """Invited, updated and cancelled: one entry, three messages."""
    stage, teller = play.stage, play.teller
    teller.say(
        "Omar has connected no calendar. Acme switches mail on: what people have by now is taken as known, "
        "and from then on Omar gets an invitation for each new day, which any mail program shows as an entry "
        "to accept. Changes wait five minutes for others, so that several become one mail."
    )
    with stage.mailing() as server:
        stage.once()
        teller.check(not server.taken, "nobody is mailed what they had before")
        schedule(stage.lms, FORKLIFT_AGAIN, play.monday)
        play.plan()
        _later(play)
        stage.lms.move(FORKLIFT_AGAIN.id, when(play.monday, 3, 13, 16, VIENNA))
        stage.lms.change(FORKLIFT_AGAIN.id, location="Hall 2")
        _later(play)
        stage.lms.cancel("omar", FORKLIFT_AGAIN.id)
        _later(play)
        mails = [mail for mail in server.taken if mail["To"].addresses[0].addr_spec == "omar@acme.example"]
        teller.say("\nWhat Omar has got, and the entry in each:\n")
        for mail in mails:
            teller.output("\n".join([f"Subject: {mail['Subject']}", *_told(mail), ""]))
        entries = [_entry(mail) for mail in mails]
        teller.check(
            [one.get("METHOD") for one in entries] == ["REQUEST", "REQUEST", "CANCEL"],
            "an invitation, an update and a cancellation, one message each",
        )
        same = len({one.get("UID") for one in entries}) == 1
        rising = [one.get("SEQUENCE") for one in entries] == ["0", "1", "2"]
        teller.check(same and rising, "all three are about one entry, in rising order")
        teller.check(len(server.taken) == len(mails), "whoever has a calendar was mailed nothing")
    play.seen = stage.seen()


def _later(play: Play) -> None:
    """What is planned now goes out once it is due."""
    play.stage.once()
    play.stage.clock.jump(WAIT)
    play.once()


def _entry(mail: EmailMessage) -> dict[str, str]:
    """The properties of the entry that a message brings, each by its name."""
    part = next((one for one in mail.walk() if one.get_content_type() == "text/calendar"), None)
    text = part.get_content() if part is not None else ""
    unfolded = text.replace("\r\n ", "").replace("\n ", "").splitlines()
    return {line.partition(":")[0].partition(";")[0]: line.partition(":")[2] for line in unfolded}


def _told(mail: EmailMessage) -> list[str]:
    """The lines of an entry that matter."""
    entry = _entry(mail)
    shown = ("METHOD", "SEQUENCE", "SUMMARY", "DTSTART", "LOCATION", "STATUS")
    return [f"  {name}: {entry[name]}" for name in shown if name in entry]
