"""The scenes about seats: what deleting an event does, what it does not, and what it must never do."""

from __future__ import annotations

from datetime import timedelta

from reconciler.demo.cast import FIRST_AID, FORKLIFT, NEGOTIATION, WELDING
from reconciler.demo.play import Play
from reconciler.demo.vendors import Seen

NEXT_LOOK = timedelta(hours=5)
"""Sessions begin within a fortnight: their calendars are looked at every four hours, or a little later."""
MINUTE = timedelta(minutes=1)
WITHIN_GRACE = timedelta(minutes=20)
AFTER_GRACE = timedelta(minutes=31)
STANDS = "Where each event stands:"
HAPPENED = "What happened so far:"


def deleting_gives_back(play: Play) -> None:
    """Given back once it is proven, and not when it is taken out of the bin in time."""
    stage, teller = play.stage, play.teller
    teller.say(
        "Chloé cannot come to Welding and deletes the event: that is all she has to do. Ben deletes his too, "
        "and will think better of it. The calendars are looked at every four hours or so, and from the first "
        "sight on there are [b]30 minutes of grace[/b]: the story's clock jumps 5 hours ahead."
    )
    chloes, bens = stage.find("chloe", WELDING.title), stage.find("ben", WELDING.title)
    stage.delete(chloes)
    stage.delete(bens)
    play.later(NEXT_LOOK)
    play.explain("chloe", WELDING.id, STANDS)
    stage.clock.jump(WITHIN_GRACE)
    stage.once()
    teller.say("\n20 minutes and some cycles later, Ben takes his event out of the bin:")
    teller.check(_booked(play, "chloe") and _booked(play, "ben"), "both seats are still booked in the LMS")
    stage.take_back(bens)
    teller.say("\nAnother 31 minutes later the time of grace is over:")
    play.later(AFTER_GRACE)
    play.draw()
    teller.check(not _booked(play, "chloe"), "Chloé's seat is cancelled, in the LMS itself")
    teller.check(_booked(play, "ben"), "Ben has kept his seat")
    teller.check(bens in stage.seen(), "and Ben's event is the one he took out of the bin")
    play.check_all()
    play.explain("chloe", WELDING.id, HAPPENED)


def deleting_does_not_give_back(play: Play) -> None:
    """An instructor's event, and one day of two."""
    stage, teller = play.stage, play.teller
    teller.say(
        "Dev teaches Forklift: instructors have no seat to give back, so an event deleted by mistake is put "
        "back, once. And Ben deletes only the second day of First aid: does he mean all of it? He is asked."
    )
    second = _second_day(play)
    stage.delete(stage.find("dev", FORKLIFT.title))
    stage.delete(second)
    play.later(NEXT_LOOK)
    teller.check(_count(play, "dev", FORKLIFT.title) == 1, "Dev's event is in his calendar again")
    stage.clock.jump(AFTER_GRACE)
    stage.once()
    play.explain("ben", FIRST_AID.id, STANDS)
    teller.say("\nBen wants to keep his seat (here the command line says so for him). Dev deletes once more:")
    teller.command(f"reconciler answer ben {FIRST_AID.id} keep")
    teller.output(stage.command("answer", "ben", FIRST_AID.id, "keep")[0])
    stage.delete(stage.find("dev", FORKLIFT.title))
    play.later(NEXT_LOOK)
    play.away.add(("dev", FORKLIFT.title))
    booked = stage.lms.statuses("ben", FIRST_AID.id).values()
    teller.check(
        _count(play, "ben", FIRST_AID.title) == 2 and list(booked) == ["booked"],
        "Ben has both days again, and his seat",
    )
    teller.check(_count(play, "dev", FORKLIFT.title) == 0, "Dev's second deletion is respected")
    play.check_all()
    play.explain("dev", FORKLIFT.id, STANDS)
    play.seen = stage.seen()


def the_outage(play: Play) -> None:
    """Everything hidden at one vendor: nobody is un-registered, whoever lets go."""
    stage, teller = play.stage, play.teller
    teller.say(
        "Google has a bad day: every listing comes back whole and [b]empty[/b], and whoever asks for an "
        "event is told that it is [b]gone[/b] (410). So it would look if everybody had deleted everything."
    )
    seats = stage.lms.timetable()
    with stage.hidden_at_google():
        play.later(NEXT_LOOK)
        teller.command("reconciler status")
        text, healthy = stage.status()
        teller.output(f"[...]\n{text[text.find('HELD') :]}")
        stage.clock.jump(AFTER_GRACE)
        stage.once()
    teller.check(not healthy, "an operator is called")
    teller.check(stage.lms.timetable() == seats, "and half an hour later still nobody has lost a seat")
    teller.say(
        "\nGoogle recovers. The operator lets go; each event is asked for again before anything follows:"
    )
    teller.command("reconciler release --guard fleet --yes")
    printed, code = stage.command("release", "--guard", "fleet", "--yes")
    teller.output(printed.splitlines()[-1] if printed else "")
    teller.check(code == 0, "it is let go")
    play.later(MINUTE)
    teller.check(stage.lms.timetable() == seats, "everybody has the seats they had")
    teller.check(set(stage.seen()) == set(play.seen), "every event is the one that it was")
    play.check_all()
    play.explain("chloe", NEGOTIATION.id, HAPPENED, last=3)


def _booked(play: Play, person: str) -> bool:
    return list(play.stage.lms.statuses(person, WELDING.id).values()) == ["booked"]


def _second_day(play: Play) -> Seen:
    return [one for one in play.stage.seen() if (one.person, one.title) == ("ben", FIRST_AID.title)][1]


def _count(play: Play, person: str, title: str) -> int:
    return sum(1 for one in play.stage.seen() if (one.person, one.title) == (person, title))
