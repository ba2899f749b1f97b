"""For all tests: how hard Hypothesis tries, real databases to stand on, and a
house of their own.

Profiles: ``ci``, the default, gives the same examples at every run; ``search`` looks for new ones, for
as long as one likes to wait (``HYPOTHESIS_PROFILE=search``).
"""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.databases", "tests.support.houses"]

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, max_examples=5_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is in the background of a shell, and whatever is started from there would not hear of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
