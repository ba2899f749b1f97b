"""For all tests: how hard Hypothesis tries, real databases to stand on, and a
house of their own.

Profiles: ``ci``, the default, gives the same examples at every run; ``search`` looks for new ones, for
as long as one likes to wait (``HYPOTHESIS_PROFILE=search``).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.databases", "tests.support.houses"]

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, max_examples=5_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
