"""How the pages look that people see at a simulated vendor: plainly ones of a simulator, and good to read."""

from __future__ import annotations

from html import escape

from werkzeug.wrappers import Response

_STYLE = """
:root{color-scheme:light dark;--page:#eef1f4;--card:#fff;--ink:#1f2328;--quiet:#59636e;--line:#d5dae0}
@media(prefers-color-scheme:dark){:root{--page:#14171a;--card:#1d2125;--ink:#e8eaed;--quiet:#a4adb6;--line:#3a4149}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.25rem;background:var(--page);
color:var(--ink);overflow-wrap:anywhere;
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
main{width:100%;max-width:29rem;background:var(--card);border:1px solid var(--line);
border-radius:1rem;padding:1.75rem}
.vendor{margin:0 0 1rem;color:var(--quiet);font-size:.9rem}
h1{font-size:1.35rem;line-height:1.25;margin:0 0 1rem}
ul{list-style:none;padding:0;margin:1rem 0}
li{padding:.6rem 0;border-top:1px solid var(--line)}
li label{display:flex;gap:.75rem;align-items:start}
small{display:block;color:var(--quiet)}
input,select,button{font:inherit;color:inherit}
input[type=checkbox]{width:1.2rem;height:1.2rem;flex:none;margin:.2rem 0 0}
input:not([type=checkbox]),select{display:block;width:100%;margin-top:.25rem;padding:.55rem;
border:1px solid var(--quiet);border-radius:.5rem;background:var(--card)}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem;justify-content:end;margin:1.25rem 0 0}
button{font-weight:600;padding:.6rem 1.25rem;border:1px solid var(--quiet);border-radius:.5rem;
background:none;cursor:pointer}
button.yes{background:#0b57a8;border-color:#0b57a8;color:#fff}
:focus-visible{outline:3px solid #3d8be0;outline-offset:2px}
"""


def person_page(vendor: str, title: str, body: str, status: int = 200) -> Response:
    """A page of this vendor's; ``body`` is HTML. Real ones refuse to be framed, and so does this."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<p class="vendor">{escape(vendor)} (simulated)</p><h1>{escape(title)}</h1>{body}'
        "</main></body></html>"
    )
    headers = {"X-Frame-Options": "DENY", "Cache-Control": "no-store, no-cache"}
    return Response(html, status=status, content_type="text/html; charset=utf-8", headers=headers)
