"""Text as nobody should write it, for every place where text goes."""

from __future__ import annotations

HOSTILE = {
    "CR LF": "a\r\nBcc: eve@example.com\r\n\r\nBEGIN:VEVENT",
    "bare LF": "a\nATTENDEE:mailto:eve@example.com",
    "bare CR": "a\rX-EVIL:1",
    "line separator": "a\u2028Bcc: eve@example.com\u2029b\x85c",
    "NUL": "a\x00b",
    "controls": "a\x07\x1b[31mb\x7f\x9b",
    "bidi": "a\u202egnp.exe\u202c\u2066x\u2069",
    "half a pair": "a\ud800b",
    "noncharacter": "a\ufffe\uffffb",
    "10,000 characters": "long " * 2_000,
    "10,000 characters in one word": "w" * 10_000,
    "combining": "e\u0301" * 500,
    "HTML": '<script>alert(1)</script><img src=x onerror="alert(1)">&amp;"\'',
    "end of HTML": "--></style></table></body></html><h1>gone</h1>",
    "template braces": "{{ 7 * 7 }}{% for x in range(10**9) %}{# #}${x}%(y)s",
    "template escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "iCalendar": 'a;b,c\\n:d"e\\;END:VCALENDAR',
    "encoded word": "=?utf-8?q?=0D=0ABcc:_eve=40example.com?=",
    "address": 'x" <eve@example.com>, <y@example.com>',
    "markup of ours": "\x02table\x03 **bold** [link](javascript:alert(1))",
    "emoji": "👩‍👩‍👧‍👦" * 30,
    "dots": ".\r\n.\r\nQUIT\r\n",
}
