"""DAViCal, Cyrus and SOGo as Debian packages them: each started on a port of its own, as a user of its own,
with its data where it is quick. They take seconds to start, so once for all tests of a worker."""

from __future__ import annotations

import imaplib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.support.caldav_servers import (
    PASSWORD,
    USER,
    CalDavServer,
    answers,
    folder_for,
    running,
)
from tests.support.databases import POSTGRESQL, Server
from tests.support.ports import free_port

PROGRAMS = {
    "davical": "/usr/share/davical/htdocs/caldav.php",
    "cyrus": "/usr/lib/cyrus/bin/httpd",
    "sogo": "/usr/sbin/sogod",
}
"""What must be installed for each."""


def _run(command: list[str], **given: object) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, **given)  # type: ignore[call-overload]
    assert ended.returncode == 0, (command, ended.stdout[-2000:], ended.stderr[-2000:])


@contextmanager
def _database() -> Iterator[sa.URL]:
    """A database of its own, dropped afterwards."""
    server = Server(POSTGRESQL, "postgres")
    url = server.create("ENCODING 'UTF8' TEMPLATE template0")
    try:
        yield sa.make_url(url)
    finally:
        server.close()


# DAViCal ------------------------------------------------------------------------------------------

_DAVICAL_CONFIG = """<?php
$c->pg_connect[] = 'dbname={database} host={host} port={port} user={user}';
$c->domain_name = '127.0.0.1';
$c->admin_email = 'admin@example.org';
$c->enable_auto_schedule = false;
"""

_APACHE = """
ServerRoot {folder}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/log
User www-data
Group www-data
StartServers 2
MaxRequestWorkers 8
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
LoadModule setenvif_module /usr/lib/apache2/modules/mod_setenvif.so
LoadModule php_module {php}
TypesConfig /etc/mime.types
DocumentRoot /usr/share/davical/htdocs
DirectoryIndex index.php
SetEnvIf Authorization "(.*)" HTTP_AUTHORIZATION=$1
AcceptPathInfo On
<FilesMatch "\\.php$">
  SetHandler application/x-httpd-php
</FilesMatch>
<Directory /usr/share/davical/htdocs>
  Require all granted
  AllowOverride None
</Directory>
php_value include_path /usr/share/awl/inc
php_value error_reporting 0
php_value display_errors 0
php_admin_value open_basedir none
"""


@contextmanager
def davical() -> Iterator[CalDavServer]:
    """DAViCal, in an Apache of its own, on a database of its own."""
    server = Server(POSTGRESQL, "postgres")
    url = sa.make_url(server.create("ENCODING 'UTF8' TEMPLATE template0"))
    server.drop(url.render_as_string(hide_password=False))
    with folder_for("davical") as folder:
        folder.chmod(0o755)
        port = free_port()
        _create_davical(url)
        try:
            values = {"database": url.database, "host": url.host, "port": url.port, "user": url.username}
            (folder / "config.php").write_text(_DAVICAL_CONFIG.format(**values))
            php = next(Path("/usr/lib/apache2/modules").glob("libphp*.so"))
            (folder / "apache.conf").write_text(_APACHE.format(folder=folder, port=port, php=php))
            home = f"/caldav.php/{USER}/"
            made = CalDavServer("davical", f"http://127.0.0.1:{port}", home, "/caldav.php/")
            command = ["/usr/sbin/apache2", "-DFOREGROUND", "-f", str(folder / "apache.conf")]
            instead = _instead("/etc/davical/config.php", folder / "config.php")
            with running([*instead, *command], folder) as process:
                made.processes.append(process)
                answers(made, home, folder)
                yield made
        finally:
            server._lent.add(str(url.database))
            server.close()


def _create_davical(url: sa.URL) -> None:
    environment = {
        **os.environ,
        "PGHOST": str(url.host),
        "PGPORT": str(url.port or 5432),
        "PGUSER": str(url.username),
    }
    script = "/usr/share/davical/dba/create-database.sh"
    given = {"env": environment, "cwd": "/"}
    _run(["sh", script, str(url.database), "admin", "davical_dba", "davical_app"], **given)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO usr (user_no, active, email_ok, updated, username, password, fullname, email) "
            f"VALUES (1001, TRUE, current_date, current_date, '{USER}', '**{PASSWORD}', 'Alice', 'a@b.org')"
        )
        connection.exec_driver_sql(
            "INSERT INTO principal (principal_id, type_id, user_no, displayname, default_privileges) "
            "VALUES (1001, 1, 1001, 'Alice', 0::BIT(24))"
        )


# Cyrus --------------------------------------------------------------------------------------------

_IMAPD = """
configdirectory: {folder}/lib
partition-default: {folder}/spool
sendmail: /bin/true
servername: localhost
admins: cyrus
virtdomains: off
unixhierarchysep: yes
altnamespace: no
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
httpmodules: caldav
httpallowcompress: 0
caldav_realm: localhost
calendar_user_address_set: example.org
defaultdomain: localhost
idlesocket: {folder}/run/idle
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
lmtpsocket: {folder}/run/lmtp
notifysocket: {folder}/run/notify
syslog_prefix: cyrus
conversations: 0
"""

