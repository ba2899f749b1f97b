"""The border: whatever text an LMS holds becomes plain, clean and of bounded length here.

HTML becomes plain text. Control characters, halves of surrogate pairs, noncharacters and those controls
that turn the direction of text around go; every kind of line end becomes one. Nothing after this module
needs to think of them again.
"""

from __future__ import annotations

import html
import re
import unicodedata
import warnings
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
from bs4.element import Comment, Tag

LONGEST_BLOCK = 8_000
LONGEST_LINE = 255
LONGEST_LOCATION = 1_000
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
_UNSEEN = ["script", "style", "head", "title", "template", "noscript", "iframe", "object", "select"]
_PARAGRAPHS = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre"]
_LINES = ["div", "li", "tr", "dt", "dd", "section", "article", "header", "footer", "address", "figure", "hr"]

_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_BLANKS = re.compile(r"[^\S\n]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNWANTED = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls (ISO/IEC 6429)
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides, isolates (Unicode UAX #9); marks stay
    "\ufeff\ufdd0-\ufdef\ufffe\uffff"  # byte-order mark, noncharacters
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "\U000e0001]"
)


def block(raw: object) -> str:
    """A text of several lines, at most 8,000 characters, cut at a word."""
    lines = [_BLANKS.sub(" ", line).strip() for line in _plain(raw).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return cut(text, LONGEST_BLOCK)


def line(raw: object, longest: int = LONGEST_LINE) -> str:
    """A text of one line."""
    return cut(" ".join(_plain(raw).split()), longest)


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


def clean(text: str) -> str:
    """Without what no calendar, mail or terminal should be sent; line ends are ``\\n``."""
    text = _LINE_END.sub("\n", text)
    return _UNWANTED.sub("", _SURROGATE.sub("\ufffd", text))


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


def _joined(text: str, at: int) -> bool:
    """Whether what a reader sees as one character would be cut in two here."""
    after, before = text[at], text[at - 1]
    return before == "\u200d" or after in "\u200d\ufe0e\ufe0f" or unicodedata.combining(after) != 0


def _plain(raw: object) -> str:
    text = clean(_text(raw)[:_LONGEST_SOURCE])
    if _MARKUP.search(text):
        return clean(_without_markup(text))
    return clean(html.unescape(text)) if _ENTITY.search(text) else text


def _text(raw: object) -> str:
    if raw is None:
        return ""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def _without_markup(source: str) -> str:
    """What a reader of the page would read. Line ends of the source stay: they are often meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        soup = BeautifulSoup(source, "html.parser")
    for tag in soup.find_all(_UNSEEN):
        tag.extract()
    for comment in soup.find_all(string=lambda string: isinstance(string, Comment)):
        comment.extract()
    for tag in soup.find_all(True):
        _spell_out(tag)
    return soup.get_text()


def _spell_out(tag: Tag) -> None:
    """Put what the tag means into text: line ends, bullets, the address of a link, a picture's words."""
    if tag.name == "br":
        tag.replace_with("\n")
    elif tag.name == "img":
        tag.replace_with(str(tag.get("alt") or ""))
    elif tag.name == "a":
        address = link(tag.get("href"))
        if address and address not in tag.get_text():
            tag.append(f" ({address})")
    elif tag.name in ("td", "th"):
        tag.append(" ")
    elif tag.name in _PARAGRAPHS or tag.name in _LINES:
        end = "\n\n" if tag.name in _PARAGRAPHS else "\n"
        tag.insert(0, f"{end}- " if tag.name == "li" else end)
        tag.append(end)
