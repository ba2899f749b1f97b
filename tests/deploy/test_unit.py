"""The unit: what systemd itself says of it, and what a credential is called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.commands import BAD_CONFIGURATION
from reconciler.errors import ConfigurationError
from reconciler.settings import load

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/reconciler.service"
UNITS = [UNIT, ROOT / "deploy/systemd/reconciler-worker.service"]
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
EXPOSED_AT_MOST = 12  # tenths: 1.2
PROGRAM = "/opt/ilt-calendar-reconciler/current/bin/reconciler"


def systemd_analyze() -> str:
    """The tool; without it the test is skipped, or fails if the environment says ``CI=true``."""
    found = shutil.which("systemd-analyze")
    if found is None:
        sentence = "no systemd-analyze: apt-get install systemd"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


def directives(unit: Path = UNIT) -> list[tuple[str, str]]:
    """Name and value of each line of a unit that is one."""
    lines = unit.read_text("utf-8").splitlines()
    found = [re.fullmatch(r"([A-Z]\w+)=(.*)", line) for line in lines]
    return [(match[1], match[2]) for match in found if match]


def verified(folder: Path, unit: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What systemd says of a unit with these lines at its end; its program is there, in another place."""
    lines = unit.read_text("utf-8").replace(PROGRAM, shutil.which("true") or "/bin/true")
    unit = folder / unit.name
    unit.write_text("\n".join([lines.partition("[Install]")[0], *more]) + "\n")
    return subprocess.run(
        [systemd_analyze(), "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )


@each_unit
def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path: Path, unit: Path) -> None:
    said = verified(tmp_path, unit)
    assert (said.returncode, said.stderr) == (0, "")


def test_systemd_would_speak_of_a_key_it_does_not_know(tmp_path: Path) -> None:
    assert "ProtectEverything" in verified(tmp_path, UNIT, "ProtectEverything=yes").stderr


@each_unit
def test_the_unit_is_exposed_to_no_more_than_it_needs(unit: Path) -> None:
    asked = [systemd_analyze(), "security", "--offline=true", "--no-pager", f"--threshold={EXPOSED_AT_MOST}"]
    said = subprocess.run([*asked, str(unit)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
    assert "Overall exposure level" in said.stdout


@each_unit
def test_every_group_of_directives_says_why_it_is_there(unit: Path) -> None:
    groups = unit.read_text("utf-8").split("[Service]\n")[1].partition("\n[Install]")[0].split("\n\n")
    assert len(groups) > 3
    assert [group for group in groups if not group.startswith("# ")] == []


@each_unit
def test_what_is_wrong_in_the_configuration_is_not_tried_again(unit: Path) -> None:
    assert ("RestartPreventExitStatus", str(BAD_CONFIGURATION)) in directives(unit)
    assert ("Restart", "on-failure") in directives(unit)


# Credentials --------------------------------------------------------------------------------------

SETTINGS = """
installation: {id: acme}
lms: {adapter: reference, url: "sqlite:///lms.db"}
tokens: {key_files: [token-key]}
providers: {google: {client_id: x, client_secret_file: google-client-secret}}
"""


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a service's credentials; the settings lie in another one."""
    (tmp_path / "reconciler.yaml").write_text(SETTINGS)
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_a_secret_of_a_folder_that_was_handed_out_whole_is_found_by_the_name_of_its_file(
    credentials: Path,
) -> None:
    ((_, given),) = [line for line in directives() if line[0] == "LoadCredential"]
    prefix = given.partition(":")[0]
    (credentials / f"{prefix}_token-key").write_text("whole\n")
    (credentials / "google-client-secret").write_text("alone\n")
    settings = load(credentials.parent / "reconciler.yaml")
    assert settings.tokens.key_files[0].text == "whole"
    assert settings.providers.google
    assert settings.providers.google.client_secret_file.text == "alone"


def test_a_secret_that_was_not_handed_out_is_told_with_the_folder_it_belongs_into(credentials: Path) -> None:
    (credentials / "token-key").write_text("whole")
    with pytest.raises(ConfigurationError) as refused:
        load(credentials.parent / "reconciler.yaml")
    (problem,) = refused.value.problems
    ((_, given),) = [line for line in directives() if line[0] == "LoadCredential"]
    assert "systemd has handed out no secret google-client-secret: write it into a file" in problem
    assert given.partition(":")[2] in problem


def test_a_credential_of_its_own_goes_before_one_of_a_folder(credentials: Path) -> None:
    for name, text in (("token-key", "alone"), ("secret_token-key", "whole"), ("google-client-secret", "x")):
        (credentials / name).write_text(text)
    assert load(credentials.parent / "reconciler.yaml").tokens.key_files[0].text == "alone"
