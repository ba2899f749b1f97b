"""Sixty addresses and more that lead into a network rather than out of it: refused, with no packet sent.

In a network namespace of its own, so that even a broken guard would reach nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile_addresses import ADDRESSES, NAMES, answer, flow_of

ROOT = Path(__file__).parents[3]


def _ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def namespace() -> Iterator[str]:
    """A network with a loopback of its own and a way out that leads nowhere."""
    name = f"ilt-{secrets.token_hex(4)}"
    names = Path("/etc/netns") / name
    made = _ip("netns", "add", name) if shutil.which("ip") and os.geteuid() == 0 else None
    if made is None or made.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(
                f"no network namespace can be made: {made.stderr if made else 'no iproute2, or no root'}"
            )
        pytest.skip("a network namespace takes iproute2 and root")
    try:
        names.mkdir(parents=True)
        (names / "hosts").write_text("".join(f"{address} {host}\n" for host, address in NAMES.items()))
        (names / "hosts").write_text((names / "hosts").read_text() + "127.0.0.1 localhost\n::1 localhost\n")
        for command in (
            ("link", "set", "lo", "up"),
            ("link", "add", "out", "type", "dummy"),
            ("link", "set", "out", "up"),
            ("addr", "add", "198.51.100.2/24", "dev", "out"),
            ("route", "add", "default", "dev", "out"),
            ("-6", "route", "add", "default", "dev", "out"),
        ):
            _ip("-n", name, *command)
        yield name
    finally:
        _ip("netns", "delete", name)
        shutil.rmtree(names, ignore_errors=True)


def test_hostile_addresses_are_refused_with_no_packet_sent(namespace: str) -> None:
    command = [sys.executable, "-m", "tests.support.hostile_addresses"]
    run = subprocess.run(
        ["ip", "netns", "exec", namespace, *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = json.loads(run.stdout)
    assert told["knocked"] > 0, "the listener hears nothing, so the rest proves nothing"
    assert len(told["seen"]) == len(set(ADDRESSES)) >= 60
    assert {address: packets for address, (_, packets) in told["seen"].items() if packets} == {}
    assert {said for said, _ in told["seen"].values()} == {"no-server: no CalDAV server can be used there"}


def test_where_nobody_answers_the_same_is_told_as_where_nobody_may_ask() -> None:
    closed = "http://127.0.0.1:9"
    assert answer(flow_of(closed), closed) == answer(flow_of("*"), "https://127.0.0.1:9")
