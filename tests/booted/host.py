"""A fresh Debian 12 that boots its own systemd, in a container without network; nothing of it is left behind.

The bare system is made once (debootstrap) and kept; what a trial writes goes to memory. The checkout lies in
``/src``, the program's dependencies in ``/wheels``, both read-only.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = "3.11"
"""Debian 12's."""
PACKAGES = (
    "systemd systemd-sysv dbus python3 python3-venv ca-certificates git curl iproute2 procps netcat-openbsd "
    "openssh-server openssh-client php-cli php-pgsql postgresql prometheus"
)
UNWANTED = "systemd-networkd-wait-online systemd-firstboot"
PATIENCE = 90.0


class Wrong(Exception):
    """Something is not as it should be."""


@dataclass(frozen=True)
class Host:
    """A booted system; ``pid`` is its systemd's."""

    pid: int

    def run(self, script: str, told: str = "", user: str = "root") -> subprocess.CompletedProcess[str]:
        """What a shell there says to a script."""
        inside = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]
        clean = [
            "env",
            "-i",
            "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LANG=C.UTF-8",
        ]
        shell = ["sh", "-c", script] if user == "root" else ["runuser", "-u", user, "--", "sh", "-c", script]
        return subprocess.run(
            [*inside, *clean, *shell], input=told, capture_output=True, text=True, check=False, timeout=600
        )

    def sh(self, script: str, told: str = "", user: str = "root") -> str:
        """The same, where it has to succeed: its output."""
        ended = self.run(f"set -e\n{script}", told, user)
        if ended.returncode:
            raise Wrong(f"{script.strip()}\nended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return ended.stdout.strip()

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """A file there, with its folders."""
        self.sh(f"install -D -m {mode:o} /dev/stdin {path}", told=text)

    def until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait for what will be so soon."""
        latest = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > latest:
                raise Wrong(f"it never was so: {what}")
            time.sleep(0.2)


def bare_system(cache: Path) -> Path:
    """The folder of a Debian that was never booted; made where there is none yet."""
    made = cache / f"bookworm-{hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]}"
    if not made.exists():
        print(f"making a Debian in {made}: some minutes, once", flush=True)
        begun = made.with_suffix(".part")
        subprocess.run(["rm", "-rf", begun], check=True)
        include = f"--include={','.join(PACKAGES.split())}"
        _quietly(["debootstrap", "--variant=minbase", include, "bookworm", str(begun)])
        for unit in UNWANTED.split():
            (begun / "etc/systemd/system" / f"{unit}.service").symlink_to("/dev/null")
        (begun / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (cluster,) = begun.glob("etc/postgresql/*/main/postgresql.conf")
        # Where the host has one, Debian has chosen another port.
        cluster.write_text(re.sub(r"(?m)^port = \d+", "port = 5432", cluster.read_text()))
        begun.rename(made)
    return made


def wheels(cache: Path) -> Path:
    """What pip may need there, by the lock files' hashes. Of a package in two versions both: which one it is
    depends on the interpreter there."""
    locks = (ROOT / "requirements.lock").read_text() + _setuptools()
    made = cache / f"wheels-{hashlib.sha256(locks.encode()).hexdigest()[:8]}"
    if not made.exists():
        print(f"downloading the dependencies to {made}", flush=True)
        begun = made.with_suffix(".part")
        begun.mkdir(parents=True, exist_ok=True)
        pins = re.findall(r"^(\S+?)(==\S+)(?: ; .*?)?( \\\n(?:    --hash.*\n)+)", locks, re.MULTILINE)
        lines = [(name, name + version + hashes) for name, version, hashes in pins]
        first = dict(reversed(lines))
        for group in (first.values(), [line for name, line in lines if line != first[name]]):
            (begun / "wanted.lock").write_text("".join(group))
            pip = [str(ROOT / ".venv/bin/python"), "-m", "pip", "download", "--quiet", "--require-hashes"]
            what = [
                "--no-deps",
                "--ignore-requires-python",
                "--only-binary=:all:",
                f"--python-version={PYTHON}",
            ]
            _quietly([*pip, *what, "-r", str(begun / "wanted.lock"), "-d", str(begun)])
        begun.rename(made)
    return made


def _setuptools() -> str:
    """What builds the program, as the installer takes it from the other lock file."""
    text = (ROOT / "requirements-dev.lock").read_text()
    return "setuptools==" + text.partition("\nsetuptools==")[2].partition("\nsix==")[0] + "\n"


def _quietly(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise Wrong(f"{' '.join(command)}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")


@contextmanager
def booted(cache: Path, data: Path) -> Iterator[Host]:
    """A host that has come up; ``data`` is its ``/data``. In a mount namespace of one's own."""
    lower, binds = bare_system(cache), {ROOT: "/src", wheels(cache): "/wheels", data: "/data"}
    with ExitStack() as stack:
        memory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _quietly(["mount", "-t", "tmpfs", "none", str(memory)])
        stack.callback(_quietly, ["umount", "--lazy", str(memory)])
        for name in ("written", "work", "root"):
            (memory / name).mkdir()
        cover = f"lowerdir={lower},upperdir={memory}/written,workdir={memory}/work"
        _quietly(["mount", "-t", "overlay", "-o", cover, "overlay", f"{memory}/root"])
        stack.callback(_quietly, ["umount", "--lazy", f"{memory}/root"])
        bound = [f"--bind-ro={there}:{here}" for there, here in binds.items()]
        how = ["--boot", "--register=no", "--keep-unit", "--private-network", "--console=pipe"]
        with (memory / "console").open("wb") as console:
            process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "-D", f"{memory}/root", *how, *bound],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        stack.callback(_end, process)
        yield _up(process, memory / "console")


def _up(process: subprocess.Popen[bytes], console: Path) -> Host:
    """The host, once its systemd says that everything has been started."""
    latest = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < latest:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children:
            host = Host(int(children[-1]))
            state = host.run("systemctl is-system-running --wait").stdout.strip()
            if state in ("running", "degraded"):
                return host
        time.sleep(0.2)
    raise Wrong(f"it did not boot:\n{console.read_text(errors='replace')[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Power off, as at the press of a button."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def need_means() -> None:
    """Mounts and boots are root's, and need two of Debian's packages."""
    if os.geteuid() != 0:
        raise Wrong("this mounts and boots: run it as root")
    packages = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container"}
    missing = [package for program, package in packages.items() if shutil.which(program) is None]
    if missing:
        raise Wrong(f"this boots a Debian: apt-get install {' '.join(missing)}")
