"""What is wrong with files, secrets and databases is said in a sentence, with an exit code to act on."""

from __future__ import annotations

import socket

import pytest
import sqlalchemy as sa

from tests.support.house import MONDAY, HouseBed

VERBS = (["once"], ["plan"], ["status"], ["explain", "ana"], ["check-config"], ["account", "list"], ["run"])


@pytest.fixture
def acme(house: HouseBed) -> HouseBed:
    """Ana has an event."""
    house.newcomer("ana", "google", house.lms.add_session(MONDAY, title="Safety"))
    house.once()
    house.count_anew()
    house.close()
    return house


@pytest.fixture
def closed_port() -> int:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def nothing_happened(house: HouseBed) -> bool:
    """But a look at what a vendor publishes for everybody."""
    return house.titles("ana") == ["Safety"] and house.calls().keys() <= {"certs"}


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_refuses_a_bad_file_and_says_where_it_is_bad(acme: HouseBed, verb: list[str]) -> None:
    with acme.config.open("a") as file:
        file.write("inervals: {push: 1m}\nlms:\n  adapter: moodel\n")
    refused = acme.cli(*verb)
    assert (refused.exit_code, refused.stdout) == (78, "")
    assert 'inervals: unknown key; did you mean "intervals"?' in refused.stderr
    assert "lms: given twice" in refused.stderr
    assert all(line.startswith(f"{acme.config}:") for line in refused.stderr.splitlines())
    assert nothing_happened(acme)


def test_what_is_no_yaml_is_refused(acme: HouseBed) -> None:
    acme.config.write_text("installation: {id: [\n")
    refused = acme.cli("once")
    assert refused.exit_code == 78
    assert "not valid YAML" in refused.stderr


def test_a_missing_secret_is_refused_and_named(acme: HouseBed) -> None:
    (acme.folder / "google-secret").unlink()
    refused = acme.cli("once")
    assert refused.exit_code == 78
    assert "providers.google.client_secret_file" in refused.stderr
    assert "google-secret" in refused.stderr


def test_a_key_that_is_no_key_is_refused_and_not_repeated(acme: HouseBed) -> None:
    (acme.folder / "token-key").write_text("hunter2")
    refused = acme.cli("once")
    assert refused.exit_code == 78
    assert "token-key" in refused.stderr
    assert "hunter2" not in refused.stderr
    assert nothing_happened(acme)


def test_a_state_database_nobody_serves_stops_everything_before_a_vendor_is_called(
    acme: HouseBed, closed_port: int
) -> None:
    acme.configure(state={"url": f"postgresql://reconciler@127.0.0.1:{closed_port}/state"})
    for verb in ("once", "plan", "status"):
        refused = acme.cli(verb)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "The state database" in refused.stderr
        assert f"(postgresql://127.0.0.1:{closed_port}/state)" in refused.stderr
    assert nothing_happened(acme)


def test_no_state_database_and_how_to_begin_one_is_said(acme: HouseBed) -> None:
    acme.configure(state={"url": "sqlite:///none.db"})
    refused = acme.cli("once")
    assert refused.exit_code == 78
    assert "There is no state database" in refused.stderr
    assert "schema upgrade" in refused.stderr
    assert not (acme.folder / "none.db").exists()
    assert nothing_happened(acme)


def test_a_state_database_of_a_newer_program_is_left_alone(acme: HouseBed) -> None:
    engine = sa.create_engine(f"sqlite:///{acme.folder}/state.db", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    for verb in (["once"], ["schema", "upgrade"]):
        refused = acme.cli(*verb)
        assert refused.exit_code == 78
        assert "newer program" in refused.stderr
    assert nothing_happened(acme)


def test_a_state_database_without_schema_gets_one_from_the_verb_that_is_named(acme: HouseBed) -> None:
    acme.configure(state={"url": "sqlite:///new.db"})
    (acme.folder / "new.db").touch()
    refused = acme.cli("once")
    assert refused.exit_code == 78
    assert "reconciler schema upgrade" in refused.stderr
    assert acme.cli("schema", "upgrade").exit_code == 0
    assert acme.cli("once", *acme.at()).exit_code == 0


def test_an_lms_nobody_serves_ends_the_cycle_and_leaves_the_calendars_as_they_are(
    acme: HouseBed, closed_port: int
) -> None:
    acme.configure(lms={"url": f"postgresql://reader@127.0.0.1:{closed_port}/lms"})
    refused = acme.cli("once", *acme.at())
    assert refused.exit_code == 1
    assert "push: ended, nothing concluded" in refused.stdout
    assert acme.cli("plan", *acme.at()).exit_code == 1
    assert acme.cli("check-config").exit_code == 0
    assert acme.cli("check-config", "--online").exit_code in (1, 78)
    assert nothing_happened(acme)
    status = acme.cli("status")
    assert status.exit_code == 1
    assert "error" in status.stdout


def test_an_lms_without_its_tables_is_told_so_and_given_them(acme: HouseBed) -> None:
    acme.configure(lms={"url": "sqlite:///empty.db"})
    (acme.folder / "empty.db").touch()
    checked = acme.cli("check-config", "--online")
    assert checked.exit_code == 78
    assert "lms: " in checked.stderr
    assert acme.cli("once", *acme.at()).exit_code == 1
    assert acme.cli("schema", "create").exit_code == 0
    assert acme.cli("check-config", "--online").exit_code == 0
    assert nothing_happened(acme)


def test_tables_are_created_neither_in_a_moodle_nor_where_nobody_may(
    acme: HouseBed, closed_port: int
) -> None:
    acme.configure(lms={"url": "sqlite:///empty.db", "adapter": "moodle"})
    (acme.folder / "empty.db").touch()
    refused = acme.cli("schema", "create")
    assert (refused.exit_code, refused.stderr) == (
        78,
        "lms.adapter: moodle has its own tables; these are for reference\n",
    )
    assert (acme.folder / "empty.db").stat().st_size == 0
    acme.configure(lms={"url": f"postgresql://reader@127.0.0.1:{closed_port}/lms", "adapter": "reference"})
    away = acme.cli("schema", "create")
    assert away.exit_code == 1
    assert away.stderr.startswith("Failed: the tables could not be created: ")
    assert f"(postgresql://127.0.0.1:{closed_port}/lms). Is it there, and may the login" in away.stderr


def test_a_vendor_that_is_not_configured_is_refused_where_it_is_named(acme: HouseBed) -> None:
    acme.configure(providers={"microsoft": None})
    refused = acme.cli("once")
    assert refused.exit_code == 78
    assert "microsoft is not configured under providers" in refused.stderr


def test_whoever_is_connected_to_a_vendor_that_was_taken_out_is_left_alone(acme: HouseBed) -> None:
    acme.newcomer("ben", "microsoft", acme.lms.add_session(MONDAY, title="First aid"))
    acme.once()
    acme.configure(accounts={"defaults": {"vendors": ["google"]}}, providers={"microsoft": None})
    acme.lms.change("session-1", title="Safety for all")
    acme.lms.change("session-2", title="Not to be seen")
    done = acme.cli("once", *acme.at())
    assert done.exit_code == 0, done.stdout
    assert acme.titles("ana") == ["Safety for all"]
    assert acme.titles("ben") == ["First aid"]
    assert acme.cli("plan", *acme.at()).exit_code == 0
    assert "microsoft is not configured" in acme.explained("ben")
