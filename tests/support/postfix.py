"""Debian's Postfix, an instance of one's own: another folder, another port, its mail into a Maildir."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.mail.smtp import Encryption, Server
from reconciler.simulators.certificates import Certificates

_LONGEST_WAIT = 30.0
_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""
_MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {home}/boxes
virtual_mailbox_maps = inline:{{ {{ ana@example.org = ana/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {home}/chain.pem
smtpd_tls_key_file = {home}/key.pem
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient
maillog_file = {home}/log
maillog_file_prefixes = {home}
"""


@dataclass(frozen=True)
class Postfix:
    """A running instance and the Maildir of ana@example.org."""

    server: Server
    maildir: Path

    def delivered(self, count: int) -> list[bytes]:
        """What lies in the Maildir once so many messages do."""
        until = time.monotonic() + _LONGEST_WAIT
        while len(found := list((self.maildir / "new").glob("*"))) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} messages were delivered"
            time.sleep(0.02)
        return [path.read_bytes() for path in found]


@contextmanager
def a_postfix(certificates: Certificates) -> Iterator[Postfix]:
    """An instance for the time of the block; skipped where there is no Postfix, or one is not root."""
    if shutil.which("postfix", path="/usr/sbin") is None or os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("Postfix is missing, or this is not root")
        pytest.skip("Postfix is not here (apt install postfix), or this is not root")
    home = Path(tempfile.mkdtemp(prefix="postfix-"))
    try:
        port = _prepare(home, certificates)
        command = ["/usr/sbin/postfix", "-c", str(home / "etc")]
        subprocess.run([*command, "start"], check=True, capture_output=True)
        try:
            there = Server("localhost", port, Encryption.STARTTLS, "reconciler.test")
            there = Server(**{**vars(there), "ca_file": str(certificates.ca_file)})
            yield Postfix(there, home / "boxes/ana")
        finally:
            subprocess.run([*command, "stop"], check=True, capture_output=True)
    finally:
        shutil.rmtree(home)


def _prepare(home: Path, certificates: Certificates) -> int:
    home.chmod(0o755)
    user = pwd.getpwnam("postfix")
    for name in ("etc", "queue", "data", "boxes"):
        (home / name).mkdir()
    for name in ("data", "boxes"):
        os.chown(home / name, user.pw_uid, user.pw_gid)
    shutil.copy(certificates.chain_file, home / "chain.pem")
    shutil.copy(certificates.key_file, home / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    (home / "etc/main.cf").write_text(_MAIN.format(home=home, uid=user.pw_uid, gid=user.pw_gid))
    (home / "etc/master.cf").write_text(_SERVICES.format(port=port))
    return port
