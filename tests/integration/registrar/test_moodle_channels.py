"""The script is reached by ssh and a forced command, and by a socket that systemd opens: by real ones."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.errors import LmsUnreadable
from reconciler.lms.moodle_channels import SocketChannel, ssh_channel
from reconciler.lms.moodle_registrar import MoodleRegistrar
from reconciler.ports import RegistrarOutcome
from tests.support.moodle_site import MoodleSite
from tests.support.ports import free_port

DONE, STILL_THERE = RegistrarOutcome.DONE, RegistrarOutcome.STILL_THERE


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no {name}")
        pytest.skip(f"no {name}")
    return found


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            server.terminate()
            server.wait()


# ssh ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SshHost:
    """A host that lets one key run one command."""

    folder: Path
    port: int

    def registrar(self, key: str = "key", known: str = "known_hosts") -> MoodleRegistrar:
        name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        channel = ssh_channel(
            f"{name}@127.0.0.1", self.folder / key, self.folder / known, port=self.port, seconds=30
        )
        return MoodleRegistrar(channel)


def _key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text().strip()


@pytest.fixture
def ssh_host(moodle: MoodleSite, tmp_path: Path) -> Iterator[SshHost]:
    """A real sshd on loopback, with the line in ``authorized_keys`` that the documentation shows."""
    sshd = _program("sshd")
    host = SshHost(tmp_path, free_port())
    key, host_key = _key(tmp_path / "key"), _key(tmp_path / "host_key")
    _key(tmp_path / "another_key")
    script = tmp_path / "forced"
    script.write_text("#!/bin/sh\nexec " + " ".join(f"'{part}'" for part in moodle.command()) + "\n")
    script.chmod(0o700)
    (tmp_path / "authorized_keys").write_text(f'command="{script}",restrict {key}\n')
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{host.port} {' '.join(host_key.split()[:2])}\n")
    (tmp_path / "known_others").write_text(f"[127.0.0.1]:{host.port} {' '.join(key.split()[:2])}\n")
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{host.port}\nHostKey {tmp_path}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {tmp_path}/authorized_keys\nStrictModes no\nUsePAM no\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with _running([sshd, "-D", "-e", "-f", str(tmp_path / "sshd_config")], tmp_path):
        while True:
            try:
                socket.create_connection(("127.0.0.1", host.port)).close()
                break
            except ConnectionRefusedError:
                continue
        yield host


@pytest.mark.parametrize("moodle", ["postgresql"], indirect=True)
def test_by_ssh_the_key_runs_the_script_and_nothing_else(ssh_host: SshHost, moodle: MoodleSite) -> None:
    registrar, request = ssh_host.registrar(), moodle.asks()
    assert registrar.check() == []
    assert registrar.resolve(request).outcome is STILL_THERE
    assert registrar.unregister(request).outcome is DONE
    assert registrar.resolve(request).outcome is DONE
    folder = ssh_host.folder
    wanted = ["ssh", "-F", "none", "-p", str(ssh_host.port), "-i", str(folder / "key"), "-o", "BatchMode=yes"]
    wanted += [
        "-o",
        f"UserKnownHostsFile={folder / 'known_hosts'}",
        "127.0.0.1",
        "touch",
        str(folder / "owned"),
    ]
    subprocess.run(wanted, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert not (folder / "owned").exists()


@pytest.mark.parametrize("moodle", ["postgresql"], indirect=True)
def test_by_ssh_an_unknown_host_another_key_or_a_closed_door_is_told_nothing(
    ssh_host: SshHost, moodle: MoodleSite
) -> None:
    closed = SshHost(ssh_host.folder, 1)
    for registrar in (
        ssh_host.registrar(known="known_others"),
        ssh_host.registrar(known="nothing_known"),
        ssh_host.registrar(key="another_key"),
        ssh_host.registrar(key="no_key"),
        closed.registrar(),
    ):
        with pytest.raises(LmsUnreadable, match="told nothing"):
            registrar.unregister(moodle.asks())
    assert ssh_host.registrar().resolve(moodle.asks()).outcome is STILL_THERE


# A socket -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("moodle", ["postgresql"], indirect=True)
def test_through_a_socket_systemd_starts_the_script_for_each_request(
    moodle: MoodleSite, tmp_path: Path
) -> None:
    activate = _program("systemd-socket-activate")
    door = tmp_path / "door.sock"
    environment = [f"--setenv={pair}" for pair in moodle.environment()]
    command = [activate, "--listen", str(door), "--accept", "--inetd", *environment]
    script = moodle.command()
    command += script[script.index(next(part for part in script if part.endswith("php"))) :]
    with _running(command, tmp_path):
        while not door.exists():
            pass
        registrar, request = MoodleRegistrar(SocketChannel(door, seconds=30)), moodle.asks()
        assert registrar.check() == []
        assert registrar.unregister(request).outcome is DONE
        assert registrar.unregister(request).why == "already"
        assert registrar.resolve(request).outcome is DONE


def test_the_units_are_ones_that_systemd_understands(tmp_path: Path) -> None:
    """Checked as they are, but for the paths that a Moodle host has and this machine need not have."""
    analyze = _program("systemd-analyze")
    units = Path(__file__).resolve().parents[3] / "deploy" / "moodle" / "systemd"
    for unit in units.glob("ilt-unregister*"):
        text = unit.read_text().replace("/usr/bin/php", _program("true"))
        (tmp_path / unit.name).write_text(text)
    names = ["ilt-unregister.socket", "ilt-unregister@.service"]
    verified = subprocess.run(
        [analyze, "verify", *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in verified.stderr.splitlines() if "ilt-unregister" in line] == []
    assert verified.returncode == 0
