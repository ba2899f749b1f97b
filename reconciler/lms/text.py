"""The border: whatever text an LMS holds becomes plain, clean and of bounded length here.

HTML becomes plain text, and what :mod:`reconciler.cleaning` names goes. Nothing after this module needs to
think of either again.
"""

from __future__ import annotations

import html
import re
import unicodedata
import warnings
from collections.abc import Hashable
from functools import lru_cache
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
from bs4.element import NavigableString, PreformattedString, Tag

from reconciler.cleaning import LINE_END, clean

LONGEST_BLOCK = 8_000
LONGEST_LINE = 255
LONGEST_LOCATION = 1_000
LONGEST_ADDRESS = 320
LONGEST_URL = 2_000
_LONGEST_SOURCE = 100_000  # characters looked at at all: a page pasted whole must not cost minutes
_WORD_WITHIN = 200  # a word longer than this is cut within

_MARKUP = re.compile(
    r"</?(?:a|abbr|address|article|b|big|blockquote|br|center|cite|code|dd|del|details|div|dl|dt|em|figure|font|"
    r"footer|h[1-6]|head|header|hr|html|body|i|iframe|img|ins|kbd|li|link|main|mark|meta|nav|ol|p|pre|q|s|samp|"
    r"script|section|small|span|strike|strong|style|sub|summary|sup|table|tbody|td|tfoot|th|thead|title|tr|tt|u|"
    r"ul|var)(?:\s[^<>]*)?/?>|<!--|<!doctype",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_UNSEEN = frozenset(
    ("script", "style", "head", "title", "template", "noscript", "iframe", "object", "select")
)
_LINE, _PARAGRAPH = "\x02", "\x03"  # ends of a line and a paragraph, until white space is folded
_BREAKS = (
    dict.fromkeys(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table"), _PARAGRAPH)
    | dict.fromkeys(("blockquote", "pre", "hr"), _PARAGRAPH)
    | dict.fromkeys(("div", "li", "tr", "dt", "dd", "section", "article", "header", "footer"), _LINE)
    | dict.fromkeys(("address", "figure", "details", "summary", "nav", "main", "center"), _LINE)
    | {"br": "\n", "td": " ", "th": " "}
)
_SPACE = re.compile(f"[\\s{_LINE}{_PARAGRAPH}]+")

_UNSETTLED = ("<", "&", "  ", " \n", "\n ", "\n\n\n")  # may be markup, or white space to be folded


@lru_cache(maxsize=8_192)  # sessions are read every minute and change once a month
def block(raw: Hashable) -> str:
    """A text of several lines, at most 8,000 characters, cut at a word."""
    if _settled(raw, LONGEST_BLOCK):
        return str(raw)
    return cut(clean(_SPACE.sub(_folded, _plain(raw)).strip()), LONGEST_BLOCK)


def line(raw: object, longest: int = LONGEST_LINE) -> str:
    """A text of one line."""
    if _settled(raw, longest) and "\n" not in str(raw):
        return str(raw)
    return cut(clean(_SPACE.sub(" ", _plain(raw)).strip()), longest)


def link(raw: object) -> str:
    """A web address, or nothing where it is none: a link of another kind has no place in a calendar."""
    text = clean("" if raw is None else str(raw)).strip()
    if len(text) > LONGEST_URL or re.search(r"\s", text):
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in ("http", "https") and parts.hostname else ""


def cut(text: str, longest: int) -> str:
    """At most so many characters, the last one an ellipsis if anything was cut."""
    if len(text) <= longest:
        return text
    end = longest - 1
    space = max(text.rfind(blank, end - _WORD_WITHIN, end + 1) for blank in (" ", "\n"))
    if space > 0:
        end = space
    while end > 0 and _joined(text, end):
        end -= 1
    return text[:end].rstrip() + "…"


def _settled(raw: object, longest: int) -> bool:
    """Whether a text is already as the border leaves it: most are, and a scan looks at each of them."""
    return (
        isinstance(raw, str)
        and len(raw) <= longest
        and raw.replace("\n", "").isprintable()  # neither controls nor halves, noncharacters, odd blanks
        and raw == raw.strip()
        and not any(mark in raw for mark in _UNSETTLED)
    )


def _joined(text: str, at: int) -> bool:
    """Whether what a reader sees as one character would be cut in two here."""
    after, before = text[at], text[at - 1]
    return before == "\u200d" or after in "\u200d\ufe0e\ufe0f" or unicodedata.combining(after) != 0


def _plain(raw: object) -> str:
    text = clean(_text(raw)[:_LONGEST_SOURCE])
    if _MARKUP.search(text):
        text = _without_markup(text)
    elif _ENTITY.search(text):
        text = html.unescape(text)
    return LINE_END.sub("\n", text)


def _folded(space: re.Match[str]) -> str:
    """At most one empty line, and blanks to one."""
    found = space.group()
    if _PARAGRAPH in found or found.count("\n") > 1:
        return "\n\n"
    return "\n" if _LINE in found or "\n" in found else " "


def _text(raw: object) -> str:
    if raw is None:
        return ""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def _without_markup(source: str) -> str:
    """What a reader of the page would read. Line ends of the source stay: they are often meant.

    Walks the tree once and keeps no more than the open tags, so that no nesting makes it slow.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        soup = BeautifulSoup(_COMMENT.sub("", source), "html.parser")
    page = _Page()
    path: list[Tag] = [soup]
    for node in soup.descendants:
        while path[-1] is not node.parent:
            page.close(path.pop())
        if isinstance(node, Tag):
            page.open(node)
            path.append(node)
        elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            page.write(node)
    for tag in reversed(path):
        page.close(tag)
    return "".join(page.parts)


class _Page:
    """Text as it is read: tags become line ends, bullets, the addresses of links, pictures' words."""

    def __init__(self) -> None:
        self.parts: list[str] = [""]
        self._unseen = 0

    def write(self, text: str) -> None:
        if text and not self._unseen:
            self.parts.append(text)

    def open(self, tag: Tag) -> None:
        self._unseen += tag.name in _UNSEEN
        self.write(_BREAKS.get(tag.name, ""))
        if tag.name == "li":
            self.write("- ")
        elif tag.name == "img":
            self.write(str(tag.get("alt") or ""))

    def close(self, tag: Tag) -> None:
        if tag.name == "a":
            address = link(tag.get("href"))
            self.write(f" ({address})" if address and address not in self.parts[-1] else "")
        elif tag.name not in ("br", "hr"):
            self.write(_BREAKS.get(tag.name, ""))
        self._unseen -= tag.name in _UNSEEN
