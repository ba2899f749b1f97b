"""Tells the whole story, or as much of it as is asked for, and says whether everything in it was so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console

from reconciler.demo.play import Play, Scene
from reconciler.demo.scenes import SCENES
from reconciler.demo.stage import set_up
from reconciler.demo.telling import Teller
from reconciler.errors import ReconcilerError

PAUSE = 2.5
"""Seconds between scenes, on a terminal."""
WIDTH = 100
"""Columns at most: longer lines are hard to read."""
NARROWEST = 80
"""Columns at least: a week of five days needs them. The picture has as many."""

_OPENING = """\
[b]Training in people's calendars[/b]

What follows happens now, on this machine: a small LMS in SQLite, Google and Microsoft played by two local \
HTTPS servers, and between them the program as it is. Lines with [b]$[/b] are the commands an operator would \
type; every [green]✓[/green] is checked in the vendors' own stores. It is all gone when the story ends."""

_NEXT = """\
What to try next:
  [b]make demo-live[/b]                   the same with your own hands, in a browser
  [b]make test[/b]                        all tests
  [b].venv/bin/reconciler --help[/b]      every command
  docs/life-of-an-event.md         what happened here, on one page
  config/reconciler.example.yaml   everything that can be set"""


def tell(
    starts: datetime,
    console: Console,
    pause: float = 0.0,
    scenes: Sequence[Scene] = SCENES,
    picture: Path | None = None,
) -> bool:
    """Tell these scenes from ``starts`` on; whether all that was told was so.

    ``picture``: where an SVG of the scenes marked so is written; the console must record then.
    """
    teller = Teller(console, pause)
    console.print(_OPENING)
    drawn = ""
    with set_up(starts) as stage:
        play = Play(stage, teller)
        for number, scene in enumerate(scenes, 1):
            if picture and not drawn and scene.pictured:
                console.export_text(clear=True)
            teller.scene(number, scene.title)
            _play(scene, play)
            if picture and scene.pictured:
                drawn = console.export_svg(title="make demo", clear=False, unique_id="demo")
    if picture:
        picture.write_text(_alone(drawn), "utf-8")
    return _end(teller)


def _play(scene: Scene, play: Play) -> None:
    try:
        scene.play(play)
    except (ReconcilerError, LookupError, OSError) as problem:
        play.teller.check(False, f"this scene ends as it should; it ended with {problem!r}")


def _end(teller: Teller) -> bool:
    console = teller.console
    console.print()
    if teller.failed:
        console.print(f"[bold red]{len(teller.failed)} things were not as told:[/]", highlight=False)
        for sentence in teller.failed:
            console.print(f"  ✗ {sentence}", markup=False)
        return False
    console.print(f"[bold green]All {teller.held} checks hold.[/] {_NEXT}")
    return True


def _alone(svg: str) -> str:
    """The picture without fonts from elsewhere, which a page that embeds it would not load anyway."""
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
