"""What the documentation names is there: commands, make's targets, settings, files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from reconciler.cli import main
from reconciler.lms.reference_tables import COLUMNS
from reconciler.settings.databases import Retention

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
]
TEXTS = {str(page.relative_to(ROOT)): page.read_text("utf-8") for page in PAGES}
SCHEMA: dict[str, Any] = json.loads((ROOT / "config/reconciler.schema.json").read_text("utf-8"))
every_page = pytest.mark.parametrize("page", TEXTS)


def code(text: str) -> list[str]:
    """What stands in a page as code, a piece a line or between back-ticks."""
    prose = re.sub(
        r"```\w*\n(.*?)```", lambda found: re.sub("^", "    ", found[1], flags=re.M), text, flags=re.S
    )
    return re.findall(r"`([^`\n]+)`", prose) + re.findall(r"^    (.*)$", prose, re.M)


def commands(text: str) -> list[list[str]]:
    """Each ``reconciler ...`` in it, as words up to the first that is no command."""
    found = [
        re.match(r"(?:\$ |\.venv/bin/)*reconciler ((?:[a-z-]+ ?)+)", piece.strip()) for piece in code(text)
    ]
    return [match[1].split() for match in found if match]


def missing_command(words: list[str]) -> str | None:
    command: click.Command = main
    for word in words:
        if not isinstance(command, click.Group):
            return None  # the rest are its arguments
        known = command.commands.get(word)
        if known is None:
            return " ".join(words)
        command = known
    return None


def test_commands_are_recognised_in_the_pages() -> None:
    assert ["plan"] in commands(TEXTS["README.md"])
    assert ["connection", "add"] in commands(TEXTS["README.md"])
    assert missing_command(["plan"]) is None
    assert missing_command(["account", "burn"]) == "account burn"


@every_page
def test_every_command_named_exists(page: str) -> None:
    assert [words for words in commands(TEXTS[page]) if missing_command(words)] == []


def missing_options(line: str) -> list[str]:
    """Options of ``reconciler ...`` in a line of code that its command does not have."""
    command: click.Command = main
    missing = []
    for word in line.partition("#")[0].split():
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
        known = {"-h", "--help", *(name for one in command.params for name in one.opts)}
        if re.match("--?[a-z]", word) and word not in known:
            missing.append(f"{command.name} {word}")
    return missing


def test_an_option_that_no_command_has_is_noticed() -> None:
    assert missing_options("account set acme --unregister report") == []
    assert missing_options("-c FILE plan --format json  # --nothing") == []
    assert missing_options("account set acme --burn") == ["set --burn"]


@every_page
def test_every_option_named_exists(page: str) -> None:
    lines = [
        re.search(r"(?:^|[;&] )(?:\$ )?reconciler ([a-z-][^|;&)>]*)", piece) for piece in code(TEXTS[page])
    ]
    assert [name for found in lines if found for name in missing_options(found[1])] == []


@every_page
def test_every_target_of_make_named_exists(page: str) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = {
        target for piece in code(TEXTS[page]) for target in re.findall(r"^make ([a-z-]+)", piece.strip())
    }
    assert named <= known


def referred(place: dict[str, Any]) -> dict[str, Any]:
    """What a reference within the schema stands for; anything else is itself."""
    name = place.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = SCHEMA["$defs"][name] if name else place
    return found


def setting(path: list[str]) -> bool:
    """Whether the schema of the settings has a key at this path."""
    place = SCHEMA
    for name in path:
        options = [place, *place.get("anyOf", []), *place.get("allOf", [])]
        followed = [
            SCHEMA["$defs"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in options
        ]
        inner = [one["properties"][name] for one in followed if name in one.get("properties", {})]
        if not inner:
            return False
        place = inner[0]
    return True


def settings_named(text: str) -> list[list[str]]:
    """Code that reads like a key of the settings, alone or with a value, from a section of theirs on."""
    found = [re.match(r"(?!\w+\.py$)([a-z_]+(?:\.[a-z_]+)*)(?=:|$)", piece) for piece in code(text)]
    paths = [match[1].split(".") for match in found if match]
    return [path for path in paths if path[0] in SCHEMA["properties"]]


def test_settings_are_recognised_in_the_pages() -> None:
    named = settings_named(TEXTS["docs/configuration.md"])
    assert ["tokens", "key_files"] in named
    assert ["mode"] in named
    assert not setting(["tokens", "key_fields"])


@every_page
def test_every_setting_named_exists(page: str) -> None:
    assert [path for path in settings_named(TEXTS[page]) if not setting(path)] == []


@every_page
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", TEXTS[page])
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_the_index_of_the_documentation_names_every_page() -> None:
    names = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in names if f"({name})" not in TEXTS["docs/README.md"]} == set()


def test_every_file_and_folder_named_in_the_front_page_is_there() -> None:
    named = re.findall(r"`((?:\w+/)+)`", TEXTS["README.md"])
    assert named
    assert [name for name in named if not (ROOT / name).is_dir()] == []


@every_page
def test_every_line_that_is_a_command_stands_as_code(page: str) -> None:
    prose = re.sub(r"```.*?```", "", TEXTS[page], flags=re.S)
    typed = (
        r"^(?:reconciler [a-z-]+ {2,}#|reconciler [a-z-]+(?: [A-Z-]+)*$|(?:systemctl|journalctl) [a-z-]).*"
    )
    assert re.findall(typed, prose, re.M) == []


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the rows of the table whose first line begins so."""
    lines = TEXTS[page][TEXTS[page].index(f"\n| {heading}") :].strip().splitlines()
    cut = next((place for place, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:cut]]


def test_the_views_that_an_lms_needs_have_the_columns_that_are_read() -> None:
    told = {
        view: tuple(re.findall(r"`(\w+)`(?!\w| if| \()", re.sub(r"\([^)]*\)", "", columns)))
        for view, columns in rows("docs/own-lms.md", "view")
    }
    assert told == COLUMNS


def test_every_text_that_is_mailed_is_told_of_with_what_it_knows() -> None:
    texts = {path.name for path in (ROOT / "reconciler/mail/templates/en").glob("*.txt")}
    told = {
        name: set(re.findall(r"`(\w+)`", known))
        for names, _when, known in rows("docs/mail.md", "text")
        for name in re.findall(r"`([\w-]+\.txt)`", names)
    }
    assert told.keys() == texts


def test_what_is_kept_of_a_person_is_kept_as_long_as_it_says() -> None:
    told = re.findall(r"`state\.retention\.(\w+)` \((\d+) days?\)", TEXTS["docs/personal-records.md"])
    told += re.findall(r"`state\.retention\.(\w+)` \((\d+)\)", TEXTS["docs/personal-records.md"])
    assert len(told) >= 5
    retention = Retention()
    assert [(name, getattr(retention, name).days) for name, _ in told] == [
        (name, int(days)) for name, days in told
    ]


def test_the_keys_that_have_to_be_there_are_those_without_a_default() -> None:
    told = re.search(r"What has to be there: (.*?)and a section", TEXTS["docs/configuration.md"], re.S)
    assert told
    required = {
        f"{section}.{name}"
        for section in SCHEMA["required"]
        for name in referred(SCHEMA["properties"][section]["anyOf"][0])["required"]
    }
    assert set(re.findall(r"`([\w.]+)`", told[1])) == required
