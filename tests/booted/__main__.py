"""`make try-unit`: boots a Debian with a real systemd and lives through the service's life there.

Each step is printed with its verdict; the first that fails ends it, with exit code 1. As root; it takes some
minutes, more when the bare system has to be made first. ``TRY_UNIT_CACHE`` is where that is kept.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.booted.host import Host, Wrong, booted, need_means
from tests.booted.story import STEPS
from tests.support.moodle import shared_file


def main() -> int:
    """Every step in turn; 1 if one is not as it should be."""
    cache = Path(os.environ.get("TRY_UNIT_CACHE", "/var/cache/ilt-calendar-reconciler"))
    try:
        need_means()
        data = shared_file("moodle/moodle-pgsql-seeded.sql").parent
        with booted(cache, data) as host:
            return 0 if all(_passes(host, number) for number in range(len(STEPS))) else 1
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1


def _passes(host: Host, number: int) -> bool:
    sentence, function = STEPS[number]
    begun = time.monotonic()
    try:
        function(host)
    except Wrong as wrong:
        print(
            f"FAILED  {sentence}\n{wrong}\n{host.run('journalctl -u reconciler -n 20 -o cat').stdout}",
            flush=True,
        )
        return False
    print(f"ok  {time.monotonic() - begun:5.1f} s  {sentence}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
