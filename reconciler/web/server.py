"""Serves the pages with waitress, in threads of this process."""

from __future__ import annotations

import threading
from typing import Any
from wsgiref.types import WSGIApplication

from waitress.server import create_server

THREADS = 8


class Serving:
    """The pages, listening from now on. They come without TLS: a reverse proxy has it."""

    def __init__(
        self, app: WSGIApplication, host: str, port: int, prefix: str = "", trusted_proxy: str | None = None
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
            threads=THREADS,
            url_prefix=prefix,
            ident=None,
            clear_untrusted_proxy_headers=True,
            **trusted,
        )
        self.port: int = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name="pages", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; answers under way are finished."""
        self._server.close()
        self._server.task_dispatcher.shutdown()
        self._thread.join(timeout=5)
