"""Serves the pages with waitress, in threads of this process."""

from __future__ import annotations

import errno
import threading
from typing import Any
from wsgiref.types import WSGIApplication

from waitress.server import create_server

from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.settings import Listen

_LOOP = 1.0  # seconds until the loop looks whether it is to end


class Serving:
    """An application, listening from now on. It comes without TLS: a reverse proxy has it."""

    def __init__(
        self,
        app: WSGIApplication,
        host: str,
        port: int,
        prefix: str = "",
        trusted_proxy: str | None = None,
        name: str = "pages",
        threads: int = 8,
    ) -> None:
        trusted: dict[str, Any] = {}
        if trusted_proxy is not None:
            trusted = {
                "trusted_proxy": trusted_proxy,
                "trusted_proxy_count": 1,
                "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
            }
        self._server = create_server(
            app,
            host=host,
            port=port,
            threads=threads,
            url_prefix=prefix,
            ident=None,
            clear_untrusted_proxy_headers=True,
            **trusted,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @classmethod
    def at(cls, key: str, listen: Listen, app: WSGIApplication, **given: Any) -> Serving:
        """Served where the setting ``key`` says. ``ConfigurationError`` where nothing can listen there;
        ``ReconcilerError`` where that may come up yet."""
        try:
            return cls(app, listen.host, listen.port, **given)
        except OSError as error:
            raise _cannot_listen(key, listen, error) from error

    def _run(self) -> None:
        """Waitress' own ``run`` ends with the process only; this one ends when it is told to."""
        server = self._server
        while not self._stop.is_set():
            server.asyncore.loop(
                timeout=_LOOP, map=server._map, use_poll=server.adj.asyncore_use_poll, count=1
            )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.effective_port)

    def replace(self, app: WSGIApplication) -> None:
        """Answer with another application from the next request on."""
        self._server.application = app

    def close(self) -> None:
        """Stop listening; answers under way are finished."""
        self._stop.set()
        self._server.pull_trigger()
        self._thread.join()
        self._server.task_dispatcher.shutdown()
        self._server.close()


def _cannot_listen(key: str, listen: Listen, error: OSError) -> ReconcilerError:
    """What to raise where ``key`` names an address at which nothing can listen. One that this machine does
    not have may come up after it, as the network does after a boot: a further attempt is worth while."""
    problem = f"{key}: cannot listen on {listen.host} port {listen.port}: {error.strerror}"
    if error.errno == errno.EADDRNOTAVAIL:
        return ReconcilerError(problem, next_step="It may come up yet; else name an address of this machine")
    return ConfigurationError([problem])
