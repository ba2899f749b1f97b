"""What a file that is right becomes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from reconciler.model import Mode
from reconciler.settings import Listen, UnregisterMode, Visibility, load, needs_restart

Write = Callable[[str | bytes], Path]


def test_the_smallest_file_gets_every_default(configuration: Write, minimal: str) -> None:
    settings = load(configuration(minimal))
    assert settings.mode is Mode.SYNC
    assert settings.visibility is Visibility.DEFAULT
    assert settings.intervals.push == timedelta(minutes=1)
    assert settings.intervals.audit.later == timedelta(hours=24)
    assert settings.deletes.max_vanished_share == 0.3
    assert settings.unregister.grace_near == timedelta(minutes=10)
    assert settings.ops.listen == Listen("127.0.0.1", 9464)
    assert settings.providers.google is None
    assert settings.state.database.drivername == "sqlite"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("6h", timedelta(hours=6)),
        ("2d", timedelta(days=2)),
    ],
)
def test_durations_are_a_number_and_a_unit(
    configuration: Write, minimal: str, text: str, length: timedelta
) -> None:
    assert load(configuration(minimal + f"intervals: {{push: {text}}}\n")).intervals.push == length


def test_relative_paths_start_at_the_files_folder(configuration: Write, minimal: str, folder: Path) -> None:
    settings = load(configuration(minimal + "state: {url: 'sqlite:///state.db', witness_file: witness}\n"))
    assert settings.lms.database.database == str(folder / "lms.db")
    assert settings.state.database.database == str(folder / "state.db")
    assert settings.state.witness_file == folder / "witness"


def test_a_relative_secret_is_a_systemd_credential_where_there_are_some(
    configuration: Write, minimal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "token-key").write_text("from systemd")  # mode 0644: systemd guards the folder
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert load(configuration(minimal)).tokens.key_files[0].text == "from systemd"


def test_a_secret_loses_its_last_line_break_only(configuration: Write, minimal: str, folder: Path) -> None:
    (folder / "token-key").write_text(" a\nb \r\n")
    assert load(configuration(minimal)).tokens.key_files[0].text == " a\nb "


def test_no_secret_shows_when_settings_are_printed(configuration: Write, minimal: str) -> None:
    text = minimal.replace("url: sqlite:///lms.db", "url: mysql://u@h/lms\n  password_file: lms-password")
    settings = load(configuration(text))
    assert settings.lms.database.password == "secret of lms-password"
    assert "secret of" not in f"{settings!r} {settings} {settings.lms.database}"


@pytest.mark.parametrize(
    ("given", "driver"),
    [("postgresql", "postgresql+psycopg"), ("mysql", "mysql+pymysql"), ("mariadb", "mariadb+pymysql")],
)
def test_databases_are_reached_through_our_drivers(
    configuration: Write, minimal: str, given: str, driver: str
) -> None:
    settings = load(configuration(minimal.replace("sqlite:///lms.db", f"{given}://u@h:1/lms")))
    assert settings.lms.database.render_as_string() == f"{driver}://u@h:1/lms"


def test_settings_cannot_be_changed(configuration: Write, minimal: str) -> None:
    settings = load(configuration(minimal))
    with pytest.raises(ValidationError, match="frozen"):
        settings.mode = Mode.OBSERVE


def test_on_and_yes_are_words_and_quoted_words_stay_words(configuration: Write, minimal: str) -> None:
    text = "accounts: {each: {on: {mode: observe}, 'true': {mode: observe}, 012: {mode: observe}}}\n"
    assert set(load(configuration(minimal + text)).accounts.each) == {"on", "true", "012"}


def test_a_byte_order_mark_is_no_problem(configuration: Write, minimal: str) -> None:
    assert load(configuration(b"\xef\xbb\xbf" + minimal.encode())).installation.id == "acme"


def test_an_account_begins_with_its_own_values_and_the_defaults_for_the_rest(
    configuration: Write, minimal: str
) -> None:
    accounts = load(
        configuration(
            minimal
            + """
providers: {google: {client_id: x, client_secret_file: google-client-secret}}
accounts:
  defaults: {vendors: [google], mode: upsert-only, unregister_mode: ask}
  each:
    pilot: {mode: observe, people: ["7", "8"]}
    quiet: {email_notifications: false}
"""
        )
    ).accounts
    pilot, quiet, other = (accounts.switches(name) for name in ("pilot", "quiet", "other"))
    assert (pilot.vendors, pilot.mode, pilot.people) == ({"google"}, Mode.OBSERVE, {"7", "8"})
    assert (quiet.email_notifications, quiet.mode) == (False, Mode.UPSERT_ONLY)
    assert (other.account, other.people, other.email_notifications) == ("other", None, True)
    assert accounts.first_values("pilot").unregister_mode is UnregisterMode.ASK


def test_of_two_unregister_modes_the_stricter_does_less() -> None:
    assert UnregisterMode.APPLY.stricter(UnregisterMode.REPORT) is UnregisterMode.REPORT
    assert UnregisterMode.NEVER.stricter(UnregisterMode.ASK) is UnregisterMode.NEVER


def test_what_a_reload_cannot_change_is_named(configuration: Write, minimal: str) -> None:
    old = load(configuration(minimal))
    changed = minimal.replace("acme", "other") + "mode: observe\nops: {listen: 127.0.0.1:9999}\n"
    assert needs_restart(old, load(configuration(changed))) == ("installation.id", "ops.listen")


def test_what_a_reload_can_change_needs_no_restart(configuration: Write, minimal: str, folder: Path) -> None:
    old = load(configuration(minimal))
    changed = minimal.replace("[token-key]", "[token-key-2, token-key]")
    changed += "mode: observe\nintervals: {push: 2m}\nunregister: {mode: never}\n"
    changed += "providers: {google: {client_id: x, client_secret_file: google-client-secret}}\n"
    assert needs_restart(old, load(configuration(changed))) == ()


@pytest.mark.parametrize("listen", ["127.0.0.1:9464", "[::1]:9464"])
def test_an_address_to_listen_on_reads_as_it_is_written(
    configuration: Write, minimal: str, listen: str
) -> None:
    assert str(load(configuration(minimal + f"ops: {{listen: '{listen}'}}\n")).ops.listen) == listen
