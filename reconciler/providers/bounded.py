"""Reading an answer no further than is good for us."""

from __future__ import annotations

import time
from collections.abc import Iterable

from reconciler.errors import VendorNonsense, VendorUnavailable


def whole(parts: Iterable[bytes], most_bytes: int, most_seconds: float) -> bytes:
    """All parts of a body together, unpacked. ``VendorNonsense`` if they are more than so many bytes,
    ``VendorUnavailable`` if they are not there after so many seconds."""
    deadline = time.monotonic() + most_seconds
    read = bytearray()
    for part in parts:
        read += part
        if len(read) > most_bytes:
            raise VendorNonsense(f"an answer of more than {most_bytes} bytes")
        if time.monotonic() > deadline:
            raise VendorUnavailable(f"an answer not complete after {most_seconds:g} seconds")
    return bytes(read)
