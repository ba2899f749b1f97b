"""A plan as text, JSON or Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.diff.changes import Adopt, Change, Create, Take, Update, differing, name_of, starts_of
from reconciler.diff.guards import Allowed


@dataclass(frozen=True, slots=True)
class PersonPlan:
    """One person's part of a printed plan. ``error``: their calendar could not be looked at."""

    person: str
    provider: str | None
    allowed: Allowed | None
    error: str | None = None
    mails: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One change as printed. ``fate``: it ``will`` happen, is ``held`` by a guard, or ``left out``."""

    fate: str
    change: str
    person: str
    session: str
    slot: int
    starts: datetime
    cause: str
    detail: str


def lines_of(plan: PersonPlan) -> Iterator[Line]:
    """The changes of one person that an operator wants to read: those that call a vendor, suspicions, and
    letters."""
    yield from plan.mails
    if plan.allowed is None:
        return
    allowed = plan.allowed
    for fate, changes in (("will", allowed.changes), ("held", allowed.held), ("left out", allowed.left_out)):
        for change in changes:
            if not isinstance(change, Take):
                yield _line(fate, change)


def _line(fate: str, change: Change) -> Line:
    key = change.key
    name = name_of(change)
    return Line(
        fate, name, key.person, key.session, key.slot, starts_of(change), change.cause.value, _detail(change)
    )


def _detail(change: Change) -> str:
    match change:
        case Create():
            again = f", generation {change.generation}" if change.generation else ""
            return f"{change.event.content.title}{again}"
        case Adopt() | Update():
            differs = differing(change) or "nothing differs"
            return f"{change.event.content.title} [{differs}]"
        case _:
            return ""


def mail_line(person: str, session: str, slot: int, kind: str, title: str, starts: datetime) -> Line:
    """A letter about a session."""
    return Line("will", "mail", person, session, max(slot, 0), starts, "lms", f"{kind}: {title}")


def as_text(plans: Sequence[PersonPlan]) -> str:
    """For a terminal: one line a change, and a sum."""
    out = []
    for plan in plans:
        shown = list(lines_of(plan))
        if not shown and not plan.error:
            continue
        out.append(f"person {plan.person} ({plan.provider})")
        if plan.error:
            out.append(f"  ! {plan.error}")
        out.extend(f"  {_sign(line)} {_sentence(line)}" for line in shown)
    out.append(summary(plans))
    if any(line.fate == "left out" for plan in plans for line in lines_of(plan)):
        out.append("Left out is what the mode or a pause does not allow: `reconciler status` names it.")
    return "\n".join(out)


def as_markdown(plans: Sequence[PersonPlan]) -> str:
    """For a ticket: a table, and a sum."""
    head = [
        "| | change | person | session | day | starts (UTC) | cause | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {line.fate} | {line.change} | {_cell(line.person)} | {_cell(line.session)} | {line.slot} "
        f"| {line.starts:%Y-%m-%d %H:%M} | {line.cause} | {_cell(line.detail)} |"
        for plan in plans
        for line in lines_of(plan)
    ]
    errors = [f"- person {plan.person}: {plan.error}" for plan in plans if plan.error]
    return "\n".join([*head, *rows, *(["", *errors] if errors else []), "", summary(plans)])


def as_json(plans: Sequence[PersonPlan]) -> str:
    """For a program: one object a change; instants in UTC."""
    changes: list[dict[str, Any]] = [
        {
            "fate": line.fate,
            "change": line.change,
            "person": line.person,
            "provider": plan.provider,
            "session": line.session,
            "day": line.slot,
            "starts": line.starts.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "cause": line.cause,
            "detail": line.detail,
        }
        for plan in plans
        for line in lines_of(plan)
    ]
    errors = [{"person": plan.person, "error": plan.error} for plan in plans if plan.error]
    return json.dumps({"changes": changes, "errors": errors}, ensure_ascii=False, indent=2)


def summary(plans: Sequence[PersonPlan]) -> str:
    """The sum of a plan in one line."""
    counts = Counter((line.fate, line.change) for plan in plans for line in lines_of(plan))
    failed = sum(1 for plan in plans if plan.error)
    parts = [
        f"{count} to {change}" if fate == "will" else f"{count} {change} {fate}"
        for (fate, change), count in sorted(counts.items())
    ]
    if failed:
        parts.append(f"{failed} calendar{'s' if failed > 1 else ''} could not be looked at")
    return ", ".join(parts) if parts else "Nothing to do."


_SIGNS = {
    "create": "+",
    "adopt": "=",
    "update": "~",
    "delete": "-",
    "forget": "-",
    "missing": "?",
    "mail": ">",
}


def _sign(line: Line) -> str:
    return _SIGNS.get(line.change, "*")


def _sentence(line: Line) -> str:
    fate = "" if line.fate == "will" else f"  ({line.fate})"
    detail = f"  {line.detail}" if line.detail else ""
    when = f"{line.starts:%a %Y-%m-%d %H:%M}Z"
    return f"{line.change:<7} session {line.session}, {when}{detail}  <- {line.cause}{fate}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
