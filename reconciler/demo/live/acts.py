"""What one can do on the pages of the live demo: in the LMS, and in somebody's calendar. Values of forms
come in; ``LookupError`` or ``ValueError`` for what makes no sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from reconciler.demo.live.roster import WAITING, Seat, Training, roster
from reconciler.demo.live.town import Town
from reconciler.demo.live.week import FIRST_HOUR, LAST_HOUR, WORKING_DAYS

Form = Mapping[str, str]
_LONGEST = 120


def change_session(town: Town, form: Form) -> None:
    """Another title, place, day or hour."""
    training = _training(town, form)
    lms, by = town.stage.lms, _shift(town, form, training.first.starts, training.first.all_day)
    lms.change(training.id, title=_text(form, "title"), location=_text(form, "location"))
    if by:
        moved = [day._replace(starts=day.starts + by, ends=day.ends + by) for day in training.days]
        lms.move(training.id, *moved)


def call_off(town: Town, form: Form) -> None:
    """The session is called off."""
    town.stage.lms.cancel_session(_training(town, form).id)


def hold_again(town: Town, form: Form) -> None:
    """It takes place after all."""
    town.stage.lms.change(_training(town, form).id, status="scheduled")


def book(town: Town, form: Form) -> None:
    """A new seat, or one from the waiting list."""
    training, person = _training(town, form), form["person"]
    seat = _seat(training, person)
    if seat is not None and seat.status == WAITING:
        town.stage.lms.set_status(person, training.id, "booked")
    elif seat is None and person in {one.id for one in training.others}:
        town.stage.lms.book(person, training.id)


def cancel_seat(town: Town, form: Form) -> None:
    """A seat is cancelled, in the LMS."""
    training = _training(town, form)
    if _seat(training, form["person"]) is not None:
        town.stage.lms.cancel(form["person"], training.id)


IN_THE_LMS: Mapping[str, Callable[[Town, Form], None]] = {
    "change": change_session,
    "call-off": call_off,
    "hold-again": hold_again,
    "book": book,
    "cancel-seat": cancel_seat,
}


def delete(town: Town, person: str, form: Form) -> None:
    """An event goes into the bin."""
    town.calendar(person).delete(form["event"])


def restore(town: Town, person: str, form: Form) -> None:
    """An event comes out of the bin."""
    town.calendar(person).restore(form["event"])


def change_event(town: Town, person: str, form: Form) -> None:
    """Another title, day or hour."""
    calendar = town.calendar(person)
    event = next((one for one in calendar.events() if one.id == form["event"]), None)
    if event is None:
        raise KeyError(form["event"])
    calendar.change(event.id, _text(form, "title"), _shift(town, form, event.starts, event.all_day))


IN_A_CALENDAR: Mapping[str, Callable[[Town, str, Form], None]] = {
    "delete": delete,
    "restore": restore,
    "change": change_event,
}


def _training(town: Town, form: Form) -> Training:
    found = {one.id: one for one in roster(town.stage.lms, town.monday)}
    return found[form["session"]]


def _seat(training: Training, person: str) -> Seat | None:
    return next((seat for seat in training.learners if seat.person.id == person), None)


def _text(form: Form, name: str) -> str:
    return " ".join(form[name].split())[:_LONGEST]


def _shift(town: Town, form: Form, starts: datetime, all_day: bool) -> timedelta:
    """From where it begins now to the day and hour that were chosen; minutes stay."""
    day, hour = int(form["day"]), int(form.get("hour", starts.hour))
    if not 0 <= day < WORKING_DAYS or not (all_day or FIRST_HOUR <= hour < LAST_HOUR):
        raise ValueError("not in this week")
    wanted = datetime.combine(town.monday + timedelta(days=day), starts.time()).replace(hour=hour)
    return wanted - starts
