"""Keyed hashes: proof that somebody was forgotten, for whoever can name them and has the key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path

from reconciler.tokens.cipher import derived_keys

_PURPOSE = "fingerprints of forgotten people"


class Fingerprints:
    """HMAC-SHA256 (RFC 2104) under keys derived from those of the tokens, newest first."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Raises ``ConfigurationError`` for a key file that cannot be used."""
        self._keys = derived_keys(files, _PURPOSE)

    def of(self, person: str) -> str:
        """The one to be written down."""
        return self.all_of(person)[0]

    def all_of(self, person: str) -> list[str]:
        """Those that may have been written down, under any of the keys."""
        return [hmac.new(key, person.encode(), hashlib.sha256).hexdigest() for key in self._keys]
