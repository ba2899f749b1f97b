"""The way of the LMS by which seats are given back, as the settings name it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from reconciler.errors import LmsUnreadable
from reconciler.lms.moodle_channels import Channel, CommandChannel, SocketChannel, ssh_channel
from reconciler.lms.moodle_raw import MoodleRawSql
from reconciler.lms.moodle_registrar import MoodleRegistrar
from reconciler.lms.reference_registrar import ReferenceRegistrar, StatementRegistrar
from reconciler.lms.webhook_registrar import WebhookRegistrar
from reconciler.lms.writing import write_engine
from reconciler.model import UnregisterMode
from reconciler.ports import Registrar, RegistrarAnswer, RegistrarOutcome, Unregistration
from reconciler.settings import Settings
from reconciler.settings.giving_back import Way


class NoWay:
    """Where no way is named. Deleted events are still put back; what an earlier way has begun stays open."""

    def now(self) -> datetime:
        """This machine's clock, as there is no other."""
        return datetime.now(UTC)

    def unregister(self, request: Unregistration) -> RegistrarAnswer:
        """Certainly not written."""
        raise LmsUnreadable("there is no way to give a seat back", next_step="See `lms.unregister.way`.")

    def resolve(self, request: Unregistration) -> RegistrarAnswer:
        """Nobody can be asked."""
        return RegistrarAnswer(RegistrarOutcome.UNKNOWN, "lms.unregister.way is none: name the one it was")

    def check(self) -> list[str]:
        """Nothing is promised."""
        return []


def gives_back(settings: Settings) -> bool:
    """Whether there is a way."""
    return settings.lms.unregister.in_force(settings.lms.adapter) is not Way.NONE


def unregister_mode(settings: Settings) -> UnregisterMode:
    """What a deletion leads to: without a way nothing can be given back, though it can be reported."""
    mode = settings.unregister.mode
    if gives_back(settings) or mode is UnregisterMode.REPORT:
        return mode
    return UnregisterMode.NEVER


def registrar_of(settings: Settings, address: str) -> Registrar:
    """The registrar. ``address`` names the LMS in errors."""
    lms = settings.lms
    given, options = lms.unregister, lms.reference
    match given.in_force(lms.adapter):
        case Way.TABLES:
            engine = write_engine(lms.database_to_write)
            return ReferenceRegistrar(engine, prefix=options.table_prefix, schema=options.schema_name)
        case Way.STATEMENT:
            assert given.statement is not None
            engine = write_engine(lms.database_to_write)
            return StatementRegistrar(
                engine, given.statement, prefix=options.table_prefix, schema=options.schema_name
            )
        case Way.WEBHOOK:
            return _webhook(settings)
        case Way.SQL:
            engine = write_engine(lms.database_to_write)
            return MoodleRawSql(engine, prefix=lms.moodle.prefix, time_zone=lms.moodle.time_zone)
        case Way.SSH | Way.SOCKET | Way.COMMAND as way:
            return MoodleRegistrar(_channel(settings, way), address)
        case Way.NONE:
            return NoWay()


def _webhook(settings: Settings) -> Registrar:
    given = settings.lms.unregister
    assert given.webhook_url is not None
    assert given.webhook_key_file is not None
    key_file = given.webhook_key_file
    return WebhookRegistrar(
        given.webhook_url,
        key_file.text.encode,
        proxy=settings.network.proxy,
        ca_file=settings.network.ca_file,
    )


def _channel(settings: Settings, way: Way) -> Channel:
    given = settings.lms.unregister
    if way is Way.SOCKET:
        assert given.socket is not None
        return SocketChannel(Path(given.socket))
    if way is Way.COMMAND:
        assert given.command is not None
        return CommandChannel(given.command)
    assert given.ssh_destination is not None
    assert given.ssh_key_file is not None
    assert given.ssh_known_hosts is not None
    return ssh_channel(
        given.ssh_destination, given.ssh_key_file.path, given.ssh_known_hosts, port=given.ssh_port
    )
