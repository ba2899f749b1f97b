"""Run every benchmark, or those named: ``python -m benchmarks [--quick] [--page FILE] [scan ...]``.

Each ``bench_*.py`` here has a ``main(scale)`` that gives its figures, and tells its method in its docstring.
What is not named is told as it was last measured at this scale.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from pathlib import Path

import benchmarks
from benchmarks.figures import FULL, QUICK, Measurement, Scale, keep, kept, page, show
from benchmarks.picture import growth

BUILD = Path("build")
RESULT = BUILD / "bench.json"


def main() -> int:
    """Run them one after the other. 1 if there is none of that name."""
    wanted = _arguments()
    scale = QUICK if wanted.quick else FULL
    names = _names()
    if unknown := set(wanted.benchmarks) - set(names):
        print(f"no such benchmark: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    measured: list[Measurement] = []
    for name in names:
        file = BUILD / "bench" / f"{scale.name}-{name}.json"
        if not wanted.benchmarks or name in wanted.benchmarks:
            measured.append(_measured(name, scale, file))
        elif file.exists():
            measured.append(Measurement.read(file))
    figures = [figure for one in measured for figure in one.figures]
    show(figures)
    keep(figures, scale, RESULT)
    if wanted.page:
        wanted.page.write_text(page(measured), "utf-8")
        if picture := growth(figures):
            (wanted.page.parent / "images" / "growth.svg").write_text(picture, "utf-8")
    return 0


def _measured(name: str, scale: Scale, file: Path) -> Measurement:
    begun = time.monotonic()
    print(f"measuring: {name}", end="", file=sys.stderr, flush=True)
    module = importlib.import_module(f"benchmarks.bench_{name}")
    found = Measurement((module.__doc__ or "").strip(), module.main(scale))
    print(f", {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    kept(found, file)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("benchmarks", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--page", type=Path, help="write method and figures to this file")
    return parser.parse_args()


def _names() -> list[str]:
    modules = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    return [name.removeprefix("bench_") for name in modules if name.startswith("bench_")]


if __name__ == "__main__":
    sys.exit(main())
