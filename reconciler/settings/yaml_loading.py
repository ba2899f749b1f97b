"""A YAML file as plain values, with the line of everything in it.

A stricter reading than PyYAML's own: booleans as in YAML 1.2 (``true`` and ``false``; ``on`` and ``yes``
are words), no dates, no base-60 numbers, no repeated keys, no tags, anchors or aliases, UTF-8 only.
https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.errors import ConfigurationError

Place = tuple[str | int, ...]
"""Where something is: keys and list indexes from the top."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,2})?")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass
class Document:
    """A file's values, the line (from 1) at which each of them stands, and what is wrong with its form."""

    name: str
    values: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a key, or of the nearest thing around it that is in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read(path: Path) -> Document:
    """Read a file. Raises :class:`~reconciler.errors.ConfigurationError` when it is unreadable, not UTF-8 or
    not YAML; what could be read around is listed in ``problems``."""
    document = Document(str(path))
    node = _compose(path)
    if node is not None:
        document.lines[()] = _line(node)
        document.values = _plain(node, (), document)
    return document


def _compose(path: Path) -> Node | None:
    text = _text(path)
    try:
        _refuse_extras(path, text)
        node: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError([_syntax(path, error)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError(
            [f"{path}:{line}: the character U+{ord(text[error.position]):04X} is not allowed in YAML"]
        ) from error
    except RecursionError as error:
        raise ConfigurationError([f"{path}:1: nested too deeply"]) from error
    return node


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError([f"{path}:{line}: not UTF-8: save the file in that encoding"]) from error


def _refuse_extras(path: Path, text: str) -> None:
    """Anchors, aliases and tags: what they save is little, what they hide is much. And half characters."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ConfigurationError([f"{path}:{line}: anchors and aliases (& and *) are not supported"])
        if tag := getattr(event, "tag", None):
            raise ConfigurationError([f"{path}:{line}: tags ({tag}) are not supported"])
        if re.search("[\ud800-\udfff]", getattr(event, "value", "")):
            raise ConfigurationError([f"{path}:{line}: half a surrogate pair is no character"])


def _syntax(path: Path, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = error.problem or "cannot be understood"
    if "'\\t'" in problem:
        problem = "a tab; only spaces may indent"
    elif "single document" in (error.context or ""):
        problem = "a second document begins; one is expected"
    elif error.context:
        problem = f"{problem} ({error.context})"
    return f"{path}:{line}: not valid YAML: {problem}"


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _plain(node: Node, place: Place, document: Document) -> Any:
    if isinstance(node, MappingNode):
        return _mapping(node, place, document)
    if isinstance(node, SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            document.lines[(*place, index)] = _line(item)
            items.append(_plain(item, (*place, index), document))
        return items
    return _scalar(node)


def _mapping(node: MappingNode, place: Place, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = _line(key_node)
        if not isinstance(key_node, ScalarNode):
            document.problems.append((line, f"{dotted(place)}: a key must be a word"))
            continue
        key = key_node.value
        here = (*place, key)
        if key in values:
            first = document.lines[here]
            document.problems.append((line, f"{dotted(here)}: given twice (first in line {first})"))
            continue
        document.lines[here] = line
        values[key] = _plain(value_node, here, document)
    return values


def _scalar(node: Node) -> str | int | float | bool | None:
    text: str = node.value
    if getattr(node, "style", None) is not None:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def dotted(place: Place) -> str:
    """``providers.google.quota``; ``tokens.key_files[0]``; the whole file is called so."""
    path = ""
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f"{'.' if path else ''}{part}"
    return path or "the file"
