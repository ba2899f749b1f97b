"""Addresses as SMTP takes them (RFC 5321 section 4.1.2, RFC 6531, RFC 5891)."""

from __future__ import annotations

import re

import idna

_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\u00a0-\U0010ffff]+"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LONGEST_LOCAL, _LONGEST = 64, 254
_ADDRESS_WITHIN = re.compile(r"<?[^\s<>()\"']+@[^\s<>()\"']+>?")


def wire_address(address: str) -> str | None:
    """The address with its domain in ASCII; ``None`` for what is none (and for quoted forms)."""
    local, _, domain = address.rpartition("@")
    if not _LOCAL.fullmatch(local) or not local.isprintable():
        return None
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None
    whole = f"{local}@{ascii_domain}"
    return whole if len(local.encode()) <= _LONGEST_LOCAL and len(whole.encode()) <= _LONGEST else None


def without_addresses(text: str) -> str:
    """A server's words, for logs and operators."""
    return _ADDRESS_WITHIN.sub("<address>", text)
