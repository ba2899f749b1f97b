"""The settings' own descriptions as an annotated example file and as a JSON Schema for editors.

``python -m reconciler.settings.example config`` writes both into that folder.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from reconciler.settings.sections import Settings
from reconciler.settings.values import Section, sections_in

_TITLE = """\
# yaml-language-server: $schema=reconciler.schema.json
#
# Everything the reconciler can be told, with what holds where nothing is said.
#
# A key behind a # (without a space) shows its default, or an example where it has none. Keys without
# one are required. Durations are written 90s, 15m, 6h, 2d. Secrets are never in this
# file: a ..._file names the file that holds one, or a systemd credential (LoadCredential=). Other
# relative paths start at this file's folder. After a change: reconciler check-config, then reload
# (SIGHUP); what says "Needs a restart" is refused on reload.
"""


def example() -> str:
    """The example file. It loads as it is, and with whatever is uncommented in it without contradiction."""
    return _TITLE + "\n".join(_section(Settings, 0))


def schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of the file, for completion and checks in editors."""
    described = Settings.model_json_schema()
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    described["title"] = "Settings of the ILT calendar reconciler"
    for part in (described, *described.get("$defs", {}).values()):
        part["properties"] = {name: _nullable(value) for name, value in part.get("properties", {}).items()}
    return described


def _nullable(value: dict[str, Any]) -> dict[str, Any]:
    """A section's header may stand there with nothing beneath it."""
    if "$ref" not in value:
        return value
    reference = value.pop("$ref")
    return {"anyOf": [{"$ref": reference}, {"type": "null"}], **value}


def write(folder: Path) -> None:
    """Write both files into ``folder``."""
    (folder / "reconciler.example.yaml").write_text(example(), "utf-8")
    (folder / "reconciler.schema.json").write_text(json.dumps(schema(), indent=2) + "\n", "utf-8")


def _section(model: type[Section], depth: int) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = sections_in(field.annotation)
        yield from [""] * (depth < 1)
        yield from _comment(field.description or "", depth)
        if inner and not field.examples:
            optional = type(None) in getattr(field.annotation, "__args__", ())
            lines = [_indent(depth) + f"{name}:", *_section(inner.pop(), depth + 1)]
            yield from (_commented(line) for line in lines) if optional else lines
        else:
            yield _key(name, field, depth)
    yield from [""] * (depth < 1)


def _key(name: str, field: FieldInfo, depth: int) -> str:
    value = _written((field.examples or [None])[0])
    line = f"{_indent(depth)}{name}: {value}"
    return line if field.is_required() else _commented(line)


def _commented(line: str) -> str:
    bare = line.lstrip()
    return line if bare.startswith("#") else f"{line[: len(line) - len(bare)]}#{bare}"


def _comment(text: str, depth: int) -> Iterator[str]:
    return (_indent(depth) + f"# {line}" for line in textwrap.wrap(text, 100 - 2 * depth))


def _indent(depth: int) -> str:
    return "  " * depth


def _written(value: Any) -> str:
    """A value in YAML's flow style, on one line."""
    text = yaml.safe_dump(_simple(value), default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip()


def _simple(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {name: _simple(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_simple(inner) for inner in (sorted(value) if isinstance(value, frozenset) else value)]
    return value


if __name__ == "__main__":
    write(Path(sys.argv[1]))
