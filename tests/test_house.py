"""The house itself: who imports whom, how long things are, what is written where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
VOCABULARIES = {"reconciler/model.py", "reconciler/ports.py"}
"""Read from top to bottom as one list; in two files they would be harder to find one's way in."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tracked(pattern: str = "*") -> list[Path]:
    """The files under version control that are there."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


MODULES = [path for path in tracked("reconciler/*.py") if path.read_text().strip()]
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in MODULES}


def functions() -> Iterator[tuple[str, Function]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{path}:{node.lineno} {node.name}", node


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """All but those within a function, whose docstring speaks for them."""
    for path, tree in TREES.items():
        inside = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        while inside:
            node = inside.pop()
            inside += [inner for inner in node.body if isinstance(inner, ast.ClassDef)]
            yield f"{path}:{node.lineno} {node.name}", node


def test_there_is_a_house() -> None:
    assert len(MODULES) > 20


def test_imports_run_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", "setup.cfg", "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"Contracts: \d+ kept, 0 broken", ended.stdout)


def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE}.keys() <= VOCABULARIES


def test_no_function_is_too_long() -> None:
    lengths = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in functions()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [path for path, tree in TREES.items() if not ast.get_docstring(tree)] == []


def test_every_class_says_what_it_is_for() -> None:
    assert [name for name, node in classes() if not ast.get_docstring(node)] == []


def test_every_public_function_and_every_method_of_a_port_says_what_it_is_for() -> None:
    top_level = [(path, node) for path, tree in TREES.items() for node in tree.body]
    ports = [node for node in TREES["reconciler/ports.py"].body if isinstance(node, ast.ClassDef)]
    methods = [("reconciler/ports.py", node) for port in ports for node in port.body]
    without = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in top_level + methods
        if isinstance(node, Function) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert without == []


# In pieces, so that this file does not hold them.
UNWELCOME = {
    "a note to oneself": r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b",
    "a place on somebody's machine": r"(?<![\w.}])/(wo" r"rk|ro" r"ot|ho" r"me/\w+)/",
    "the host of a registry": r"pypi\." r"org|python" r"hosted|registry\." r"npmjs|deb\." r"debian\.org",
    "a document that is not here": r"\b(design/\w+|architecture|behaviour|failure-modes|wire-facts)\.md",
}


@pytest.mark.parametrize("pattern", UNWELCOME.values(), ids=UNWELCOME)
def test_the_project_speaks_of_itself_alone(pattern: str) -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []
