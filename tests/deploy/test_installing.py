"""The installer, run as it is: as root, on this machine, whose folders are covered meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COVERED = ("etc", "opt", "usr/local/bin", "var/lib")

COVER = """
set -eu
mount -t tmpfs none "$1"
for folder in $2; do
    mkdir -p "$1/$folder/written" "$1/$folder/work"
    cover="upperdir=$1/$folder/written,workdir=$1/$folder/work"
    mount -t overlay -o "lowerdir=/$folder,$cover" overlay "/$folder"
done
"""
"""Whatever is written to the folders of the host goes to memory, and is gone with the mount namespace."""

STORY = """
cd "$3"
sh deploy/install.sh
cp /etc/reconciler/secrets/token-key "$1/key"
echo 'mode: observe' >/etc/reconciler/reconciler.yaml
echo "-- installed: $(cd /etc/reconciler && stat -c '%n %U:%G %a' secrets reconciler.yaml | tr '\\n' ' ')"
test -z "$(find /opt/ilt-calendar-reconciler/current/ -type f -path '*reconciler/*' ! -perm -o=r | head -1)"
mkdir -p /var/lib/reconciler
reconciler --version
(cd /etc/systemd/system && systemd-analyze verify --man=no ./reconciler.service ./reconciler-worker.service)
echo "-- units: $(cd /etc/systemd/system && find . -name 'reconciler*' | sort | tr '\n' ' ')"

rm -r /opt/ilt-calendar-reconciler/releases/1/lib  # what the next one does not need
sh deploy/install.sh
echo "-- upgraded: $(readlink /opt/ilt-calendar-reconciler/current) $(cat /etc/reconciler/reconciler.yaml)"
cmp /etc/reconciler/secrets/token-key "$1/key"

sh deploy/install.sh --remove
sh deploy/install.sh --remove
for folder in $2; do
    (cd "$1/$folder/written" && find . -type f -path '*reconciler*' | sed 's/^/-- left: /')
done
"""


def needs_root() -> None:
    """Mounts are root's; without that the test is skipped, or fails if the environment says ``CI=true``."""
    if os.geteuid() == 0 and shutil.which("unshare") and shutil.which("systemd-sysusers"):
        return
    if os.environ.get("CI") == "true":
        pytest.fail("needs root, unshare and systemd: the installer cannot be tried")
    pytest.skip("only root, with unshare and systemd, can try the installer")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What an installation, an upgrade and two removals have said; lines of the story's own begin with --."""
    needs_root()
    folder = str(tmp_path_factory.mktemp("covered"))
    arguments = [folder, " ".join(COVERED), str(ROOT)]
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", COVER + STORY, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_NO_COMPILE": "1"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_installer_puts_everything_in_its_place(told: str) -> None:
    assert "-- installed: secrets root:root 700 reconciler.yaml root:reconciler 640" in told
    assert told.count("reconciler, version") == 3
    assert "Next: edit /etc/reconciler/reconciler.yaml" in told


def test_both_units_are_there_and_neither_is_enabled(told: str) -> None:
    assert "-- units: ./reconciler-worker.service ./reconciler.service \n" in told


def test_an_upgrade_leaves_settings_and_secrets_alone(told: str) -> None:
    assert "-- upgraded: releases/2 mode: observe" in told
    assert told.count("Next: edit") == 1


def test_a_removal_leaves_only_data_and_says_where(told: str) -> None:
    left = {line.removeprefix("-- left: ") for line in told.splitlines() if line.startswith("-- left: ")}
    assert left == {"./reconciler/reconciler.yaml", "./reconciler/secrets/token-key"}
    says = told.rpartition("The program is gone.")[2]
    assert "/etc/reconciler\n" in says
    assert "/var/lib/reconciler\n" in says
    assert "user reconciler" in says


def test_the_installer_refuses_what_it_does_not_know() -> None:
    ended = subprocess.run(
        ["sh", ROOT / "deploy/install.sh", "--purge"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "knows no --purge" in ended.stderr


@pytest.mark.parametrize("script", sorted(path for path in (ROOT / "deploy").rglob("*.sh")), ids=str)
def test_every_script_can_be_read_by_the_plain_shell(script: Path) -> None:
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
