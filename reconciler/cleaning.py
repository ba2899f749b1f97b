"""Text without what no calendar, mail or terminal should be sent.

Control characters, halves of surrogate pairs, noncharacters and those controls that turn the direction of
text around go; every kind of line end becomes one.
"""

from __future__ import annotations

import re

LINE_END = re.compile("\r\n|[\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNWANTED = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls (ISO/IEC 6429)
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides, isolates (Unicode UAX #9); marks stay
    "\ufeff\ufdd0-\ufdef\ufffe\uffff"  # byte-order mark, noncharacters
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "\U000e0001]"
)


def clean(text: str) -> str:
    """A text of several lines; line ends are ``\\n``."""
    text = LINE_END.sub("\n", text)
    return _UNWANTED.sub("", _SURROGATE.sub("\ufffd", text))


def one_line(text: str) -> str:
    """A text of one line, with single blanks and none at its ends."""
    return " ".join(clean(text).split())
