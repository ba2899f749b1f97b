"""All CalDAV servers there are: two that run anywhere, three where Debian's packages are installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.caldav_servers import CalDavServer, radicale, xandikos
from tests.support.caldav_slow_servers import PROGRAMS, cyrus, davical, sogo

ALWAYS = {"radicale": radicale, "xandikos": xandikos}
IN_CI = {"davical": davical, "cyrus": cyrus, "sogo": sogo}


def missing(name: str) -> str | None:
    """Why a server cannot run here; ``None`` where it can, or must."""
    program = PROGRAMS.get(name)
    if program is None or os.environ.get("CI") == "true" or Path(program).exists():
        return None
    return f"{name} is not installed here ({program}); .ci/run says how"


class Started(dict[str, CalDavServer]):
    """Servers by name, each started when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__()
        self._stack = stack

    def __missing__(self, name: str) -> CalDavServer:
        start = ALWAYS.get(name) or IN_CI[name]
        server = self[name] = self._stack.enter_context(start())
        return server


@contextmanager
def started() -> Iterator[Started]:
    """Servers, until the end."""
    with ExitStack() as stack:
        yield Started(stack)
