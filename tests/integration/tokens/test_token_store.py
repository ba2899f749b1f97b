"""Credentials at rest: sealed for one connection of one person, under keys that can be rotated."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.errors import ConfigurationError, ReauthorizationNeeded, StateUnreadable
from reconciler.ledger.store import SqlLedger
from reconciler.ledger.tables import token
from reconciler.model import Connection
from reconciler.tokens.cipher import Cipher, generate_key, read_keys
from reconciler.tokens.store import SqlTokens
from tests.support.entries import NOW, grant

SECRET = "1//refresh-token-Ω-secret"
CREDENTIALS = {"refresh_token": SECRET, "scope": "calendar.events"}


def _key_file(folder: Path, name: str) -> Path:
    file = folder / name
    file.write_text(generate_key())
    return file


@pytest.fixture
def old_key(tmp_path: Path) -> Path:
    return _key_file(tmp_path, "old.key")


@pytest.fixture
def new_key(tmp_path: Path) -> Path:
    return _key_file(tmp_path, "new.key")


@pytest.fixture
def cipher(old_key: Path) -> Cipher:
    return read_keys([old_key])


@pytest.fixture
def tokens(ledger: SqlLedger, cipher: Cipher) -> SqlTokens:
    return SqlTokens(ledger.database, cipher)


@pytest.fixture
def ana(ledger: SqlLedger) -> Connection:
    return ledger.add_connection(grant("ana"), "test", "test", NOW)


@pytest.fixture
def ben(ledger: SqlLedger) -> Connection:
    return ledger.add_connection(grant("ben"), "test", "test", NOW)


def _stored(ledger: SqlLedger) -> dict[int, bytes]:
    with ledger.database.reading() as connection:
        return {row.connection_id: bytes(row.sealed) for row in connection.execute(token.select())}


def _tamper(ledger: SqlLedger, connection: Connection, sealed: bytes) -> None:
    with ledger.database.writing() as transaction:
        transaction.execute(
            token.update().where(token.c.connection_id == connection.id).values(sealed=sealed)
        )


def test_credentials_come_back_as_they_were_put(tokens: SqlTokens, ana: Connection) -> None:
    tokens.put(ana, CREDENTIALS)
    assert tokens.get(ana) == CREDENTIALS
    assert json.loads(json.dumps(tokens.get(ana))) == CREDENTIALS
    tokens.put(ana, {"refresh_token": "newer"})
    assert tokens.get(ana) == {"refresh_token": "newer"}


def test_what_was_never_put_or_is_removed_needs_a_new_connection(tokens: SqlTokens, ana: Connection) -> None:
    with pytest.raises(ReauthorizationNeeded):
        tokens.get(ana)
    tokens.put(ana, CREDENTIALS)
    tokens.remove(ana)
    tokens.remove(ana)
    with pytest.raises(ReauthorizationNeeded):
        tokens.get(ana)


def test_disconnecting_destroys_the_token_and_a_late_refresh_stores_none(
    ledger: SqlLedger, tokens: SqlTokens, ana: Connection
) -> None:
    tokens.put(ana, CREDENTIALS)
    ledger.disconnect("ana", "test", "test", NOW)
    assert _stored(ledger) == {}
    with pytest.raises(ReauthorizationNeeded, match="disconnected meanwhile"):
        tokens.put(ana, CREDENTIALS)
    assert _stored(ledger) == {}


def test_nothing_of_a_credential_is_readable_in_the_database(
    ledger: SqlLedger, tokens: SqlTokens, ana: Connection
) -> None:
    tokens.put(ana, CREDENTIALS)
    first = _stored(ledger)[ana.id]
    assert b"refresh" not in first
    tokens.put(ana, CREDENTIALS)
    assert _stored(ledger)[ana.id] != first


def test_a_row_moved_to_another_person_does_not_decrypt(
    ledger: SqlLedger, tokens: SqlTokens, ana: Connection, ben: Connection
) -> None:
    tokens.put(ana, CREDENTIALS)
    tokens.put(ben, {"refresh_token": "of ben"})
    _tamper(ledger, ben, _stored(ledger)[ana.id])
    with pytest.raises(StateUnreadable, match="altered, or belongs to another person"):
        tokens.get(ben)
    assert tokens.get(ana) == CREDENTIALS


@pytest.mark.parametrize("column", ["person", "provider", "subject"])
def test_a_connection_changed_under_its_token_does_not_decrypt(
    ledger: SqlLedger, tokens: SqlTokens, ana: Connection, column: str
) -> None:
    tokens.put(ana, CREDENTIALS)
    with ledger.database.writing() as transaction:
        transaction.execute(sa.text(f"UPDATE connection SET {column} = 'somebody'"))
    [moved] = ledger.connections()
    with pytest.raises(StateUnreadable, match="altered"):
        tokens.get(moved)


def test_no_byte_of_a_sealed_credential_can_be_altered_or_lost(
    ledger: SqlLedger, tokens: SqlTokens, ana: Connection
) -> None:
    tokens.put(ana, CREDENTIALS)
    sealed = _stored(ledger)[ana.id]
    altered = [sealed[:place] + bytes([byte ^ 1]) + sealed[place + 1 :] for place, byte in enumerate(sealed)]
    for damaged in [*altered, sealed[:-1], sealed[:15], b"", sealed + b"\0"]:
        _tamper(ledger, ana, damaged)
        with pytest.raises(StateUnreadable):
            tokens.get(ana)


def test_two_keys_are_valid_at_once_and_rotation_leaves_only_the_newest(
    ledger: SqlLedger, tokens: SqlTokens, ana: Connection, ben: Connection, old_key: Path, new_key: Path
) -> None:
    tokens.put(ana, CREDENTIALS)
    both = SqlTokens(ledger.database, read_keys([new_key, old_key]))
    both.put(ben, {"refresh_token": "of ben"})
    assert both.get(ana) == CREDENTIALS
    assert both.rotate() == 1
    assert both.rotate() == 0
    newest = SqlTokens(ledger.database, read_keys([new_key]))
    newest.check()
    assert newest.get(ana) == CREDENTIALS
    assert newest.get(ben) == {"refresh_token": "of ben"}
    with pytest.raises(ConfigurationError, match=rf"connection {ana.id} and 1 more are"):
        tokens.check()


def test_more_tokens_than_a_batch_are_all_rotated(
    ledger: SqlLedger, tokens: SqlTokens, old_key: Path, new_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.tokens.store._BATCH", 3)
    for number in range(7):
        connection = ledger.add_connection(grant(str(number)), "test", "test", NOW)
        tokens.put(connection, {"refresh_token": str(number)})
    assert SqlTokens(ledger.database, read_keys([new_key, old_key])).rotate() == 7
    newest = SqlTokens(ledger.database, read_keys([new_key]))
    found = [newest.get(connection)["refresh_token"] for connection in ledger.connections()]
    assert found == [str(number) for number in range(7)]


def test_with_the_wrong_key_the_start_is_refused_and_the_state_untouched(
    ledger: SqlLedger, tokens: SqlTokens, ana: Connection, new_key: Path
) -> None:
    tokens.put(ana, CREDENTIALS)
    before = _stored(ledger)
    wrong = SqlTokens(ledger.database, read_keys([new_key]))
    for attempt in (wrong.check, wrong.rotate):
        with pytest.raises(ConfigurationError, match=r"is missing.*nothing was changed"):
            attempt()
    with pytest.raises(StateUnreadable, match=r"which no key file holds.*nothing was changed"):
        wrong.get(ana)
    assert _stored(ledger) == before
    tokens.check()
    assert tokens.get(ana) == CREDENTIALS


def test_a_rotation_that_lacks_a_key_changes_not_even_what_it_could(
    ledger: SqlLedger,
    tokens: SqlTokens,
    ana: Connection,
    ben: Connection,
    old_key: Path,
    new_key: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reconciler.tokens.store._BATCH", 1)
    tokens.put(ana, CREDENTIALS)
    SqlTokens(ledger.database, read_keys([_key_file(tmp_path, "lost.key")])).put(ben, CREDENTIALS)
    before = _stored(ledger)
    with pytest.raises(ConfigurationError, match="is missing"):
        SqlTokens(ledger.database, read_keys([new_key, old_key])).rotate()
    assert _stored(ledger) == before


def test_an_empty_store_is_content_with_any_key(tokens: SqlTokens) -> None:
    tokens.check()
    assert tokens.rotate() == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("", "holds 0 bytes"),
        ("c2hvcnQ=", "holds 5 bytes"),
        ("A" * 88, "holds 66 bytes"),
        ("not base64 at all!", "is not base64"),
        ("\udcff\udcfe", "is not base64"),
    ],
)
def test_a_key_file_that_is_none_is_a_mistake_in_the_configuration(
    tmp_path: Path, old_key: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "broken.key"
    if content is not None:
        file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=why) as refused:
        read_keys([old_key, file])
    assert str(file) in refused.value.problems[0]
    assert content is None or content == "" or content not in str(refused.value)


def test_without_any_key_there_is_no_start() -> None:
    with pytest.raises(ConfigurationError, match="at least one is needed"):
        read_keys([])


def test_two_keys_are_never_alike() -> None:
    assert generate_key() != generate_key()


def _everything_printed(things: list[object], failures: list[BaseException]) -> Iterator[str]:
    for thing in things:
        yield repr(thing)
        yield str(thing)
        yield f"{thing}"
    for failure in failures:
        yield "".join(traceback.format_exception(failure))


def test_no_secret_shows_in_repr_log_or_traceback(
    ledger: SqlLedger,
    tokens: SqlTokens,
    cipher: Cipher,
    ana: Connection,
    old_key: Path,
    new_key: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens.put(ana, CREDENTIALS)
    credentials = tokens.get(ana)
    failures: list[BaseException] = []
    for refusing in (SqlTokens(ledger.database, read_keys([new_key])), tokens):
        try:
            refusing.get(ana)
        except StateUnreadable as refused:
            failures.append(refused)
        _tamper(ledger, ana, _stored(ledger)[ana.id][:-1])
    assert len(failures) == 2
    printed = list(_everything_printed([credentials, tokens, cipher, ledger.database], failures))
    for text in [*printed, caplog.text]:
        assert SECRET not in text
        assert old_key.read_text().strip() not in text
