"""By which way of the LMS a seat is given back."""

from __future__ import annotations

from enum import StrEnum

from reconciler.settings.values import FilePath, ReadableFile, Secret, Section, WebAddress, key


class Way(StrEnum):
    """How the LMS is told that a seat is given back."""

    TABLES = "tables"
    STATEMENT = "statement"
    WEBHOOK = "webhook"
    SSH = "ssh"
    SOCKET = "socket"
    COMMAND = "command"
    SQL = "sql"
    NONE = "none"


_NEEDS = {
    Way.STATEMENT: ("statement",),
    Way.WEBHOOK: ("webhook_url", "webhook_key_file"),
    Way.SSH: ("ssh_destination", "ssh_key_file", "ssh_known_hosts"),
    Way.SOCKET: ("socket",),
    Way.COMMAND: ("command",),
}
OF_REFERENCE = (Way.TABLES, Way.STATEMENT, Way.WEBHOOK, Way.NONE)
OF_MOODLE = (Way.SSH, Way.SOCKET, Way.COMMAND, Way.SQL, Way.WEBHOOK, Way.NONE)


class GivingBack(Section):
    """How the LMS is told that a seat is given back. Without a way none is."""

    way: Way | None = key(
        "reference tables: tables (one conditional UPDATE; the default), statement (an SQL statement of "
        "yours), webhook (an address of yours). Moodle: ssh, socket or command (our script beside Moodle, "
        "see docs/moodle-unregister.md), webhook, or sql (writes the rows itself: no wait list, no mails, "
        "no log). none: no seat is given back and deleted events are put back, which is Moodle's default.",
        default=None,
        example=Way.TABLES,
        reload=False,
    )
    user: str | None = key(
        "Another user of the LMS's database, who may write (tables, statement, sql).",
        default=None,
        example="reconciler_writer",
        reload=False,
    )
    password_file: Secret | None = key(
        "The file that holds that user's password: a path, or the name of a systemd credential.",
        default=None,
        example="lms-writer-password",
        reload=False,
    )
    statement: str | None = key(
        "Run once for each seat; must change exactly one row. Parameters: :seat_ref, :person_id, "
        ":session_id, :deadline, :reference.",
        default=None,
        example="UPDATE bookings SET state = 'cancelled' WHERE ref = :seat_ref AND state = 'booked'",
        reload=False,
    )
    webhook_url: WebAddress | None = key(
        "Your address; its contract is docs/unregister-webhook.md.",
        default=None,
        example="https://lms.example.org/hooks/unregister",
        reload=False,
    )
    webhook_key_file: Secret | None = key(
        "The file that holds the key with which our requests are signed.",
        default=None,
        example="webhook-key",
        reload=False,
    )
    ssh_destination: str | None = key(
        "user@host of the Moodle server, where the key is tied to our script.",
        default=None,
        example="ilt@learn.example.org",
        reload=False,
        pattern="^[A-Za-z0-9._-]+@[A-Za-z0-9.:-]+$",
    )
    ssh_port: int = key("The port of ssh there.", default=22, gt=0, le=65_535, reload=False)
    ssh_key_file: Secret | None = key(
        "The private key for it, without a passphrase: a path, or the name of a systemd credential.",
        default=None,
        example="moodle-key",
        reload=False,
    )
    ssh_known_hosts: ReadableFile | None = key(
        "The file with the server's host key.",
        default=None,
        example="moodle-known-hosts",
        reload=False,
    )
    socket: FilePath | None = key(
        "The socket of our script's unit, where Moodle runs on this machine.",
        default=None,
        example="/run/ilt-unregister.sock",
        reload=False,
    )
    command: tuple[str, ...] | None = key(
        "A command that runs our script, for trials.",
        default=None,
        example=("php", "/opt/ilt-reconciler/unregister.php", "--config=/var/www/moodle/config.php"),
        reload=False,
    )

    def problems(self, adapter: str) -> list[tuple[str, str]]:
        """What is wrong with these keys for an adapter: (key, sentence)."""
        allowed = OF_MOODLE if adapter == "moodle" else OF_REFERENCE
        if self.way is None:
            return []
        if self.way not in allowed:
            words = ", ".join(allowed)
            return [("way", f"{self.way} is not for adapter: {adapter}; one of {words}")]
        missing = [name for name in _NEEDS.get(self.way, ()) if getattr(self, name) is None]
        return [(name, f"is needed with way: {self.way}") for name in missing]

    def in_force(self, adapter: str) -> Way:
        """The way, with the adapter's default where none is named."""
        if self.way is not None:
            return self.way
        return Way.TABLES if adapter == "reference" else Way.NONE
