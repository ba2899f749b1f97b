"""How the story is told and checked: sentences, commands, what they print, calendars drawn week by week."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from reconciler.demo.cast import PLAYERS, VIENNA, Player
from reconciler.demo.vendors import Seen

_VENDORS = {"google": "Google", "microsoft": "Outlook", None: "none"}
_LINE_STYLES = {"+ ": "green", "~ ": "yellow", "- ": "red", "! ": "bold red"}
_STYLES = {" ": "", "+": "green", "~": "yellow", "-": "red strike"}


@dataclass
class Teller:
    """Prints to ``console``; ``pause`` is in seconds, after each scene. Remembers what did not hold."""

    console: Console
    pause: float = 0.0
    held: int = 0
    failed: list[str] = field(default_factory=list)

    def scene(self, number: int, title: str) -> None:
        """A heading."""
        if number > 1:
            time.sleep(self.pause)
        self.console.print()
        self.console.print(Rule(Text(f"{number}. {title}", "bold cyan"), align="left", style="cyan"))

    def say(self, text: str) -> None:
        """A paragraph; ``[b]`` marks what matters."""
        self.console.print(text)

    def command(self, line: str) -> None:
        """What an operator would have typed."""
        self.console.print(Text(f"\n$ {line}", "bold"))

    def output(self, text: str) -> None:
        """What a command prints."""
        for line in text.splitlines():
            words = line.strip()
            style = _LINE_STYLES.get(words[:2], "dim")
            indent = 2 + len(line) - len(line.lstrip())
            self.console.print(Padding(Text(words or " ", style), (0, 0, 0, indent), expand=False))

    def check(self, holds: bool, sentence: str) -> None:
        """An expectation; the story goes on, but its end tells."""
        if holds:
            self.held += 1
        else:
            self.failed.append(sentence)
        line = Table.grid(padding=(0, 1))
        sign = Text("✓", "bold green") if holds else Text("✗ NOT SO:", "bold red")
        line.add_row(sign, Text(sentence, "" if holds else "red"))
        self.console.print(Padding(line, (0, 0, 0, 2), expand=False))

    def table(self, *columns: str) -> Table:
        """An empty table of the story's look."""
        return Table(
            *columns,
            box=box.SIMPLE_HEAD,
            header_style="bold",
            padding=(0, 1, 0, 0),
            pad_edge=False,
            show_edge=False,
        )

    def show(self, table: Table) -> None:
        """A table, a little indented."""
        self.console.print(Padding(table, (1, 0, 1, 2), expand=False))

    def week(self, monday: date, before: Sequence[Seen], after: Sequence[Seen]) -> None:
        """The calendars of those for whom something differs: ``+`` new, ``~`` changed, ``-`` gone."""
        changed = {event.person for event in set(before) ^ set(after)}
        days = [monday + timedelta(days=offset) for offset in range(5)]
        table = self.table("", *(f" {day:%a} {day.day} {day:%b}" for day in days))
        for column in table.columns[1:]:
            column.width = 12
        for player in (one for one in PLAYERS if one.id in changed):
            if table.row_count:
                table.add_row()
            cells = [_cell(signed(player.id, day, before, after)) for day in days]
            table.add_row(_owner(player), *cells)
        self.show(table)


def signed(
    person: str, day: date, before: Collection[Seen], after: Collection[Seen]
) -> Iterator[tuple[str, Seen]]:
    """Somebody's events of one day, each with its sign."""
    old = {event.id: event for event in before if event.person == person}
    new = {event.id: event for event in after if event.person == person}
    for event in sorted({**old, **new}.values(), key=lambda one: (one.starts, one.title)):
        known, present = old.get(event.id), new.get(event.id)
        if present is not None and present.starts.date() == day:
            yield ("+" if known is None else " " if known == present else "~"), present
        elif known is not None and known.starts.date() == day:
            yield "-", known


def _owner(player: Player) -> Text:
    return Text.assemble((player.name, "bold"), "\n", (_VENDORS[player.vendor], "dim"))


def _cell(events: Iterator[tuple[str, Seen]]) -> Text:
    cell = Text()
    for sign, event in events:
        hours = "all day" if event.all_day else f"{event.starts:%H:%M}-{event.ends:%H:%M}"
        place = event.location if event.zone in ("", VIENNA) else f"{event.zone.partition('/')[2]} time"
        style = _STYLES[sign]
        cell.append("\n" if cell else "")
        cell.append(sign, "red" if sign == "-" else style).append(hours, style or "cyan")
        cell.append("\n ").append(event.title, style or "bold")
        cell.append("\n ").append(place, style if sign == "-" else "dim")
    return cell
