"""The demo is the whole program at work: it tells the truth, notices when something is not so, and goes
away without trace."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from reconciler.confirm import Confirmation
from reconciler.demo import scenes, seats
from reconciler.demo.cast import WELDING, schedule
from reconciler.demo.play import Play, Scene
from reconciler.demo.scenes import SCENES
from reconciler.demo.stage import SETTINGS, Stage
from reconciler.demo.story import tell
from reconciler.demo.vendors import Interrupted
from reconciler.diff.confirm import ConfirmPolicy
from reconciler.ports import FleetLimit
from reconciler.simulators.wire import Call

ROOT = Path(__file__).parents[2]
NOW = "2026-11-23T09:00:00Z"
FILL = (Scene("the LMS", scenes.the_lms), Scene("the calendars", scenes.the_calendars_fill))


def one_more_session(play: Play) -> None:
    schedule(play.stage.lms, WELDING, play.monday)
    play.once()


WELDED = (*FILL, Scene("welding", one_more_session))


def demo(folder: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """The demo as a process of its own, with its temporary files in ``folder``."""
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler", "demo", "--now", NOW, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "80", **environment},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def told(folder: Path) -> str:
    """What it prints where nobody but the machine itself can be reached."""
    unreachable = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy"), "http://127.0.0.1:9")
    story = demo(folder, "--picture", "picture.svg", **unreachable)
    out, err = story.communicate()
    assert (story.returncode, err) == (0, ""), out
    return out


def test_every_scene_is_told_and_everything_in_it_is_so(told: str) -> None:
    assert [scene.title for scene in SCENES if f". {scene.title} " not in told] == []
    assert "NOT SO" not in told
    assert "checks hold" in told


def test_it_shows_the_commands_an_operator_would_type(told: str) -> None:
    typed = {line.removeprefix("$ ") for line in told.splitlines() if line.startswith("$ ")}
    assert {"reconciler plan", "reconciler once", "reconciler status"} <= typed
    assert {"reconciler explain chloe 105", "reconciler answer ben 101 keep"} <= typed
    assert "reconciler release --guard fleet --yes" in typed


def test_it_stays_within_80_columns_and_sends_no_colours_into_a_pipe(told: str) -> None:
    assert [line for line in told.splitlines() if len(line) > 80] == []
    assert "\x1b" not in told


def test_it_leaves_nothing_behind(told: str, folder: Path) -> None:
    assert sorted(folder.iterdir()) == [folder / "picture.svg"]


def test_the_picture_of_the_front_page_is_what_it_shows_today(told: str, folder: Path) -> None:
    same = (folder / "picture.svg").read_text() == (ROOT / "docs/images/demo.svg").read_text()
    assert same, "the demo looks different now: run `make picture`, look at it, and commit it"


def test_what_the_front_page_quotes_is_what_it_prints(told: str) -> None:
    quoted = (ROOT / "README.md").read_text().partition("```console\n")[2].partition("```")[0]
    lines = [line.strip() for line in quoted.splitlines() if line.strip()]
    printed = {line.strip() for line in told.splitlines()}
    assert len(lines) > 5
    assert [line for line in lines if line not in printed] == []


def test_the_settings_it_writes_are_those_shown_in_config() -> None:
    assert (ROOT / "config/reconciler.demo.yaml").read_text() == SETTINGS


def test_a_terminal_that_knows_ascii_only_is_no_obstacle(tmp_path: Path) -> None:
    story = demo(tmp_path, PYTHONIOENCODING="ascii", COLUMNS="40")
    out, err = story.communicate()
    assert (story.returncode, err) == (0, ""), out
    assert "checks hold" in out
    assert out.isascii()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_interrupted_it_leaves_nothing_behind(tmp_path: Path, sent: signal.Signals) -> None:
    story = demo(tmp_path, PYTHONUNBUFFERED="1")
    assert story.stdout is not None
    assert any("The calendars fill" in line for line in story.stdout)
    story.send_signal(sent)
    out, err = story.communicate()
    assert story.returncode == 128 + sent
    assert "checks hold" not in out
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


# Does it notice? ----------------------------------------------------------------------------------


def notices(*sabotaged: Scene) -> Iterator[str]:
    """The sentences of a telling that turned out not to be so."""
    out = io.StringIO()
    assert not tell(
        datetime.fromisoformat(NOW).astimezone(UTC), Console(file=out, width=200), scenes=sabotaged
    )
    return (line for line in out.getvalue().splitlines() if "NOT SO" in line)


def test_it_notices_that_an_update_does_not_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.apply.Hand._update", lambda self, change: None)
    found = list(notices(*FILL, Scene("news", scenes.the_lms_changes)))
    assert any("exactly the 14 days" in line for line in found)


def test_it_notices_an_event_that_is_there_twice() -> None:
    def copy(play: Play) -> None:
        event = play.stage.find("ana", "Forklift")
        play.stage.google.owner.copy(play.stage.address("ana"), event.id)
        play.check_all()

    assert any("each once" in line for line in notices(*FILL, Scene("copied", copy)))


def test_it_notices_that_nobody_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    def harmless(self: Interrupted, call: Call) -> object:
        return super(Interrupted, self).perform(call)

    monkeypatch.setattr(Interrupted, "perform", harmless)
    found = list(notices(*FILL, Scene("crash", scenes.the_crash)))
    assert any("the process was killed while Microsoft was answering" in line for line in found)
    assert any("intended, not confirmed" in line for line in found)


def test_it_notices_calls_that_were_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "forget_requests", lambda self: None)
    assert any("no vendor was called" in line for line in notices(*FILL, Scene("idle", scenes.nothing_to_do)))


def test_it_notices_a_seat_given_back_without_a_time_of_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConfirmPolicy, "grace_for", lambda self, starts, now: timedelta(0))
    found = list(notices(*WELDED, Scene("deleted", seats.deleting_gives_back)))
    assert any("both seats are still booked" in line for line in found)
    assert any("Ben has kept his seat" in line for line in found)


def test_it_notices_a_seat_that_is_never_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    later = timedelta(days=1)
    monkeypatch.setattr(ConfirmPolicy, "grace_for", lambda self, starts, now: later)
    found = list(notices(*WELDED, Scene("deleted", seats.deleting_gives_back)))
    assert any("Chloé's seat is cancelled" in line for line in found)


def test_it_notices_an_event_that_is_not_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Confirmation, "_put_back", lambda *given: "put back")
    found = list(notices(*FILL, Scene("not given back", seats.deleting_does_not_give_back)))
    assert any("Dev's event is in his calendar again" in line for line in found)


def test_it_notices_that_an_outage_takes_seats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FleetLimit, "exceeded_by", lambda self, fleet: False)
    found = list(notices(*FILL, Scene("outage", seats.the_outage)))
    assert any("still nobody has lost a seat" in line for line in found)
