"""Both simulated vendors in a process of their own, so that their CPU is not the client's.

``python -m benchmarks.vendors FOLDER PEOPLE LATENCY QUOTA`` makes so many accounts at each vendor for the
program and as many for the bare client, prints one line of JSON that says where they are and how to get in,
and serves until its standard input ends. What arrived is asked for by :meth:`Vendor.requests`. Where there
is a latency, in seconds, Google's quota is in force as well, so many calls a minute for the project, and
requests are counted but not kept.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reconciler.simulators.certificates import Certificates, make_certificates
from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.google_quota import QuotaLimits
from reconciler.simulators.microsoft import MicrosoftSimulator
from reconciler.simulators.wire import Fault

GOOGLE_SCOPES = (
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)


@dataclass(frozen=True)
class Account:
    """One mailbox, and a token to get in: a refresh token for the program, an access token for the bare
    client. ``oid`` is how Graph addresses it."""

    mailbox: str
    subject: str
    calendar: str
    token: str
    oid: str = ""


@dataclass(frozen=True)
class Vendor:
    """One vendor as a client sees it."""

    name: str
    url: str
    ca_file: str
    ours: tuple[Account, ...]
    bare: tuple[Account, ...]

    def requests(self) -> list[dict[str, Any]]:
        """Every request since the last time this was asked."""
        found: list[dict[str, Any]] = self._control("GET")["requests"]
        self._control("DELETE")
        return found

    def quota(self) -> tuple[int, int]:
        """Units spent so far, and requests refused for want of quota."""
        found = self._control("GET", "quota")
        return found["spent"], found["refused"]

    def _control(self, method: str, what: str = "requests") -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/_sim/{what}", method=method)
        context = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(request, context=context) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def vendor_of(described: dict[str, Any]) -> Vendor:
    """What :func:`dataclasses.asdict` made of a vendor, as one again."""
    accounts = {side: tuple(Account(**one) for one in described[side]) for side in ("ours", "bare")}
    return Vendor(**{**described, **accounts})


@contextmanager
def served(
    folder: Path, people: int, latency: float = 0.0, quota: int = 10_000
) -> Iterator[dict[str, Vendor]]:
    """Both vendors, by name, while the context lasts."""
    numbers = [str(number) for number in (people, latency, quota)]
    command = [sys.executable, "-m", "benchmarks.vendors", str(folder), *numbers]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        described = json.loads(child.stdout.readline())
        yield {one["name"]: vendor_of(one) for one in described}
        child.stdin.close()


# In the process of its own ------------------------------------------------------------------------


def _main(folder: str, people: str, latency: str, quota: str) -> None:
    certificates = make_certificates(Path(folder))
    google, microsoft = GoogleSimulator(), MicrosoftSimulator()
    if seconds := float(latency):
        google = GoogleSimulator(quota=QuotaLimits(project=int(quota)))
        google.faults.add(Fault("slow", times=-1, seconds=seconds))
        google.recorder.enabled = False
    with google.serve(certificates) as first, microsoft.serve(certificates) as second:
        vendors = [
            _google(google, first.url, certificates, int(people)),
            _microsoft(microsoft, second.url, certificates, int(people)),
        ]
        print(json.dumps([asdict(vendor) for vendor in vendors]), flush=True)
        sys.stdin.read()


def _google(vendor: GoogleSimulator, url: str, certificates: Certificates, people: int) -> Vendor:
    def account(mailbox: str, bare: bool) -> Account:
        subject = vendor.add_account(mailbox).sub
        issue = vendor.issue_access_token if bare else vendor.issue_refresh_token
        return Account(mailbox, subject, mailbox, issue(mailbox, GOOGLE_SCOPES))

    ours = tuple(account(f"g{n}@x.example", False) for n in range(people))
    bare = tuple(account(f"bare-g{n}@x.example", True) for n in range(people))
    return Vendor("google", url, str(certificates.ca_file), ours, bare)


def _microsoft(vendor: MicrosoftSimulator, url: str, certificates: Certificates, people: int) -> Vendor:
    def account(mailbox: str, bare: bool) -> Account:
        made = vendor.add_account(mailbox)
        issue = vendor.issue_access_token if bare else vendor.issue_refresh_token
        calendar = vendor.mailbox(mailbox).default.id
        return Account(mailbox, f"{made.tenant}:{made.oid}", calendar, issue(mailbox), made.oid)

    ours = tuple(account(f"m{n}@contoso.example", False) for n in range(people))
    bare = tuple(account(f"bare-m{n}@contoso.example", True) for n in range(people))
    return Vendor("microsoft", url, str(certificates.ca_file), ours, bare)


if __name__ == "__main__":
    _main(*sys.argv[1:])
