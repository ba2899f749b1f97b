"""Random histories: owners, LMS, operators, vendors and clocks act as they like; what must hold is asked
after every step and when all has come to rest.

A history is a list of steps, each a name and a number from which its choices are drawn, so that a step means
something whatever was left out before it: that is how a failing history is made short.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.model import MultiDay, UnregisterMode
from reconciler.simulators.caldav_store import CYRUS, DAVICAL, RADICALE, SOGO, WORST, XANDIKOS
from tests.harness import acts
from tests.harness.site import MINUTE, Options, Site, Templates, when

LENGTH = 14
SERVERS = (RADICALE, XANDIKOS, DAVICAL, CYRUS, SOGO, WORST)


@dataclass(frozen=True)
class Step:
    """One thing that happens."""

    act: str
    seed: int

    def __str__(self) -> str:
        return f"{self.act}:{self.seed}"


@dataclass(frozen=True)
class History:
    """What happens, in order, in the world that ``seed`` makes; at one ``vendor`` alone where it is named."""

    seed: int
    steps: tuple[Step, ...]
    vendor: str = ""

    def __str__(self) -> str:
        return f"seed {self.seed}{self.vendor and f' at {self.vendor}'}: " + " ".join(map(str, self.steps))


@dataclass
class Outcome:
    """``wrongs`` is what was wrong; ``trace`` a digest of all that was done, the same for the same seed."""

    wrongs: list[str] = field(default_factory=list)
    trace: str = ""
    unregistered: int = 0
    deletions: int = 0


def history(seed: int, length: int = LENGTH, vendor: str = "") -> History:
    """The history of this seed."""
    dice = random.Random(seed)
    names = list(acts.WEIGHTS)
    chosen = dice.choices(names, weights=[acts.WEIGHTS[name] for name in names], k=length)
    return History(seed, tuple(Step(name, dice.randrange(1_000_000)) for name in chosen), vendor)


def play(templates: Templates, told: History) -> Outcome:
    """Play it to its end."""
    with _site(templates, told) as site:
        outcome = Outcome()
        try:
            for step in told.steps:
                acts.ACTS[step.act](site, random.Random(step.seed))
                if site.wrongs():
                    break
            else:
                site.settle()
        except Exception as problem:
            outcome.wrongs.append(f"the harness or the program raised {type(problem).__name__}: {problem}")
        outcome.wrongs += site.wrongs()
        outcome.trace = _digest(site)
        outcome.unregistered, outcome.deletions = len(site.oracle.given), len(site.oracle.deletions)
        return outcome


def shortened(templates: Templates, told: History) -> History:
    """A part of it, as short as can be found, that is still wrong."""
    steps, size = list(told.steps), max(1, len(told.steps) // 2)
    while size:
        begin = 0
        while begin < len(steps):
            fewer = steps[:begin] + steps[begin + size :]
            if play(templates, replace(told, steps=tuple(fewer))).wrongs:
                steps = fewer
            else:
                begin += size
        size //= 2
    return replace(told, steps=tuple(steps))


@contextmanager
def _site(templates: Templates, told: History) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(dir=templates.state.parent))
    site = Site.made(folder, templates, _options(random.Random(told.seed), told.vendor))
    try:
        _populate(site, random.Random(told.seed))
        yield site
    finally:
        site.close()
        shutil.rmtree(folder)


def _options(dice: random.Random, vendor: str) -> Options:
    modes = [UnregisterMode.APPLY] * 7 + [UnregisterMode.ASK, UnregisterMode.REPORT, UnregisterMode.NEVER]
    days = [MultiDay.ASK] * 4 + [MultiDay.ANY, MultiDay.ALL]
    unregister, multi_day = dice.choice(modes), dice.choice(days)
    if vendor == "caldav":
        return Options(unregister, multi_day, ("caldav",), dice.choice(SERVERS))
    return Options(unregister, multi_day)


def _populate(site: Site, dice: random.Random) -> None:
    """Two to four people, three or four sessions of one to three days, in the coming fortnight and a half."""
    sessions = []
    for number in range(dice.choice((3, 4))):
        first = dice.choice((0.4, 1.5, 2, 5, 6, 9, 17))
        days = [when(first + later) for later in range(dice.choice((1, 1, 1, 2, 3)))]
        options = {"cancellable": dice.random() > 0.1}
        if dice.random() < 0.1:
            options["cancel_until"] = (site.clock() + dice.choice((1, 60, 3000)) * MINUTE).replace(
                tzinfo=None
            )
        sessions.append(site.lms.add_session(*days, id=f"session-{number}", **options))
    for name in ("ana", "ben", "eva", "zoe")[: dice.choice((2, 3, 4))]:
        site.newcomer(name, dice.choice(site.options.vendors))
        for session in sessions:
            if dice.random() < 0.7:
                site.lms.book(name, session, "instructor" if dice.random() < 0.15 else "learner")
    site.round()


def _digest(site: Site) -> str:
    said = [
        *site.boundaries.trace,
        *(
            f"{line.at} {line.person} {line.session} {line.slot} {line.what} {line.why}"
            for person in site.people
            for line in site.desk.history(person, None)
        ),
        *(str(notice) for notice in site.told),
    ]
    return hashlib.blake2b("\n".join(said).encode(), digest_size=12).hexdigest()
