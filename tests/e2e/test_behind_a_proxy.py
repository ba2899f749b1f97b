"""A network that lets nothing out but through its proxy, with a certificate authority of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from reconciler.ports import SignIn
from reconciler.simulators.lms import When
from reconciler.welcome import grant_of
from tests.support.caldav_servers import PASSWORD, USER, running
from tests.support.connect_proxy import Proxy, a_proxy
from tests.support.house import HouseBed
from tests.support.microsoft_bed import certificates
from tests.support.ports import free_port
from tests.support.smtp_servers import Post, a_post

TODAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
IN_SPRING = When(TODAY + timedelta(days=120), TODAY + timedelta(days=120, hours=8))
CALENDAR = f"/{USER}/work/"


@contextmanager
def radicale_over_tls(folder: Path) -> Iterator[str]:
    """A CalDAV server with one calendar, whose certificate is of the private authority: its address."""
    ours, port = certificates(), free_port()
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n")
    command = [
        *(sys.executable, "-m", "radicale", "--config", "", "--server-hosts", f"127.0.0.1:{port}"),
        *("--server-ssl", "True", "--server-certificate", str(ours.chain_file)),
        *("--server-key", str(ours.key_file), "--auth-type", "htpasswd", "--auth-delay", "0"),
        *("--auth-htpasswd-filename", str(folder / "users"), "--auth-htpasswd-encryption", "plain"),
        *("--storage-filesystem-folder", str(folder / "data")),
    ]
    address = f"https://localhost:{port}"
    with running(command, folder):
        while True:
            try:
                made = requests.request(
                    "MKCALENDAR", address + CALENDAR, auth=(USER, PASSWORD), verify=ours.ca_file, timeout=30
                )
            except requests.ConnectionError:
                continue
            assert made.status_code == 201
            break
        yield address


def configure(house: HouseBed, proxy: Proxy, dav: str, post: Post) -> None:
    """Everything by way of the proxy; nothing in the environment says so."""
    (house.folder / "smtp-password").write_text(post.server.password or "")
    (house.folder / "smtp-password").chmod(0o600)
    house.configure(
        network={"proxy": proxy.url},
        providers={"caldav": {"allowed_hosts": [dav]}},
        accounts={"defaults": {"vendors": ["google", "microsoft", "caldav"]}},
        mail={
            "host": "localhost",
            "port": post.server.port,
            "user": post.server.user,
            "password_file": "smtp-password",
            "use_proxy": True,
            "from_address": "training@example.org",
            "coalesce": "1s",
        },
    )


def test_every_vendor_and_the_mail_server_are_reached_through_it_alone(
    house: HouseBed, tmp_path: Path
) -> None:
    with radicale_over_tls(tmp_path) as dav, a_post(certificates()) as post, a_proxy() as proxy:
        configure(house, proxy, dav, post)
        house.clock.now = datetime.now(UTC)
        session = house.lms.add_session(IN_SPRING, title="Safety")
        house.newcomer("ana", "google", session)
        house.newcomer("ben", "microsoft", session)
        house.lms.add_person("cleo")
        house.lms.book("cleo", session)
        sign_in = SignIn(dav, USER, PASSWORD)
        granted = house.house.sign_ins["caldav"].finish(sign_in, CALENDAR)
        grant = grant_of(house.house.person("cleo"), "caldav", granted)
        house.house.welcome.begin(grant, granted.credentials, "test", "test")
        house.close()
        assert house.cli("check-config", "--online").exit_code == 0
        proxy.asked_for.clear()
        process = house.start("once")
        said, log = process.communicate(timeout=120)
        assert process.returncode == 0, said + log
        kept = requests.get(dav + CALENDAR, auth=(USER, PASSWORD), verify=certificates().ca_file, timeout=30)
    assert house.titles("ana") == house.titles("ben") == ["Safety"]
    assert "SUMMARY:Safety" in kept.text
    assert post.received
    endpoints = house.values["network"]["endpoints"].values()
    hosts = {address.partition("//")[2] for address in (*endpoints, dav)}
    assert set(proxy.asked_for) == hosts | {f"localhost:{post.server.port}"}
