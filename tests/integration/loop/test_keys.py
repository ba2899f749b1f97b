"""The keys the tokens are encrypted with: none, another one, a new one."""

from __future__ import annotations

import base64

from reconciler.tokens.cipher import generate_key, key_id
from tests.support.house import MONDAY, HouseBed


def test_without_a_key_nothing_starts_and_every_reason_is_told(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.close()
    (house.folder / "token-key").unlink()
    for verb in ("run", "once", "plan", "export"):
        said = house.cli(verb, *(["ana"] if verb == "export" else []))
        assert said.exit_code == 78
        assert "tokens.key_files" in said.stderr
        assert "token-key" in said.stderr


def test_with_another_key_nothing_starts_and_nothing_is_touched(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    house.close()
    file, before = house.folder / "token-key", (house.folder / "state.db").read_bytes()
    good = file.read_text()
    file.write_text(generate_key())
    for verb in ("run", "web", "once", "plan"):
        said = house.cli(verb)
        assert said.exit_code == 78, verb
        missing = key_id(base64.b64decode(good)).hex()
        assert f"tokens.key_files: the key {missing} is missing" in said.stderr
        assert "Put the key file it was encrypted with back" in said.stderr
    assert (house.folder / "state.db").read_bytes() == before
    assert house.calls() == {}
    file.write_text(good)
    assert house.cli("once", *house.at()).exit_code == 0


def test_keys_are_rotated_while_both_are_there_and_then_the_old_one_can_go(
    house: HouseBed, vendor: str
) -> None:
    house.newcomer("ana", vendor, house.lms.add_session(MONDAY))
    house.newcomer("ben", vendor)
    (house.folder / "token-key-2").write_text(generate_key())
    (house.folder / "token-key-2").chmod(0o600)
    house.configure(tokens={"key_files": ["token-key-2", "token-key"]})
    house.once()
    rotated = house.cli("keys", "rotate")
    assert rotated.exit_code == 0
    assert "older key files can go" in rotated.stdout
    assert house.cli("keys", "rotate").stdout.startswith("0 tokens")
    assert house.house.ledger.audit_log(1)[0].what == "keys rotated"

    house.configure(tokens={"key_files": ["token-key-2"]})
    assert house.audit().result == "success"
    assert len(house.seen("ana")) == 1


def test_a_file_without_a_key_is_found_before_anything_is_started(house: HouseBed) -> None:
    (house.folder / "token-key").write_text("no key at all!")
    for asked in ((), ("--online",)):
        said = house.cli("check-config", *asked)
        assert said.exit_code == 78
        file = house.folder / "token-key"
        assert said.stderr == f"tokens.key_files: {file} is not base64; `reconciler new-key` makes a key\n"


def test_a_rotation_that_lacks_the_old_key_says_so_and_changes_nothing(house: HouseBed) -> None:
    house.newcomer("ana", "google", house.lms.add_session(MONDAY))
    (house.folder / "token-key-2").write_text(generate_key())
    (house.folder / "token-key-2").chmod(0o600)
    house.configure(tokens={"key_files": ["token-key-2"]})
    said = house.cli("keys", "rotate")
    assert said.exit_code == 78
    assert "nothing was changed" in said.stderr
    house.configure(tokens={"key_files": ["token-key"]})
    assert house.once()[0].result == "success"
