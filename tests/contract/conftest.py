"""The vendors: in this process, and real servers started once for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.beds import MICROSOFT, Bed, CalDavHere, google, memory, microsoft
from tests.support.caldav_bed import CalDavBed, a_caldav
from tests.support.caldav_servers import CalDavServer
from tests.support.caldav_started import ALWAYS, IN_CI, missing, started

SERVERS = (*ALWAYS, *IN_CI)
VENDORS = ("memory", "google", *MICROSOFT, *SERVERS)


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, CalDavServer]]:
    """The real servers, each started when it is first needed."""
    with started() as running:
        yield running


def server_of(name: str, servers: dict[str, CalDavServer]) -> CalDavServer:
    """A running server; skips with a sentence where it is not installed."""
    if why := missing(name):
        pytest.skip(why)
    return servers[name]


@pytest.fixture
def caldav(request: pytest.FixtureRequest, servers: dict[str, CalDavServer]) -> Iterator[CalDavBed]:
    """A calendar on the server that a test names."""
    with a_caldav(server_of(request.param, servers)) as bed:
        yield bed


@pytest.fixture(params=VENDORS)
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """A calendar at each vendor."""
    name: str = request.param
    if name in SERVERS:
        servers: dict[str, CalDavServer] = request.getfixturevalue("servers")
        with a_caldav(server_of(name, servers)) as bed:
            yield CalDavHere(bed)
        return
    here = {"memory": memory, "google": google}
    with (here.get(name) or microsoft(**MICROSOFT[name]))() as made:
        yield made
