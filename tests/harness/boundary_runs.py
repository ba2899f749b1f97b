"""One scenario with something happening at one boundary of it, in a site of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.boundaries import How
from tests.harness.scenarios import Scenario
from tests.harness.site import Site, Templates

Intrusion = Callable[[Site], object]
HOWS = (How.CRASH_BEFORE, How.CRASH_AFTER, How.ERROR_BEFORE, How.REPLY_LOST)


@contextmanager
def a_site(templates: Templates, scenario: Scenario) -> Iterator[Site]:
    """A site of its own, thrown away afterwards."""
    folder = Path(tempfile.mkdtemp(dir=templates.state.parent))
    site = Site.made(folder, templates, scenario.options)
    try:
        yield site
    finally:
        site.close()
        shutil.rmtree(folder)


def boundaries_of(templates: Templates, scenario: Scenario) -> list[str]:
    """The names of the scenario's boundaries, in their order."""
    with a_site(templates, scenario) as site:
        scenario.begin(site)
        site.boundaries.trace.clear()
        for step in scenario.story:
            step(site)
        return list(site.boundaries.trace)


def run(
    templates: Templates,
    scenario: Scenario,
    at: int | None,
    how: How = How.CRASH_BEFORE,
    recovery: int | None = None,
    intrusion: Intrusion | None = None,
) -> list[str]:
    """What was wrong in the end. ``recovery``: so many boundaries after the first crash there is another."""
    with a_site(templates, scenario) as site:
        scenario.begin(site)
        site.boundaries.arm(at, how, (lambda: intrusion(site)) if intrusion else None)
        for step in scenario.story:
            step(site)
            if recovery is not None and at is not None and site.boundaries.crossed > at:
                site.boundaries.arm(recovery, How.CRASH_AFTER)
                recovery = None
        site.settle()
        wrongs = site.wrongs()
        if intrusion is None and not scenario.end(site):
            wrongs.append("it did not end as it should")
        return wrongs
