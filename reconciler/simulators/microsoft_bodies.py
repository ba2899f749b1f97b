"""What Exchange makes of an event's body: text in a generated HTML wrapper, HTML with a head of its own.

What is read is never what was sent: microsoft-graph-docs issues 8215, 5507, 11663.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache

from bs4 import BeautifulSoup

_HEAD = '<html>\r\n<head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
_TEXT_HEAD = (
    _HEAD + '<meta name="Generator" content="Microsoft Exchange Server">\r\n<!-- converted from text -->\r\n'
    "<style><!-- .EmailQuote { margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px solid; } -->"
    "</style>"
    '</head>\r\n<body>\r\n<font size="2"><span style="font-size:11pt;"><div class="PlainText">'
)
_TEXT_TAIL = "</div></span></font>\r\n</body>\r\n</html>\r\n"
_BLOCKS = ("p", "div", "li", "tr", "h1", "h2", "h3", "h4", "ul", "ol", "table")


@lru_cache(maxsize=4096)
def as_html(content_type: str, content: str) -> str:
    """The body as read by default."""
    if content_type == "text":
        lines = [html.escape(line, quote=False) for line in _lines(content)]
        return _TEXT_HEAD + "<br>\r\n".join(lines) + _TEXT_TAIL
    soup = BeautifulSoup(content, "html.parser")
    for tag in soup(["script", "style", "meta", "title"]):
        tag.decompose()
    inner = soup.body.decode_contents() if soup.body else str(soup)
    return f"{_HEAD}</head>\r\n<body>\r\n{inner.strip()}\r\n</body>\r\n</html>\r\n"


@lru_cache(maxsize=4096)
def as_text(content_type: str, content: str) -> str:
    """The body as read with outlook.body-content-type="text": CRLF, no white space at the ends of lines."""
    return "".join(line + "\r\n" for line in _lines(content if content_type == "text" else _plain(content)))


def preview(content_type: str, content: str) -> str:
    """The first 255 characters, as text."""
    return re.sub(r"(\r\n)+", "\r\n", as_text(content_type, content)).strip()[:255]


def _lines(text: str) -> list[str]:
    lines = re.split(r"\r\n|\r|\n", text)
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]


def _plain(content: str) -> str:
    soup = BeautifulSoup(content, "html.parser")
    for tag in soup(["script", "style", "head"]):
        tag.decompose()
    for text in list(soup.find_all(string=True)):
        text.replace_with(re.sub(r"\s+", " ", text))
    for tag in soup.find_all("a", href=True):
        if tag.get_text() != tag["href"]:
            tag.append(f"<{tag['href']}>")
    for tag in soup.find_all("br"):
        tag.replace_with("\n")
    for tag in soup.find_all(_BLOCKS):
        tag.append("\n")
    return soup.get_text()
