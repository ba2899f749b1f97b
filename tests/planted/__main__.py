"""``python -m tests.planted``: plants each bug in a copy of the tree and runs the tests against it.

A plant that no longer applies is an error, and so is one that no test notices. ``--check`` only looks
whether all of them apply.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from queue import SimpleQueue

import click

from tests.harness.campaign import ROOT, Report

FAST = ["tests/unit", "tests/property", "tests/harness", "--deselect=tests/harness/test_kills.py"]
"""What is run against a bug that the tests named with it have not noticed."""
LONGEST = 1800
_SAID = 2_000
_FAILED = (1, 2)
"""What pytest says where tests have failed, or could not be read: anything else tells nothing of the bug."""


@dataclass(frozen=True)
class Plant:
    """A change of one file that breaks the rule it is named after. ``by``: the tests to try first."""

    name: str
    file: str
    find: str
    replace: str
    by: Sequence[str]

    def applied_to(self, tree: Path) -> str:
        """The file with the bug in it. Raises ``LookupError`` unless the place is there, once."""
        text = (tree / self.file).read_text("utf-8")
        if text.count(self.find) != 1:
            raise LookupError(f"{self.name}: its place is {text.count(self.find)} times in {self.file}")
        return text.replace(self.find, self.replace)


def plants() -> list[Plant]:
    """All that are kept beside this file."""
    files = sorted(Path(__file__).parent.glob("*.toml"))
    return [Plant(**one) for file in files for one in tomllib.loads(file.read_text("utf-8"))["plant"]]


def not_applicable() -> list[str]:
    """Those whose place has gone."""
    found = []
    for plant in plants():
        try:
            plant.applied_to(ROOT)
        except LookupError as problem:
            found.append(str(problem))
    return found


def copies(count: int, folder: Path) -> Iterator[Path]:
    """Trees to plant in, of what is under version control."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for number in range(count):
        tree = folder / str(number) / "tree"
        for name in listed.stdout.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, tree / name)
        shared = ROOT.parent / "shared"
        # By their contents: a planted file is as old and perhaps as long as the one it replaces.
        compileall.compile_dir(tree, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        if shared.is_dir():
            (folder / str(number) / "shared").symlink_to(shared)
        yield tree


def caught_by(plant: Plant, tree: Path) -> str | None:
    """The first test that fails with the bug in place; ``None`` if all pass."""
    place = tree / plant.file
    before = place.read_text("utf-8")
    place.write_text(plant.applied_to(tree), "utf-8")
    try:
        for tests in (plant.by, FAST):
            failed = _failing(tests, tree)
            if failed:
                return failed
        return None
    finally:
        place.write_text(before, "utf-8")


def _failing(tests: Sequence[str], tree: Path) -> str | None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return "it hangs"
    if ended.returncode == 0:
        return None
    lines = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED tests/", "ERROR tests/"))]
    if ended.returncode not in _FAILED or not lines:
        said = (ended.stdout + ended.stderr)[-_SAID:]
        raise LookupError(f"pytest ended with {ended.returncode} for {' '.join(tests)}: {said}")
    return lines[0].split(" - ")[0]


@click.command()
@click.option("--only", default="", help="Only those with this in their name.")
@click.option("--check", is_flag=True, help="Only see whether all of them apply.")
@click.option("--jobs", default=os.cpu_count() or 1, help="How many at once.")
def main(only: str, check: bool, jobs: int) -> None:
    """Plant each bug, and see that it is caught."""
    if problems := not_applicable():
        sys.exit("\n".join(problems))
    chosen = [plant for plant in plants() if only in plant.name]
    if check:
        print(f"all {len(chosen)} apply")
        return
    with tempfile.TemporaryDirectory() as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for tree in copies(jobs, Path(folder)):
            trees.put(tree)

        def tried(plant: Plant) -> tuple[Plant, str | None]:
            tree = trees.get()
            try:
                return plant, caught_by(plant, tree)
            finally:
                trees.put(tree)

        escaped: list[str] = []
        with ThreadPoolExecutor(jobs) as pool:
            for plant, by in pool.map(tried, chosen):
                print(f"{'caught ' if by else 'ESCAPED'} {plant.name}{f'  ({by})' if by else ''}", flush=True)
                escaped += [] if by else [plant.name]
    print(f"caught {len(chosen) - len(escaped)} / planted {len(chosen)}")
    if not only:
        counts = {"planted": len(chosen), "caught": len(chosen) - len(escaped)}
        Report("planted", {}, counts, escaped).write()
    sys.exit(1 if escaped else 0)


if __name__ == "__main__":
    main()
