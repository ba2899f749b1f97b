"""Who has signed in, by an id token that is verified whole (OpenID Connect Core 1.0, section 3.1.3.7).

The token comes straight from the vendor over TLS, which would do by itself; its signature is verified all
the same, so that whoever can answer in the vendor's place has to hold the vendor's key as well.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import jwt

from reconciler.errors import ConsentProblem, ConsentRefused

_LEEWAY = timedelta(minutes=5)
_CLAIMS = ["iss", "aud", "exp", "iat", "sub"]


def verified(
    id_token: object, keys: Mapping[str, Any], *, audience: str, issuers: Collection[str], nonce: str
) -> Mapping[str, Any]:
    """The claims of an id token. ``keys`` is the vendor's JWK set, ``audience`` our client id.

    ``{tenantid}`` in an issuer stands for the token's own tenant, as in Entra's discovery documents.
    Raises ``ConsentRefused``: ``broken``, or ``expired`` where it answers another request than ours.
    """
    try:
        kid = jwt.get_unverified_header(str(id_token)).get("kid", "")
        claims: Mapping[str, Any] = jwt.decode(
            str(id_token),
            jwt.PyJWKSet.from_dict(dict(keys))[kid],
            algorithms=["RS256"],
            audience=audience,
            leeway=_LEEWAY,
            options={"require": _CLAIMS},
        )
    except (jwt.PyJWTError, KeyError) as problem:
        # The class alone: a message may quote the token.
        why = f"its id token is not valid: {type(problem).__name__}"
        raise ConsentRefused(why, ConsentProblem.BROKEN) from None
    if claims["iss"] not in [one.replace("{tenantid}", str(claims.get("tid"))) for one in issuers]:
        raise ConsentRefused("its id token has another issuer", ConsentProblem.BROKEN)
    if not same(str(claims.get("nonce", "")), nonce):
        raise ConsentRefused("its id token answers another request", ConsentProblem.EXPIRED)
    return claims


def check_state(expected: str, answer: Mapping[str, str]) -> None:
    """Refuse an answer to a request that was not made here (RFC 6749 section 10.12)."""
    if not expected or not same(expected, answer.get("state", "")):
        raise ConsentRefused("the state is not the one sent", ConsentProblem.EXPIRED)


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, without telling how far they are."""
    return hmac.compare_digest(one.encode(), other.encode())


def new_secret() -> str:
    """A nonce, or a PKCE verifier (RFC 7636 section 4.1): 43 characters, 256 bits."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """PKCE's S256 challenge (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
