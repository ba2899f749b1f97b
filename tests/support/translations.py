"""Every message of the pages, found in their templates and modules."""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_dir

import reconciler.web

_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
_OPTIONS = {"**/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}

Message = str | tuple[str, str]


def messages() -> list[Message]:
    """Each once: a text, or the two forms of a plural, in order."""
    folder = Path(reconciler.web.__file__).parent
    found = extract_from_dir(folder, _METHODS, _OPTIONS, keywords=_KEYWORDS)  # type: ignore[arg-type]
    return sorted({message for _, _, message, _, _ in found}, key=str)  # type: ignore[misc]
