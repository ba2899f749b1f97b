"""A browser without scripts: it opens pages, reads what people read, and presses buttons by their words.

Our pages are asked for in this process, as the application serves them; everybody else's over the network. It
follows redirects, keeps cookies by host, and shows what it was told last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient

from tests.support.microsoft_bed import certificates

FOLLOWED = 10


@dataclass(frozen=True)
class Answer:
    """What came back, from us or from elsewhere."""

    url: str
    status: int
    headers: Any
    text: str


@dataclass
class Browser:
    """One browser, with one tab to look at. ``headers`` go with every request to us."""

    app: Flask
    home: str
    address: str = "192.0.2.1"
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[Answer] = field(default_factory=list)
    _client: FlaskClient = field(init=False)
    _elsewhere: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self._client = self.app.test_client()
        self._elsewhere.trust_env = False
        self._elsewhere.verify = str(certificates().ca_file)

    # Looking --------------------------------------------------------------------------------------

    @property
    def answer(self) -> Answer:
        return self.seen[-1]

    @property
    def page(self) -> BeautifulSoup:
        return BeautifulSoup(self.answer.text, "html.parser")

    @property
    def heading(self) -> str:
        found = self.page.find("h1")
        return " ".join(found.get_text().split()) if found else ""

    @property
    def text(self) -> str:
        body = self.page.find("main") or self.page
        return " ".join(body.get_text(" ").split())

    def buttons(self) -> list[str]:
        return [_words(one) for one in self.page.find_all("button")]

    def cookie(self, name: str) -> str | None:
        found = self._client.get_cookie(name, urlsplit(self.home).hostname or "")
        return found.value if found else None

    def cookies(self) -> dict[str, str]:
        return {one.key: one.value for one in self._client._cookies.values()}  # type: ignore[union-attr]

    # Going ----------------------------------------------------------------------------------------

    def open(self, url: str, follow: bool = True) -> Browser:
        return self.send("GET", url, follow=follow)

    def send(
        self, method: str, url: str, form: list[tuple[str, str]] | None = None, follow: bool = True
    ) -> Browser:
        """Ask for an address, follow where it leads, and look at what is there."""
        url = urljoin(self.seen[-1].url if self.seen else self.home, url)
        for _ in range(FOLLOWED):
            answer = self._ask(method, url, form)
            self.seen.append(answer)
            target = answer.headers.get("Location") or _refresh(answer)
            if not follow or target is None:
                return self
            method, form, url = "GET", None, urljoin(url, target)
        raise AssertionError("redirected for ever")

    def _ask(self, method: str, url: str, form: list[tuple[str, str]] | None) -> Answer:
        if url.startswith(self.home):
            parts = urlsplit(url)
            ours = self._client.open(
                f"{parts.path}?{parts.query}" if parts.query else parts.path or "/",
                method=method,
                base_url=self.home,
                data=urlencode(form) if form is not None else None,
                content_type="application/x-www-form-urlencoded" if form is not None else None,
                headers=self.headers,
                environ_overrides={"REMOTE_ADDR": self.address},
            )
            return Answer(url, ours.status_code, ours.headers, ours.get_data(as_text=True))
        theirs = self._elsewhere.request(method, url, data=form, allow_redirects=False, timeout=10)
        return Answer(url, theirs.status_code, theirs.headers, theirs.text)

    def press(self, words: str, follow: bool = True, **choices: str | list[str]) -> Browser:
        """Press the button (or link) of these words; ``choices`` are what was ticked or filled in before."""
        found = [one for one in self.page.find_all(["button", "a"]) if _words(one) == words]
        assert found, f"no {words!r} among {self.buttons()}"
        pressed = found[0]
        if pressed.name == "a":
            return self.open(str(pressed["href"]), follow)
        form = pressed.find_parent("form")
        assert isinstance(form, Tag)
        fields = [*_fields(form, choices)]
        if pressed.get("name"):
            fields.append((str(pressed["name"]), str(pressed.get("value", ""))))
        target, method = str(form.get("action", self.answer.url)), str(form.get("method", "get")).upper()
        if method == "GET":
            return self.open(f"{target}?{urlencode(fields)}" if fields else target, follow)
        return self.send(method, target, fields, follow)


_TICKED = ("checkbox", "radio")


def _fields(form: Tag, choices: dict[str, str | list[str]]) -> list[tuple[str, str]]:
    """What the form sends, as it stands but for the choices."""
    fields = [
        (str(one["name"]), str(one.get("value", "on" if one.get("type") in _TICKED else "")))
        for one in form.find_all("input")
        if one.get("name") not in (None, *choices)
        and (one.get("type") not in _TICKED or one.has_attr("checked"))
    ]
    fields += [
        (str(select["name"]), option.get_text())
        for select in form.find_all("select")
        if select.get("name") not in choices and (option := select.find("option"))
    ]
    for name, chosen in choices.items():
        fields += [(name, one) for one in ([chosen] if isinstance(chosen, str) else chosen)]
    return fields


def _words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def _refresh(answer: Answer) -> str | None:
    found = BeautifulSoup(answer.text, "html.parser").find("meta", attrs={"http-equiv": "refresh"})
    return str(found["content"]).partition("url=")[2] if isinstance(found, Tag) else None
