"""The scenes, in order. Each plays a part of the story on the stage, tells it, and checks what it says."""

from __future__ import annotations

from datetime import date, timedelta
from signal import SIGKILL

from reconciler.demo.cast import (
    FORKLIFT,
    NEGOTIATION,
    PLAYERS,
    SEASON,
    VIENNA,
    WELDING,
    Course,
    schedule,
    when,
)
from reconciler.demo.play import NAMES, Play, Scene, connected
from reconciler.demo.post import by_mail
from reconciler.demo.seats import deleting_does_not_give_back, deleting_gives_back, the_outage
from reconciler.demo.stage import Stage
from reconciler.model import State

ANAS_NOTE = "Ana's own note: bring the blue folder"
BENS_NOTE = "Ben's own note: ask Ivy about the exam"


# The scenes ---------------------------------------------------------------------------------------


def the_lms(play: Play) -> None:
    """Who is booked into what."""
    for course in SEASON:
        schedule(play.stage.lms, course, play.monday)
    play.teller.say(
        "A learning management system knows who has to be where and when. This one has six people of Acme "
        "and four sessions, of which one goes over two days, and one ends in another time zone:"
    )
    table = play.teller.table("Session", "Days", "Trainer", "Learners")
    for course in SEASON:
        table.add_row(
            f"{course.id} {course.title}",
            _days(course, play.monday),
            NAMES[course.trainer],
            _learners(course),
        )
    play.teller.show(table)
    connected = [player for player in PLAYERS if player.vendor]
    google = sum(1 for player in connected if player.vendor == "google")
    play.teller.say(
        f"{len(connected)} of them have connected their calendar: {google} at Google, "
        f"{len(connected) - google} at Microsoft 365 (Outlook). Omar has not, so nothing is done for him."
    )


def _days(course: Course, monday: date) -> str:
    lines = []
    for day in course.whens(monday):
        hours = "all day" if day.all_day else f"{day.starts:%H:%M}-{day.ends:%H:%M}"
        lines.append(f"{day.starts:%a} {hours} {day.time_zone.partition('/')[2]}")
    return "\n".join(lines)


def _learners(course: Course) -> str:
    names = ", ".join(NAMES[learner] for learner in course.learners)
    waiting = ", ".join(NAMES[learner] for learner in course.waiting)
    return f"{names}\n(waiting: {waiting})" if waiting else names


def the_plan(play: Play) -> None:
    """Shown before it is done."""
    play.teller.say("Before anything is written, one may look at what would be. Nothing is touched by this:")
    announced = play.plan()
    wanted = sum(1 for seat in play.stage.lms.timetable() if connected(seat.person))
    play.teller.check(announced == wanted, f"one event for each of the {wanted} days of people connected")
    play.teller.check(not play.stage.seen(), "the calendars are still empty")


def the_calendars_fill(play: Play) -> None:
    """Created at both vendors."""
    play.teller.say("One cycle later, every day of training is in people's calendars, at local time:")
    play.once()
    play.draw()
    play.check_all()
    play.teller.check(
        not any(one.person == "ben" and one.title == "Fire drill" for one in play.seen),
        "Ben, on the waiting list of the fire drill, has no event for it",
    )


def the_lms_changes(play: Play) -> None:
    """A session moved, a seat cancelled."""
    play.teller.say(
        "The LMS changes: the forklift training moves from Wednesday in the yard to Thursday in hall 2, and "
        "Ben's seat in the negotiation is cancelled."
    )
    play.stage.lms.move(FORKLIFT.id, when(play.monday, 3, 13, 17, VIENNA))
    play.stage.lms.change(FORKLIFT.id, location="Hall 2")
    play.stage.lms.cancel("ben", NEGOTIATION.id)
    before = {event.id for event in play.seen if event.title == FORKLIFT.title}
    play.plan()
    play.once()
    play.draw()
    play.check_all()
    after = {event.id for event in play.seen if event.title == FORKLIFT.title}
    play.teller.check(
        bool(after) and after == before,
        "the moved events are the same events, not new ones: notes on them stay",
    )


def the_owners_hand(play: Play) -> None:
    """An edit is put back, a note is kept."""
    play.teller.say(
        "Calendars belong to people, and people edit them. What comes from the LMS (title, time, place, our "
        "part of the text) is put back; whatever else they add is theirs and stays."
    )
    _ana_edits(play.stage)
    _ben_edits(play.stage)
    play.stage.clock.jump(timedelta(days=1))
    play.once()
    ana, ben = play.stage.find("ana", "First aid"), play.stage.find("ben", "First aid")
    kept = {
        "Ana painted it red": play.stage.google_event(ana).get("colorId") == "11",
        "Ana wrote a note above our text": ana.text.startswith(ANAS_NOTE),
        "Ben asked to be reminded an hour before": (
            play.stage.microsoft_event(ben)["reminderMinutesBeforeStart"] == 60
        ),
        "Ben wrote a note below our text": ben.text.rstrip().endswith(BENS_NOTE),
    }
    table = play.teller.table("What they did", "A day later")
    table.add_row("Ana dragged First aid to 13:00", f"put back: {ana.starts:%H:%M}-{ana.ends:%H:%M}")
    table.add_row("Ben renamed First aid to Boring stuff", f"put back: {ben.title}")
    for what, still in kept.items():
        table.add_row(what, "kept" if still else "LOST")
    play.teller.show(table)
    play.teller.say("This is what Ana reads in her event now:\n")
    play.teller.output(ana.text)
    play.teller.say("")
    play.check_all()
    play.teller.check(all(kept.values()), "everything of their own has survived")
    play.seen = play.stage.seen()


