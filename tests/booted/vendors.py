"""Both vendors, simulated, as a service of the trial host; run by the program's own interpreter.

``python vendors.py FOLDER`` writes the authority's certificate there and, for each account, a file with what
`reconciler connection add` wants to know. A line ``delete ADDRESS`` written into FOLDER/owner empties that
calendar, as its owner would.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from reconciler.simulators.certificates import make_certificates
from reconciler.simulators.google import GoogleSimulator
from reconciler.simulators.microsoft import MicrosoftSimulator

AT_GOOGLE = ("learner@google.example",)
AT_MICROSOFT = ("trainer@microsoft.example",)
SCOPES = (
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)


def _grants(folder: Path, google: GoogleSimulator, microsoft: MicrosoftSimulator) -> None:
    for address in AT_GOOGLE:
        account = google.add_account(address, "Europe/Berlin")
        token = google.issue_refresh_token(address, SCOPES)
        (folder / address).write_text(f"{account.sub} {address} {token}\n")
    for address in AT_MICROSOFT:
        microsoft.add_account(address)
        mailbox = microsoft.mailbox(address)
        subject = f"{mailbox.account.tenant}:{mailbox.account.oid}"
        token = microsoft.issue_refresh_token(address)
        (folder / address).write_text(f"{subject} {mailbox.default.id} {token}\n")


def main(folder: Path) -> None:
    google, microsoft = GoogleSimulator(), MicrosoftSimulator()
    _grants(folder, google, microsoft)
    certificates = make_certificates(folder)
    os.mkfifo(folder / "owner")
    with google.serve(certificates, 8443), microsoft.serve(certificates, 8444):
        (folder / "ready").touch()
        while True:
            for line in (folder / "owner").read_text().splitlines():
                google.owner.delete_all(line.removeprefix("delete "))


main(Path(sys.argv[1]))
