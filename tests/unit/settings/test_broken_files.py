"""What the loader says about files that are wrong: each with its line and its path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from reconciler.errors import ConfigurationError
from reconciler.settings import load

Write = Callable[[str | bytes], Path]


def problems(path: Path) -> list[str]:
    """What is wrong, without the folder's name."""
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    return [problem.replace(f"{path.parent}/", "") for problem in raised.value.problems]


TABLE = yaml.safe_load(Path(__file__).with_name("broken.yaml").read_text())


@pytest.mark.parametrize("case", TABLE, ids=[case["name"] for case in TABLE])
def test_a_broken_file_is_refused_with_one_sentence_and_its_line(
    configuration: Write, minimal: str, case: dict[str, str]
) -> None:
    text = case.get("file", minimal + case.get("add", ""))
    assert problems(configuration(text)) == [f"reconciler.yaml:{case['says']}"]


def test_another_encoding_is_refused(configuration: Write) -> None:
    path = configuration("mode: sync\nlms:\n  url: Zürich\n".encode("latin-1"))
    assert problems(path) == ["reconciler.yaml:3: not UTF-8: save the file in that encoding"]


def test_a_control_character_is_refused(configuration: Write) -> None:
    path = configuration("mode: sync\nlms: \x07\n")
    assert problems(path) == ["reconciler.yaml:2: the character U+0007 is not allowed in YAML"]


def test_every_problem_is_told_at_once_in_the_order_of_the_file(configuration: Write) -> None:
    path = configuration(
        "installation: {id: acme, nmae: x}\n"
        "lms:\n"
        "  adapter: reference\n"
        "  url: postgresql://u:hunter2@h/lms\n"
        "  url: sqlite:///lms.db\n"
        "intervals:\n"
        "  push: 0s\n"
        "  audit: {soon: 15}\n"
        "mode: observer\n"
    )
    assert problems(path) == [
        "reconciler.yaml:1: installation.nmae: unknown key",
        "reconciler.yaml:1: tokens: is required",
        "reconciler.yaml:4: lms.url: must not contain a password: "
        "put it in the file that password_file names",
        "reconciler.yaml:5: lms.url: given twice (first in line 4)",
        "reconciler.yaml:7: intervals.push: must be longer than 0",
        "reconciler.yaml:8: intervals.audit.soon: must be a duration such as 90s, 15m, 6h or 2d, "
        "not the number 15",
        'reconciler.yaml:9: mode: must be one of sync, upsert-only, observe, not the text "observer"; '
        'did you mean "observe"?',
    ]


def test_a_password_where_it_must_not_be_is_never_repeated(minimal: str, configuration: Write) -> None:
    path = configuration(minimal.replace("sqlite:///lms.db", "mysql://u:hunter2@h/lms"))
    assert "hunter2" not in "\n".join(problems(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml") == ["none.yaml: cannot be read: No such file or directory"]


def test_an_empty_secret_is_refused(folder: Path, minimal: str, configuration: Write) -> None:
    (folder / "token-key").write_text("\n")
    path = configuration(minimal)
    assert problems(path) == ["reconciler.yaml:6: tokens.key_files[0]: the file token-key is empty"]


def test_a_secret_that_is_no_text_is_refused(folder: Path, minimal: str, configuration: Write) -> None:
    (folder / "token-key").write_bytes(b"\xff\xfe")
    path = configuration(minimal)
    assert problems(path) == ["reconciler.yaml:6: tokens.key_files[0]: the file token-key is not UTF-8 text"]


def test_a_secret_that_everybody_may_read_is_refused(
    folder: Path, minimal: str, configuration: Write
) -> None:
    (folder / "token-key").chmod(0o644)
    path = configuration(minimal)
    sentence = "everybody may read token-key (mode 0644): chmod 600 it"
    assert problems(path) == [f"reconciler.yaml:6: tokens.key_files[0]: {sentence}"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_secret_of_somebody_else_is_refused(folder: Path, minimal: str, configuration: Write) -> None:
    os.chown(folder / "token-key", 4711, -1)
    sentence = "token-key belongs to user 4711, who can change it: chown it to root or to user 0"
    assert problems(configuration(minimal)) == [f"reconciler.yaml:6: tokens.key_files[0]: {sentence}"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_secret_that_we_may_not_read_is_refused(folder: Path, minimal: str, configuration: Write) -> None:
    (folder / "token-key").chmod(0o000)
    path = configuration(minimal)
    sentence = "the file token-key cannot be read: Permission denied"
    assert problems(path) == [f"reconciler.yaml:6: tokens.key_files[0]: {sentence}"]


def test_deep_nesting_is_refused_without_a_crash(configuration: Write) -> None:
    assert problems(configuration("[" * 1100 + "]" * 1100)) == ["reconciler.yaml:1: nested too deeply"]
