"""Run every benchmark, or those named: ``python -m benchmarks [--quick] [--page FILE] [scan ...]``.

Each ``bench_*.py`` here has a ``main(scale)`` that gives its figures, and tells its method in its docstring.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

import benchmarks
from benchmarks.figures import FULL, QUICK, Figure, keep, page, show

RESULT = Path("build/bench.json")


def main() -> int:
    """Run them one after the other. 1 if there is none of that name."""
    wanted = _arguments()
    scale = QUICK if wanted.quick else FULL
    found: list[Figure] = []
    methods: list[str] = []
    for name in _names(wanted.benchmarks):
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        module = importlib.import_module(f"benchmarks.bench_{name}")
        found += module.main(scale)
        methods.append((module.__doc__ or "").strip())
    if not found:
        print("no such benchmark", file=sys.stderr)
        return 1
    show(found)
    keep(found, scale, RESULT)
    if wanted.page:
        wanted.page.write_text(page(found, methods), "utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("benchmarks", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--page", type=Path, help="write method and figures to this file")
    return parser.parse_args()


def _names(wanted: list[str]) -> list[str]:
    modules = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    names = [name.removeprefix("bench_") for name in modules if name.startswith("bench_")]
    return [name for name in names if not wanted or name in wanted]


if __name__ == "__main__":
    sys.exit(main())
