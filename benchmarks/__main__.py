"""Run every benchmark, or those named: ``python -m benchmarks scan``."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks


def main(wanted: list[str]) -> int:
    """Run them one after the other. 1 if there is none of that name."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    chosen = [name for name in names if name.startswith("bench_")]
    chosen = [name for name in chosen if not wanted or name.removeprefix("bench_") in wanted]
    for name in chosen:
        print(f"== {name.removeprefix('bench_')}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    if not chosen:
        print("no such benchmark", file=sys.stderr)
    return 0 if chosen else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
