"""The pages as a process: alone, behind a proxy, under a path, never in a copy of an installation."""

from __future__ import annotations

import logging
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
import tenacity

from reconciler.errors import ConfigurationError
from reconciler.pages import serving
from reconciler.settings import load
from tests.support.pages import PUBLIC, Pages
from tests.support.ports import free_port


@tenacity.retry(wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(20), reraise=True)
def ask(port: int, path: str = "/", **headers: str) -> requests.Response:
    """What is answered; waited for until somebody listens."""
    return requests.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=10, allow_redirects=False)


@contextmanager
def running(pages: Pages, *verb: str) -> Iterator[subprocess.Popen[str]]:
    pages.bed.close()
    process = pages.bed.start(*verb)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0, process.communicate()


@pytest.fixture
def port(pages: Pages) -> int:
    """Where the pages listen, as the settings say."""
    number = free_port()
    pages.bed.configure(web={"listen": f"127.0.0.1:{number}"}, ops={"listen": f"127.0.0.1:{free_port()}"})
    return number


def test_the_pages_run_alone_until_they_are_told_to_stop(pages: Pages, port: int) -> None:
    with running(pages, "web"):
        assert ask(port, "/privacy").status_code == 200
        assert ask(port).status_code == 403


def test_an_address_that_is_taken_is_said_so(pages: Pages, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        refused = pages.bed.cli("web")
    assert refused.exit_code == 78
    assert f"web.listen: cannot listen on 127.0.0.1 port {port}: Address already in use" in refused.stderr


def test_an_address_that_is_not_there_yet_is_worth_a_further_attempt(pages: Pages, port: int) -> None:
    """Exit code 78 would keep the service down after a boot on which the network comes up late."""
    pages.bed.configure(web={"listen": f"192.0.2.1:{port}"})
    refused = pages.bed.cli("web")
    assert refused.exit_code == 1
    assert f"web.listen: cannot listen on 192.0.2.1 port {port}: Cannot assign requested" in refused.stderr
    assert "It may come up yet; else name an address of this machine" in refused.stderr


def test_without_an_address_to_listen_at_there_are_no_pages_to_serve(pages: Pages) -> None:
    pages.bed.configure(web={"listen": None})
    refused = pages.bed.cli("web")
    assert refused.exit_code == 1
    assert "there are no pages to serve" in refused.stderr


def test_pages_need_an_address_that_vendors_can_send_people_back_to(pages: Pages) -> None:
    pages.bed.configure(installation={"public_url": None})
    with pytest.raises(ConfigurationError) as refused:
        load(pages.bed.config)
    assert "web.listen: installation.public_url is needed" in str(refused.value)


def test_a_copy_of_an_installation_serves_no_pages(
    pages: Pages, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    pages.bed.house.take_up()
    pages.bed.configure(installation={"public_url": "https://staging.example.org"})
    with serving(pages.bed.house) as served:
        assert served is None
    assert "it serves no pages" in caplog.text
    assert pages.bed.cli("adopt-installation").exit_code == 0
    pages.bed.close()
    with serving(pages.bed.house) as served:
        assert served is not None


def test_only_the_proxy_that_is_named_is_believed(
    pages: Pages, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    def seen_from(**settings: str) -> str:
        pages.bed.configure(web=settings)
        caplog.clear()
        with serving(pages.bed.house), caplog.at_level(logging.WARNING, "reconciler.web"):
            ask(port, "/", **{"X-Forwarded-For": "203.0.113.9"})
        return caplog.records[-1].getMessage()

    assert "from 127.0.0.1" in seen_from()
    assert "from 203.0.113.9" in seen_from(trusted_proxy="127.0.0.1")


def test_pages_may_lie_under_a_path(pages: Pages, port: int) -> None:
    pages.bed.configure(installation={"public_url": "https://example.org/calendar"})
    with serving(pages.bed.house):
        page = ask(port, "/calendar/privacy")
        assert page.status_code == 200
        assert 'href="/calendar/static/style.css"' in page.text
        assert ask(port, "/calendar/static/style.css").status_code == 200


def test_metrics_are_not_among_the_pages(pages: Pages, port: int) -> None:
    with serving(pages.bed.house):
        for path in ("/metrics", "/health", "/status"):
            assert ask(port, path).status_code == 404
    assert pages.browser().open(f"{PUBLIC}/metrics").answer.status == 404
