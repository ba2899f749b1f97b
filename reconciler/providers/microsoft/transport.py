"""HTTP as both of Microsoft's hosts are spoken to: time-outs, proxy, authority file, bounded answers.

Network trouble becomes :class:`~reconciler.errors.VendorUnavailable` here, and what is too large
:class:`~reconciler.errors.VendorNonsense`. Nothing is sent twice, no redirect followed, no cookie kept.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from reconciler.errors import VendorUnavailable
from reconciler.providers.bounded import whole

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it arrived. ``headers`` are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The parsed body, ``None`` where it is no JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class Transport:
    """Sends requests from any thread over one pool of connections.

    ``proxy`` (empty: none) and ``ca_file`` replace whatever the environment says. ``connect_seconds`` and
    ``read_seconds`` limit each wait on the socket, ``total_seconds`` the reading of an answer;
    ``max_body_bytes`` its unpacked size.
    """

    def __init__(
        self,
        *,
        proxy: str | None = None,
        ca_file: str | None = None,
        connect_seconds: float = 10.0,
        read_seconds: float = 30.0,
        total_seconds: float = 120.0,
        max_body_bytes: int = 16 * 1024 * 1024,
        connections: int = 64,
    ) -> None:
        self._proxy = proxy
        self._ca_file = ca_file
        self._timeout = (connect_seconds, read_seconds)
        self._total_seconds = total_seconds
        self._max_body_bytes = max_body_bytes
        self._adapter = HTTPAdapter(pool_maxsize=connections, max_retries=0)
        self._local = threading.local()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str | None] | None = None,
        data: Any = None,
        params: Any = None,
    ) -> Answer:
        """One request, once. ``data`` is a form (mapping) or a body (bytes or text)."""
        try:
            response = self._session().request(
                method,
                url,
                headers=headers,
                data=data,
                params=params,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
            with response:
                body = whole(response.iter_content(_CHUNK), self._max_body_bytes, self._total_seconds)
        except (requests.RequestException, HTTPError, OSError) as problem:
            # The class says what is needed; the message may quote addresses of proxies and mailboxes.
            raise VendorUnavailable(f"no answer: {type(problem).__name__}") from problem
        return Answer(response.status_code, response.headers, body.decode("utf-8", "replace"))

    def _session(self) -> requests.Session:
        """A session of this thread's own: ``requests`` does not promise that one may be shared."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.mount("https://", self._adapter)
            session.mount("http://", self._adapter)
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            if self._proxy is not None or self._ca_file:
                session.trust_env = False  # REQUESTS_CA_BUNDLE would win over `verify` otherwise
            if self._ca_file:
                session.verify = self._ca_file
            if self._proxy:
                session.proxies = {"http": self._proxy, "https": self._proxy}
        return session