_CYRUS = """
START {{
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="/usr/lib/cyrus/bin/imapd -C {folder}/imapd.conf" listen="127.0.0.1:{imap}" prefork=0
  http cmd="/usr/lib/cyrus/bin/httpd -C {folder}/imapd.conf" listen="127.0.0.1:{port}" prefork=1
}}
EVENTS {{
}}
"""


@contextmanager
def cyrus() -> Iterator[CalDavServer]:
    """Cyrus, with nothing but IMAP (to make the mailbox that the calendars hang on) and CalDAV."""
    with folder_for("cyrus") as folder:
        port, imap = free_port(), free_port()
        for name in (
            "lib",
            "spool",
            "run",
            "lib/db",
            "lib/socket",
            "lib/log",
            "lib/msg",
            "lib/proc",
            "run/proc",
        ):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "imapd.conf").write_text(_IMAPD.format(folder=folder))
        (folder / "cyrus.conf").write_text(_CYRUS.format(folder=folder, port=port, imap=imap))
        for user in (USER, "cyrus"):
            command = ["saslpasswd2", "-p", "-c", "-f", str(folder / "sasldb2"), "-u", "localhost", user]
            _run(command, input=PASSWORD)
        (folder / "log").touch()
        _owned_by(folder, "cyrus")
        home = f"/dav/calendars/user/{USER}/"
        server = CalDavServer("cyrus", f"http://127.0.0.1:{port}", home, f"/dav/principals/user/{USER}/")
        master = "/usr/lib/cyrus/bin/master"
        files = [
            "-C",
            str(folder / "imapd.conf"),
            "-M",
            str(folder / "cyrus.conf"),
            "-p",
            str(folder / "pid"),
        ]
        with running([master, *files], folder) as process:
            server.processes.append(process)
            _create_mailbox(imap)
            answers(server, home, folder)
            yield server


def _create_mailbox(port: int) -> None:
    """As the IMAP administrator, once."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with imaplib.IMAP4("127.0.0.1", port) as imap:
                imap.login("cyrus", PASSWORD)
                kind, told = imap.create(f"user/{USER}")
                assert kind == "OK", told
                return
        except (OSError, imaplib.IMAP4.abort):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


# SOGo ---------------------------------------------------------------------------------------------

_SOGO = """{{
  WOPort = "127.0.0.1:{port}";
  WOWorkersCount = 4;
  WOLogFile = "{folder}/sogo.log";
  WOPidFile = "{folder}/pid";
  SOGoMemcachedHost = "unix://{folder}/memcached";
  SOGoTimeZone = "UTC";
  SOGoMailDomain = "example.org";
  SOGoAppointmentSendEMailNotifications = NO;
  SOGoEnableEMailAlarms = NO;
  SOGoProfileURL = "{url}/sogo_user_profile";
  OCSFolderInfoURL = "{url}/sogo_folder_info";
  OCSSessionsFolderURL = "{url}/sogo_sessions_folder";
  OCSEMailAlarmsFolderURL = "{url}/sogo_alarms_folder";
  SOGoUserSources = ({{
    type = sql; id = users; viewURL = "{url}/sogo_users"; canAuthenticate = YES;
    isAddressBook = NO; userPasswordAlgorithm = plain;
  }});
}}
"""


@contextmanager
def sogo() -> Iterator[CalDavServer]:
    """SOGo, with no server in front of it, its users in a table."""
    with _database() as url, folder_for("sogo") as folder:
        port = free_port()
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE sogo_users (c_uid varchar(64) PRIMARY KEY, c_name varchar(64), "
                "c_password varchar(64), c_cn varchar(64), mail varchar(64))"
            )
            connection.exec_driver_sql(
                f"INSERT INTO sogo_users VALUES ('{USER}', '{USER}', '{PASSWORD}', 'Alice', 'a@b.org')"
            )
        base = f"postgresql://{url.username}@{url.host}:{url.port or 5432}/{url.database}"
        (folder / "sogo.conf").write_text(_SOGO.format(port=port, folder=folder, url=base))
        (folder / "home").mkdir()
        (folder / "log").touch()
        _owned_by(folder, "sogo")
        server = CalDavServer(
            "sogo", f"http://127.0.0.1:{port}", f"/SOGo/dav/{USER}/Calendar/", f"/SOGo/dav/{USER}/"
        )
        cache = ["memcached", "-s", str(folder / "memcached"), "-a", "0777", "-u", "sogo", "-m", "16"]
        daemon = ["runuser", "-u", "sogo", "--", "/usr/sbin/sogod", "-WONoDetach", "YES"]
        command = [*_instead("/etc/sogo/sogo.conf", folder / "sogo.conf"), *daemon]
        with running(cache, folder), running(command, folder, HOME=str(folder / "home")) as process:
            server.processes.append(process)
            answers(server, server.home, folder)
            yield server


def _instead(usual: str, file: Path) -> list[str]:
    """Before a command that is to find this file where it looks for its settings: it, and nobody else."""
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(file), usual]


def _owned_by(folder: Path, user: str) -> None:
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user)
