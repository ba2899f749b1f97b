"""Authenticated encryption of credentials at rest: AES-256-GCM (NIST SP 800-38D, RFC 5116).

A sealed blob is: format (1 byte), key id (8 bytes), nonce (12 bytes, random), ciphertext with its tag. What
it is sealed *for* (table, row, person, vendor account) is associated data: moved to another row it does not
open. A random nonce allows 2^32 seals under one key before that key must be rotated: a hundred thousand
people whose tokens are renewed hourly use that up in four years.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from reconciler.errors import ConfigurationError, StateUnreadable

KEY_BYTES = 32
KEY_ID_BYTES = 8
KEY_ID_OFFSET = 1
_NONCE_BYTES = 12
_FORMAT = b"\x01"
_HEAD = KEY_ID_OFFSET + KEY_ID_BYTES
_BODY = _HEAD + _NONCE_BYTES

NEXT_STEP = "Put the key file it was encrypted with back into the configuration; nothing was changed."


class Cipher:
    """Seals under the newest key and opens under any of its keys. Its ``repr`` shows key ids alone."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {key_id(key): AESGCM(key) for key in keys}
        self.newest = key_id(keys[0])

    def __repr__(self) -> str:
        return f"Cipher({', '.join(each.hex() for each in self._keys)})"

    def knows(self, identity: bytes) -> bool:
        """Whether the key with this id is among ours."""
        return identity in self._keys

    def seal(self, plain: bytes, purpose: Sequence[str]) -> bytes:
        """Encrypt under the newest key for this purpose."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        head = _FORMAT + self.newest
        return head + nonce + self._keys[self.newest].encrypt(nonce, plain, _associated(head, purpose))

    def open(self, sealed: bytes, purpose: Sequence[str]) -> bytes:
        """Decrypt what was sealed for this purpose; raises ``StateUnreadable`` for anything else."""
        head, nonce, rest = (
            sealed[:_HEAD],
            sealed[_HEAD : _HEAD + _NONCE_BYTES],
            sealed[_HEAD + _NONCE_BYTES :],
        )
        whose = " ".join(purpose[:2])
        if head[:KEY_ID_OFFSET] != _FORMAT or len(nonce) != _NONCE_BYTES:
            raise StateUnreadable("This is not a sealed credential", whose=whose)
        key = self._keys.get(head[KEY_ID_OFFSET:])
        if key is None:
            raise unknown_key(head[KEY_ID_OFFSET:], whose)
        try:
            return key.decrypt(nonce, rest, _associated(head, purpose))
        except InvalidTag:
            raise StateUnreadable(
                "A sealed credential was altered, or belongs to another person or row",
                whose=whose,
                next_step="Find out who wrote to the state database; the person can connect again.",
            ) from None


def missing_key(identity: bytes, count: int, first: int) -> str:
    """What to say at the start when so many credentials are sealed under a key that we do not have."""
    others = f" and {count - 1} more" if count > 1 else ""
    return (
        f"tokens.key_files: the key {identity.hex()} is missing: the credentials of connection "
        f"{first}{others} are encrypted under it, and none of these files holds it. {NEXT_STEP} "
        "If it is lost for good, see docs/keys.md."
    )


def unknown_key(identity: bytes, whose: str) -> StateUnreadable:
    """The error for what was sealed under a key that we do not have."""
    return StateUnreadable(
        f"Credentials are encrypted under key {identity.hex()}, which no key file holds",
        whose=whose,
        next_step=NEXT_STEP,
    )


def key_id(key: bytes) -> bytes:
    """What names a key without telling anything of it."""
    return hashlib.sha256(b"key id\0" + key).digest()[:KEY_ID_BYTES]


def generate_key() -> str:
    """The content of a new key file: 32 random bytes in base64, and a line's end."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii") + "\n"


def read_keys(files: Sequence[Path]) -> Cipher:
    """The cipher with the keys of these files, newest first.

    Raises ``ConfigurationError`` with every file that cannot be used, never quoting one.
    """
    return Cipher(_keys_in(files))


def derived_keys(files: Sequence[Path], purpose: str) -> list[bytes]:
    """A key for another purpose from each of these files, newest first (HKDF, RFC 5869). Errors as above."""
    return [
        HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(key)
        for key in _keys_in(files)
    ]


def _keys_in(files: Sequence[Path]) -> list[bytes]:
    keys, problems = [], []
    for file in files:
        try:
            keys.append(_key_in(file))
        except (OSError, ValueError) as error:
            why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            problems.append(f"tokens.key_files: {file} {why}; `reconciler new-key` makes a key")
    if not files:
        problems.append("tokens.key_files: at least one is needed; `reconciler new-key` makes one")
    if problems:
        raise ConfigurationError(problems)
    return keys


def _key_in(file: Path) -> bytes:
    try:
        key = base64.b64decode(file.read_bytes().strip(), validate=True)
    except binascii.Error:
        raise ValueError("is not base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes, not {KEY_BYTES}")
    return key


def _associated(head: bytes, purpose: Sequence[str]) -> bytes:
    # As JSON: no two purposes look alike, whatever their parts contain.
    return head + json.dumps(list(purpose)).encode("ascii")
