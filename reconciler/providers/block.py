"""Our block within an event's description: found, read and replaced without touching its owner's text.

The block stands between two lines that a person understands. Everything above and below belongs to the
event's owner and is kept character for character, mark-up included. Vendors' editors turn descriptions
into HTML (``<br>``, entities, links wrapped in ``<a>``), so a block is read as text and is to be compared
with white space folded (:func:`reconciler.diff.fields.folded`).

Everywhere ``html`` says what the description is: ``True``, ``False``, or ``None`` where the vendor does
not tell: it is then taken for HTML where a browser would read something else than the characters written.
Pure: no error is raised for any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape
from typing import NamedTuple

from bs4 import BeautifulSoup

from reconciler.diff.fields import folded

FIRST_LINE = "=== Training (kept up to date for you; write your own notes above or below) ==="
LAST_LINE = "=== End of training details ==="

_TAG = r"<[^<>]*>"
_MARKUP = re.compile(r"<[A-Za-z/!?]")
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_BLOCK_TAGS = ("p", "div", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "blockquote")
_VOID_TAGS = frozenset({"br", "hr", "img", "wbr", "meta", "link", "input", "col"})
_BREAK = re.compile(rf"(\n|</?(?:br|{'|'.join(_BLOCK_TAGS)})\b[^<>]*>)", re.IGNORECASE)
_TELLING = 12  # characters of a delimiter that are enough to know it by


def _across(gap: str, line: str) -> re.Pattern[str]:
    return re.compile(gap.join(re.escape(word) for word in line.split()))


def _patterns(gap: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    return _across(gap, FIRST_LINE), _across(gap, LAST_LINE)


_PLAIN = _patterns(r"\s+")
_HTML = _patterns(rf"(?:\s|&nbsp;|&#160;|&#xa0;|{_TAG})+")


class Parts(NamedTuple):
    """A description, taken apart. ``before`` and ``after`` are as stored; ``block`` is plain text without
    its delimiters, ``None`` where they are not both there."""

    before: str
    block: str | None
    after: str


class _Place(NamedTuple):
    """Where a block lies: from the start of its first delimiter to the end of its last, and its inside."""

    start: int
    inside: str
    end: int


def looks_like_html(text: str) -> bool:
    """Whether a browser would read this as something else than the characters written."""
    return bool(_MARKUP.search(text)) or unescape(text) != text


def text_of(html: str) -> str:
    """What a person reads in this HTML, line breaks kept."""
    soup = BeautifulSoup(f"<div>{html}</div>", "html.parser")
    for line_break in soup.find_all("br"):
        line_break.replace_with("\n")
    for element in soup.find_all(_BLOCK_TAGS):
        element.append("\n")
    return soup.get_text().strip()


def wrap(block: str, html: bool = False) -> str:
    """The block between its delimiters, as text or as HTML."""
    lines = [FIRST_LINE, *_harmless(block).split("\n"), LAST_LINE]
    return "<br>".join(escape(line, quote=False) for line in lines) if html else "\n".join(lines)


def split(description: str, html: bool | None = None) -> Parts:
    """The owner's text above, our block, the owner's text below."""
    markup = looks_like_html(description) if html is None else html
    place = _find(description, markup)
    if place is None:
        return Parts(description, None, "")
    block = text_of(place.inside) if markup else place.inside.strip()
    return Parts(description[: place.start], block, description[place.end :])


def replace(description: str, block: str, html: bool | None = None) -> str:
    """The description with this block in the place of the one that is there, or below everything else.

    Delimiters half deleted by the owner, and what can be told to be ours beside them, are cleared away.
    """
    markup = looks_like_html(description) or looks_like_html(block) if html is None else html
    place = _find(description, markup)
    new = wrap(block, markup)
    if place is None:
        return _append(_without_remains(description, block), new, markup)
    kept = _unpaired_tags(description[place.start : place.end]) if markup else ""
    return description[: place.start] + new + kept + description[place.end :]


def _harmless(block: str) -> str:
    """The block without anything in it that reads like a delimiter, its line ends made one."""
    text = "\n".join(block.strip().splitlines())
    for pattern in _PLAIN:
        text = pattern.sub(lambda found: found[0].replace("===", "--"), text)
    return text


def _find(description: str, markup: bool) -> _Place | None:
    """The innermost first and last delimiter that belong together."""
    first, last = _HTML if markup else _PLAIN
    begins = list(first.finditer(description))
    for end in last.finditer(description):
        before = [begin for begin in begins if begin.end() <= end.start()]
        if before:
            begin = before[-1]
            return _Place(begin.start(), description[begin.end() : end.start()], end.end())
    return None


def _append(description: str, new: str, markup: bool) -> str:
    """Below everything else; in a whole HTML document, before its body ends."""
    ends = list(_BODY_END.finditer(description)) if markup else []
    at = ends[-1].start() if ends else len(description)
    gap = "<br><br>" if markup else "\n\n"
    return description[:at] + (gap if description[:at].strip() else "") + new + description[at:]


def _unpaired_tags(html: str) -> str:
    """The tags in this piece whose other half lies outside: without them the rest would change its looks."""
    opened: list[tuple[str, str]] = []
    closing: list[str] = []
    for found in re.finditer(r"<(/?)([A-Za-z][A-Za-z0-9]*)[^<>]*>", html):
        name = found[2].lower()
        if name in _VOID_TAGS or found[0].endswith("/>"):
            continue
        if not found[1]:
            opened.append((name, found[0]))
        elif opened and opened[-1][0] == name:
            opened.pop()
        else:
            closing.append(found[0])
    return "".join(closing) + "".join(tag for _, tag in opened)


def _without_remains(description: str, block: str) -> str:
    """The description without single delimiters, parts of them, and lines of the block beside them."""
    if not description:
        return description
    pieces = _BREAK.split(description)  # text, break, text, break, ... text
    texts = [folded(text_of(piece) if "<" in piece or "&" in piece else piece) for piece in pieces[::2]]
    ours = [folded(line) for line in _harmless(block).split("\n") if line.strip()]
    dropped = _delimiters(texts)
    dropped |= set(_spread(texts, ours, dropped)) | set(_whole(texts, ours))
    kept = []
    for number, (piece, line_break) in enumerate(zip(pieces[::2], [*pieces[1::2], ""], strict=True)):
        if number in dropped:
            kept.append(_unpaired_tags(piece) + ("" if _plain_break(line_break) else line_break))
        else:
            kept.append(piece + line_break)
    return "".join(kept)


def _plain_break(line_break: str) -> bool:
    return line_break == "\n" or line_break.lower().startswith("<br")


def _delimiters(texts: list[str]) -> set[int]:
    """The lines that are a delimiter, or enough of one."""
    return {
        number
        for number, text in enumerate(texts)
        if len(text) >= _TELLING and "===" in text and (text in FIRST_LINE or text in LAST_LINE)
    }


def _spread(texts: list[str], ours: list[str], delimiters: set[int]) -> Iterable[int]:
    """The lines of the block below a first delimiter, or above a last one."""
    for number in delimiters:
        step = 1 if texts[number] in FIRST_LINE else -1
        at, since = number + step, []
        while 0 <= at < len(texts) and (not texts[at] or texts[at] in ours):
            since.append(at)
            if texts[at]:
                yield from since
                since = []
            at += step


def _whole(texts: list[str], ours: list[str]) -> Iterable[int]:
    """The lines of the block where it stands whole, without its delimiters."""
    filled = [number for number, text in enumerate(texts) if text]
    for at in range(len(filled) - len(ours) + 1):
        run = filled[at : at + len(ours)]
        if ours and [texts[number] for number in run] == ours:
            return range(run[0], run[-1] + 1)
    return ()
