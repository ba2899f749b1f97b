"""What stands around the service on the trial host: Moodle, both vendors, settings and secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.booted.host import ROOT, Host

PROGRAM = "/opt/ilt-calendar-reconciler/current"
SETTINGS: dict[str, Any] = {
    "installation": {"id": "trial"},
    "lms": {
        "adapter": "moodle",
        "url": "postgresql://reconciler@127.0.0.1/moodle",
        "password_file": "lms-password",
        "moodle": {"site_url": "https://learn.example.org"},
        "unregister": {
            "way": "ssh",
            "ssh_destination": "ilt@127.0.0.1",
            "ssh_key_file": "moodle-key",
            "ssh_known_hosts": "moodle-known-hosts",
        },
    },
    "tokens": {"key_files": ["token-key"]},
    "intervals": {
        **dict.fromkeys(("push", "confirm"), "1s"),
        "audit": dict.fromkeys(("soon", "fortnight", "later"), "2s"),
    },
    "unregister": dict.fromkeys(("grace", "grace_near"), "1s"),
    "providers": {
        "google": {
            "client_id": "simulated-client.apps.googleusercontent.com",
            "client_secret_file": "google-client-secret",
        },
        "microsoft": {
            "client_id": "5f3c8f6e-6a0c-4a55-9d0e-2a3bb1c0ffee",
            "secret_file": "microsoft-client-secret",
        },
    },
    "accounts": {"defaults": {"vendors": ["google", "microsoft"]}},
    "network": {
        "ca_file": "/etc/reconciler/ca.pem",
        "endpoints": {
            **dict.fromkeys(("google_api", "google_oauth"), "https://localhost:8443"),
            **dict.fromkeys(("microsoft_graph", "microsoft_login"), "https://localhost:8444"),
        },
    },
}
SECRETS = {
    "lms-password": "the password",
    "google-client-secret": "simulated-secret",
    "microsoft-client-secret": "simulated~secret",
}
PEOPLE = {"22": ("google", "learner@google.example"), "37": ("microsoft", "trainer@microsoft.example")}
"""Two of Moodle's people, and where their calendars are."""


def configure(host: Host, **sections: Any) -> None:
    """Write the settings, with these sections laid over them."""
    merged = dict(SETTINGS)
    for name, section in sections.items():
        known = merged.get(name)
        laid = {**known, **section} if isinstance(known, dict) and isinstance(section, Mapping) else section
        merged[name] = laid
    where = "/etc/reconciler/reconciler.yaml"
    host.sh(f"cat >{where}; chgrp reconciler {where}; chmod 640 {where}", told=yaml.safe_dump(merged))


def moodle_database(host: Host) -> None:
    """The dumped site, all its sessions to come, and the login that docs/connect-moodle.md makes."""
    host.sh(
        "createdb moodle && psql -q -v ON_ERROR_STOP=1 moodle </data/moodle-pgsql-seeded.sql", user="postgres"
    )
    page = (ROOT / "docs/connect-moodle.md").read_text("utf-8")
    login = re.search(r"On PostgreSQL:\n\n```sql\n(.*?)```", page, re.DOTALL)
    assert login
    sql(host, login[1])
    first = "(SELECT min(timestart) FROM mdl_facetoface_sessions_dates WHERE timestart > 0)"
    shift = f"greatest(0, extract(epoch FROM now())::bigint + 9 * 86400 - {first})"
    sql(
        host,
        "UPDATE mdl_facetoface_sessions_dates"
        " SET timestart = timestart + shift, timefinish = timefinish + shift"
        f" FROM (SELECT {shift} AS shift) AS later WHERE timestart > 0;"
        "SELECT setval('mdl_facetoface_signups_status_id_seq', 10000)",
    )


def sql(host: Host, statements: str) -> str:
    """What Moodle's database says."""
    return host.sh("psql -q -t -A -v ON_ERROR_STOP=1 moodle", told=statements, user="postgres")


def moodle_script(host: Host) -> None:
    """The script behind its door, and the key that may knock, as docs/moodle-unregister.md has it. Moodle
    itself is played by the stubs that the tests have."""
    host.sh("""
        install -d /opt/ilt-reconciler /var/www /var/moodledata
        cd /src/deploy/moodle
        install -m 644 cli/unregister.php cli/unregister_seat.php systemd/README.md /opt/ilt-reconciler/
        install -m 644 systemd/ilt-unregister.socket systemd/ilt-unregister@.service /etc/systemd/system/
        cp -R /src/tests/support/moodle_stub /var/www/moodle
        chown www-data /var/moodledata
        groupadd --system ilt-unregister
        useradd --system --create-home --shell /bin/sh --groups ilt-unregister ilt
        ssh-keygen -q -t ed25519 -N '' -f /etc/reconciler/secrets/moodle-key
        mkdir -p ~ilt/.ssh
        echo "command=\\"/usr/bin/nc -U /run/ilt-unregister.sock\\",restrict $(
            cat /etc/reconciler/secrets/moodle-key.pub)" >~ilt/.ssh/authorized_keys
        ssh-keyscan -t ed25519 127.0.0.1 >/etc/reconciler/moodle-known-hosts 2>/dev/null""")
    host.write(
        "/etc/systemd/system/ilt-unregister@.service.d/stub.conf",
        "[Service]\nEnvironment='STUB_DSN=pgsql:host=127.0.0.1;dbname=moodle' STUB_USER=moodle"
        " STUB_PASSWORD=moodle STUB_DATA=/var/moodledata STUB_TROUBLE=\n",
        mode=0o644,
    )
    sql(host, "CREATE ROLE moodle SUPERUSER LOGIN PASSWORD 'moodle'")
    host.sh("systemctl daemon-reload && systemctl enable --quiet --now ilt-unregister.socket")


def vendors(host: Host) -> None:
    """Both simulated, as a service of their own."""
    host.sh(f"""
        mkdir -p /srv/vendors && cp /src/tests/booted/vendors.py /srv/
        systemd-run --quiet --unit=vendors {PROGRAM}/bin/python /srv/vendors.py /srv/vendors""")
    host.until("the vendors listen", lambda: host.run("test -e /srv/vendors/ready").returncode == 0)
    host.sh("install -m 644 /srv/vendors/ca.pem /etc/reconciler/ca.pem")


def secrets(host: Host) -> None:
    """Each in its file, as docs/install.md says."""
    for name, text in SECRETS.items():
        host.write(f"/etc/reconciler/secrets/{name}", text)


def connect_people(host: Host) -> None:
    """By the verb for support and scripts, the token on its standard input."""
    for person, (vendor, address) in PEOPLE.items():
        subject, calendar, token = host.sh(f"cat /srv/vendors/{address}").split()
        host.sh(
            f"reconciler connection add {person} {vendor} --subject {subject} --address {address}"
            f" --calendar {calendar} --refresh-token-file -",
            told=token,
        )
