"""The live demo from its start to its end: what ``reconciler demo --live`` does."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from datetime import timedelta

from rich.console import Console

from reconciler.demo.live.pages import create_live
from reconciler.demo.live.town import AUDIT, GRACE, PUSH, a_town, free_port
from reconciler.web.server import Serving

_LOOK = 5.0  # seconds between looks at the daemon


def play(console: Console, port: int, grace: timedelta = GRACE) -> bool:
    """Serve until interrupted; ``False`` when the daemon ends first."""
    console.print("Starting: an LMS, simulated Google and Outlook, and the daemon between them ...")
    chosen = free_port(port)
    with a_town(chosen, grace) as town:
        served = Serving(create_live(town), "127.0.0.1", chosen)
        try:
            figures = {"push": PUSH.seconds, "audit": AUDIT.seconds, "grace": grace.seconds}
            console.print(_WELCOME.format(url=town.public, **figures))
            while town.daemon.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    town.daemon.wait(_LOOK)
        finally:
            served.close()
        console.print(f"The daemon ended by itself, with {town.daemon.returncode}. It said last:")
        console.print(town.log.read_text("utf-8", "replace")[-2000:], markup=False)
    return False


_WELCOME = """\

  [b]{url}/[/b]

Open this in a browser on this machine (Chromium, Edge or Firefox; Safari keeps our cookies for HTTPS alone).

The daemon is the real one, only faster: it compares every {push} s (a minute in production), lists each \
calendar every {audit} s (15 minutes to a day), and waits {grace} s until a seat is given back (30 minutes). \
Ctrl-C ends it all, and nothing is left behind."""
