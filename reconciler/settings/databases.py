"""The two databases: the LMS, which is read, and our own state."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationInfo, field_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from reconciler.settings.giving_back import GivingBack
from reconciler.settings.values import (
    Duration,
    FilePath,
    Secret,
    Section,
    TimeZone,
    WebAddress,
    key,
    refused,
    section,
)

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite": "sqlite",
}


def _database(text: str, info: ValidationInfo, allowed: tuple[str, ...]) -> str:
    """The URL with the driver we use; a relative SQLite file starts at the configuration file's folder."""
    url = _parsed(text)
    kind = url.drivername.partition("+")[0]
    if kind not in allowed or url.drivername not in (kind, _DRIVERS[kind]):
        raise refused(f"must begin with {' or '.join(name + '://' for name in allowed)}")
    if url.password is not None or "password" in url.query or "passwd" in url.query:
        raise refused("must not contain a password: put it in the file that password_file names")
    if kind == "sqlite":
        return _sqlite(url, info)
    if not url.host or not url.database:
        raise refused(f"must name a host and a database, such as {kind}://user@host/database")
    return url.set(drivername=_DRIVERS[kind]).render_as_string()


def _parsed(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError) as error:
        raise refused("is no database URL, such as postgresql://user@host/database") from error


def _sqlite(url: URL, info: ValidationInfo) -> str:
    if not url.database or url.database == ":memory:":
        raise refused("must name a file, such as sqlite:////var/lib/reconciler/state.db")
    folder = (info.context or {}).get("folder", ".")
    return url.set(database=str(Path(folder) / url.database)).render_as_string()


def _with_password(url: str, password: Secret | None) -> URL:
    parsed = make_url(url)
    return parsed.set(password=password.text) if password else parsed


class LmsAdapter(StrEnum):
    """What stands behind ``lms.url``."""

    REFERENCE = "reference"
    MOODLE = "moodle"


class ReferenceOptions(Section):
    """Options of the adapter for the reference tables."""

    schema_name: str | None = key(
        "Schema of the five tables or views, where they are not in the connection's default one.",
        default=None,
        example="training",
        reload=False,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
    )
    table_prefix: str = key(
        "What the names of the tables begin with (<prefix>accounts, <prefix>people, ...).",
        default="",
        example="ilt_",
        reload=False,
        pattern="^[A-Za-z0-9_]*$",
    )


class MoodleOptions(Section):
    """Options of the adapter for Moodle's mod_facetoface."""

    prefix: str = key(
        "What the names of Moodle's tables begin with ($CFG->prefix).",
        default="mdl_",
        reload=False,
        pattern="^[A-Za-z0-9_]*$",
    )
    site_url: WebAddress | None = key(
        "Moodle's address ($CFG->wwwroot), for the links in events. Without it events have no link.",
        default=None,
        example="https://learn.example.org",
    )
    time_zone: TimeZone | None = key(
        "The site's time zone, where config.php sets $CFG->timezone. Otherwise the database's own "
        "setting is taken.",
        default=None,
        example="Europe/Vienna",
    )
    link_field: str | None = key(
        "Short name of the custom session field that holds the link to join online.",
        default=None,
        example="joinlink",
    )
    location_fields: tuple[str, ...] = key(
        "Short names of the custom session fields that make up an event's location, in this order.",
        default=("room", "venue", "location"),
    )


class Lms(Section):
    """Where training lives."""

    adapter: LmsAdapter = key(
        "What kind of LMS it is: reference (five tables or views that any LMS can offer) or moodle "
        "(mod_facetoface).",
        example=LmsAdapter.REFERENCE,
        reload=False,
    )
    url: str = key(
        "The LMS's database: postgresql://, mysql://, mariadb:// or sqlite://. Without a password: "
        "see password_file.",
        example="postgresql://reconciler@db.example.org/lms",
        reload=False,
    )
    password_file: Secret | None = key(
        "The file that holds the password of the LMS's database: a path, or the name of a systemd "
        "credential.",
        default=None,
        example="lms-password",
        reload=False,
    )
    statement_timeout: Duration = key(
        "How long one statement may run in the LMS's database before the cycle is given up.", default="2m"
    )
    reference: ReferenceOptions = section("Only with adapter: reference.", ReferenceOptions)
    moodle: MoodleOptions = section("Only with adapter: moodle.", MoodleOptions)
    unregister: GivingBack = section("How a seat is given back in the LMS.", GivingBack)

    @field_validator("unregister")
    @classmethod
    def _fits_the_adapter(cls, given: GivingBack, info: ValidationInfo) -> GivingBack:
        adapter = info.data.get("adapter")
        for name, sentence in given.problems(adapter) if adapter else ():
            raise refused(sentence, at=(name,))
        return given

    @field_validator("url")
    @classmethod
    def _is_database(cls, text: str, info: ValidationInfo) -> str:
        return _database(text, info, ("postgresql", "mysql", "mariadb", "sqlite"))

    @field_validator("reference", "moodle")
    @classmethod
    def _belongs_to_adapter(cls, options: Section, info: ValidationInfo) -> Section:
        adapter = info.data.get("adapter")
        if options.model_fields_set and adapter not in (None, info.field_name):
            raise refused(f"means nothing with adapter: {adapter}")
        return options

    @property
    def database(self) -> URL:
        """What to connect to, with the password in it: never to be logged."""
        return _with_password(self.url, self.password_file)

    @property
    def database_to_write(self) -> URL:
        """The same, as the user who may write."""
        given = self.unregister
        url = make_url(self.url).set(username=given.user) if given.user else make_url(self.url)
        return _with_password(url.render_as_string(), given.password_file or self.password_file)


class Retention(Section):
    """How long what is past is kept; purged once a day."""

    past_days: Duration = key("What we wrote for a day of training, after that day.", default="90d")
    ids: Duration = key("Its ids, which the vendors never let be used again.", default="400d")
    evidence: Duration = key("What proved that a seat was given back by its owner.", default="400d")
    audit_log: Duration = key("Who changed what about whom.", default="400d")
    history: Duration = key("What was done for a person, and why.", default="400d")
    mail_bodies: Duration = key(
        "The text of a mail, after it was sent; that it was is kept longer.", default="7d"
    )
    disconnected: Duration = key("What belongs to a connection, after it was ended.", default="30d")
    used: Duration = key("Marks of links and launches that were used up, after they expired.", default="1d")

    @field_validator("ids")
    @classmethod
    def _not_shorter(cls, ids: timedelta, info: ValidationInfo) -> timedelta:
        if ids < info.data.get("past_days", ids):
            raise refused("must not be shorter than past_days")
        return ids


class State(Section):
    """Our own database."""

    url: str = key(
        "Our state database: sqlite:// for one reconciling process, postgresql:// for several. "
        "Without a password: see password_file.",
        default="sqlite:////var/lib/reconciler/state.db",
        reload=False,
    )
    password_file: Secret | None = key(
        "The file that holds the password of our database: a path, or the name of a systemd credential.",
        default=None,
        example="state-password",
        reload=False,
    )
    witness_file: FilePath = key(
        "A small file on this machine that tells a restored database from one that merely stood still. "
        "Keep it out of the database's backups.",
        default="/var/lib/reconciler/witness",
        reload=False,
    )
    retention: Retention = section("How long what is past is kept; purged once a day.", Retention)

    @field_validator("url")
    @classmethod
    def _is_database(cls, text: str, info: ValidationInfo) -> str:
        return _database(text, info, ("sqlite", "postgresql"))

    @property
    def database(self) -> URL:
        """What to connect to, with the password in it: never to be logged."""
        return _with_password(self.url, self.password_file)