def _ana_edits(stage: Stage) -> None:
    event, address = stage.find("ana", "First aid"), stage.address("ana")
    stage.google.owner.shift(address, event.id, 4 * 60)
    stage.google.owner.edit(address, event.id, description=f"{ANAS_NOTE}\n\n{event.text}", colorId="11")


def _ben_edits(stage: Stage) -> None:
    event = stage.find("ben", "First aid")
    stage.microsoft.owner(stage.address("ben")).edit(
        event.id,
        subject="Boring stuff",
        body={"contentType": "text", "content": f"{event.text}\n\n{BENS_NOTE}"},
        reminderMinutesBeforeStart=60,
        isReminderOn=True,
    )


def the_crash(play: Play) -> None:
    """Killed twice at the worst moment, and no event twice."""
    teller, stage = play.teller, play.stage
    teller.say(
        "A new session: Welding, for Ben and Chloé. This time the program is [b]really killed[/b] (a process "
        "of its own, SIGKILL) at the worst moment: the vendor has stored the event, its answer has not "
        "arrived. First while Microsoft answers for Ben; then, started again, while Google answers for Chloé."
    )
    schedule(stage.lms, WELDING, play.monday)
    stage.forget_requests()
    for person, vendor, name in (("ben", stage.microsoft, "Microsoft"), ("chloe", stage.google, "Google")):
        teller.command("reconciler once")
        code = stage.killed_in(vendor)
        teller.output("Killed")
        entry = stage.entry(person, WELDING.id)
        pending = entry is not None and entry.state is State.PENDING
        teller.check(code == -SIGKILL, f"the process was killed while {name} was answering")
        teller.check(_count(play, person) == 1, f"the event is in {NAMES[person]}'s calendar already")
        teller.check(pending, "our ledger says: intended, not confirmed")
    _recover(play)


def _recover(play: Play) -> None:
    """The next start finds its way, and finds the events that are there."""
    teller, stage = play.teller, play.stage
    teller.say("\nStarted once more, it takes over from the dead, and finds what they have done:")
    play.once()
    play.draw()
    play.check_all()
    asked = [one.status for one in stage.google.recorder.seen if one.operation == "create"]
    twice = asked == [200, 409] and _count(play, "chloe") == 1
    teller.check(twice, "Google, asked for Chloé's event twice, refused: we chose its id, it is used")
    # Ben's and, at the same vendor, the trainer's.
    once = stage.microsoft.recorder.count("create") == 2 and _count(play, "ben") == 1
    teller.check(once, "Microsoft chooses its own ids: Ben's event was looked for, found, and taken")


def _count(play: Play, person: str) -> int:
    return sum(1 for one in play.stage.seen() if (one.person, one.title) == (person, WELDING.title))


def nothing_to_do(play: Play) -> None:
    """Idle is free."""
    play.teller.say(
        "Somebody presses Save on every session of the LMS without a change, which makes all day rows anew. "
        "Another cycle:"
    )
    for course in (*SEASON, WELDING):
        days = {seat.when for seat in play.stage.lms.timetable() if seat.session == course.id}
        play.stage.lms.move(course.id, *sorted(days, key=lambda day: day.starts))
    play.stage.forget_requests()
    play.once()
    google, microsoft = play.stage.google.recorder.count(), play.stage.microsoft.recorder.count()
    play.teller.say(f"\n  Requests that reached Google: [b]{google}[/b]   Microsoft: [b]{microsoft}[/b]\n")
    play.teller.check(google + microsoft == 0, "nothing has changed, so no vendor was called at all")
    text, healthy = play.stage.status()
    play.teller.command("reconciler status")
    play.teller.output(text)
    play.teller.check(healthy, "all is well")
    play.check_all()


SCENES = (
    Scene("The LMS: who is booked into what", the_lms),
    Scene("A plan, before anything is done", the_plan),
    Scene("The calendars fill", the_calendars_fill, pictured=True),
    Scene("The LMS changes, the calendars follow", the_lms_changes, pictured=True),
    Scene("What people do with their events", the_owners_hand),
    Scene("Killed in the middle", the_crash),
    Scene("Deleting the event gives the seat back, after a time of grace", deleting_gives_back),
    Scene("Deletions that give no seat back", deleting_does_not_give_back),
    Scene("An outage looks as if everybody had deleted everything", the_outage),
    Scene("Who has no calendar is told by mail", by_mail),
    Scene("Nothing to do costs nothing", nothing_to_do),
)
