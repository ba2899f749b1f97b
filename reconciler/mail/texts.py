"""The texts of mails: ours in two languages, an operator's in their place, and what is wrong with those.

A text is one file, ``<language>/<name>.txt``: a line ``Subject: ...``, an empty line, and the sentences. It
is a Jinja template, rendered twice, for the plain and for the HTML body. ``<language>/words.toml`` has the
words that stand in every mail, and ``layout.html`` is the frame of HTML. Templates run in a sandbox, and what
people have written reaches them as data only.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from babel import Locale
from jinja2 import Template as Compiled
from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.runtime import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reconciler import spoken
from reconciler.cleaning import clean, one_line
from reconciler.mail.forms import Plain, Rich, safe_link
from reconciler.mail.letter import Letter, Template, day_fact, day_of

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent / "templates"
_LAYOUT, _WORDS = "layout.html", "words.toml"
_SUBJECT = "Subject:"
_NAMES = [template.value for template in Template]
_LONGEST_SUBJECT = 180
_SEVERAL_LINES = frozenset({"details"})

_NO_SESSION = {"title": "", "course": "", "details": "", "location": "", "url": "", "instructors": []}
_NOTHING_BEFORE = {"title": "", "location": "", "details": "", "instructors": ""}
_ABSENT: Mapping[str, Any] = {
    "person": "",
    "role": "learner",
    "days": [],
    "sessions": [],
    "day": None,
    "change": "",
    "was": {},
    "whole": False,
    "until": None,
    "answer_url": "",
    "connect_url": "",
    "vendor": "",
    "account": "",
    "contact": "",
    "why": "",
}
"""What a text may ask for though a letter does not tell it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A letter in words. ``language`` as in Content-Language (RFC 3282)."""

    subject: str
    plain: str
    html: str
    language: str


@dataclass(frozen=True)
class Source:
    """One text, compiled: for its subject, and for each body."""

    subject: Compiled
    plain: Compiled
    rich: Compiled


class TextProblem(Exception):
    """What is wrong with a file of texts, with its place."""


def _environment(*, rich: bool) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(autoescape=rich, undefined=StrictUndefined)


_PLAIN, _RICH = _environment(rich=False), _environment(rich=True)


class Folder:
    """A folder of texts, ours or an operator's, read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.words: dict[str, dict[str, str]] = {}
        self.sources: dict[tuple[str, Template], Source] = {}
        self.layout: Compiled | None = None
        self._read()

    @property
    def languages(self) -> set[str]:
        """The languages with anything in them."""
        return {*self.words, *(language for language, _ in self.sources)}

    def _read(self) -> None:
        try:
            entries = sorted(self.path.iterdir())
        except OSError as error:
            self.problems.append(f"{self.path}: cannot be read: {error.strerror}")
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                for file in sorted(entry.iterdir()):
                    self._read_file(entry.name, file)
            elif entry.name == _LAYOUT:
                self.layout = self._tried(entry, _RICH.from_string)
            else:
                self.problems.append(f"{entry}: is no text: {_LAYOUT}, or a folder for each language")

    def _read_file(self, language: str, file: Path) -> None:
        if file.name.startswith("."):
            return
        if file.name == _WORDS:
            self.words[language] = self._tried(file, _words) or {}
        elif file.suffix == ".txt" and file.stem in _NAMES:
            source = self._tried(file, _source)
            if source is not None:
                self.sources[language, Template(file.stem)] = source
        else:
            names = ", ".join(f"{name}.txt" for name in _NAMES)
            self.problems.append(f"{file}: is no text of ours: {names}, {_WORDS}")

    def _tried(self, file: Path, read: Any) -> Any:
        try:
            return read(file.read_text("utf-8"))
        except OSError as error:
            self.problems.append(f"{file}: cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            self.problems.append(f"{file}: is not UTF-8 text")
        except TemplateSyntaxError as error:
            self.problems.append(f"{file}:{error.lineno}: {error.message}")
        except (tomllib.TOMLDecodeError, TextProblem) as error:
            self.problems.append(f"{file}: {error}")
        return None


def _words(text: str) -> dict[str, str]:
    found = tomllib.loads(text)
    strange = [name for name, value in found.items() if not isinstance(value, str)]
    if strange:
        raise TextProblem(f"{strange[0]} must be a text")
    return found


def _source(text: str) -> Source:
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    if not head.startswith(_SUBJECT) or "\n" in head.strip():
        raise TextProblem("must begin with a line 'Subject: ...' and an empty line")
    lines = "\n" * (head.count("\n") + 2)  # so that the lines of problems are those of the file
    subject = _PLAIN.from_string(head.removeprefix(_SUBJECT).strip())
    return Source(subject, _PLAIN.from_string(lines + body), _RICH.from_string(lines + body))


class Texts:
    """All texts there are. ``own`` is an operator's folder; ``language`` is the one of last resort."""

    def __init__(
        self, own: Path | None = None, language: str = spoken.ENGLISH, brand: str = "Training"
    ) -> None:
        self._shipped = Folder(SHIPPED)
        self._own = Folder(own) if own else None
        self._language = language
        self._brand = brand

    @property
    def languages(self) -> set[str]:
        """The languages that people can be written to in."""
        return self._shipped.languages | (self._own.languages if self._own else set())

    def write(self, letter: Letter) -> Written:
        """A letter in words. A text of an operator's that fails on this letter is replaced by ours."""
        locale = spoken.choose([letter.locale, self._language], self.languages)
        folders = [folder for folder in (self._own, self._shipped) if folder]
        for folder in folders:
            source = folder.sources.get((locale.language, letter.template))
            if source is None:
                continue
            try:
                return self._written(letter, locale, source)
            except Exception as error:
                if folder is self._shipped:
                    raise
                log.warning("the text %s/%s.txt failed (%s): ours is sent", locale, letter.template, error)
        source = self._shipped.sources[spoken.ENGLISH, letter.template]
        return self._written(letter, Locale(spoken.ENGLISH), source)

    def _written(self, letter: Letter, locale: Locale, source: Source) -> Written:
        words = self.words(locale.language)
        facts = told(letter)
        subject = source.subject.render({**facts, **_tools(Plain(words, locale), facts)})
        subject = one_line(str(subject))
        if len(subject) > _LONGEST_SUBJECT:
            subject = subject[: _LONGEST_SUBJECT - 1].rstrip() + "…"
        plain, rich = Plain(words, locale), Rich(words, locale)
        body = rich.page(source.rich.render({**facts, **_tools(rich, facts)}))
        html = self._layout().render(
            subject=subject, body=body, words=words, language=locale.language, brand=self._brand
        )
        footer = words["footer"].format(brand=self._brand)
        text = plain.page(source.plain.render({**facts, **_tools(plain, facts)}))
        return Written(subject, f"{text}\n-- \n{footer}\n", html, str(locale).replace("_", "-"))

    def words(self, language: str) -> dict[str, str]:
        """The words of a language: an operator's where there are some, ours otherwise."""
        ours = self._shipped.words.get(language) or self._shipped.words[spoken.ENGLISH]
        own = self._own.words.get(language, {}) if self._own else {}
        return {**ours, **own}

    def _layout(self) -> Compiled:
        layout = (self._own and self._own.layout) or self._shipped.layout
        assert layout is not None
        return layout

    # What is wrong -------------------------------------------------------------------------------

    def check(self, samples: Sequence[Letter]) -> list[str]:
        """What is wrong with an operator's texts: each is written with each of the samples."""
        if self._own is None:
            return []
        problems = [*self._own.problems, *self._word_problems(), *self._missing()]
        for (language, template), source in self._own.sources.items():
            file = self._own.path / language / f"{template}.txt"
            for sample in samples:
                if sample.template is template and (found := self._failing(sample, language, source)):
                    problems.append(f"{file}{found}")
                    break
        return problems

    def _failing(self, sample: Letter, language: str, source: Source) -> str | None:
        try:
            self._written(sample, spoken.choose([language], self.languages), source)
        except TemplateError as error:
            return f":{_line_of(error)}: {error.message}"
        except Exception as error:
            return f":{_line_of(error)}: {error}"
        return None

    def _word_problems(self) -> list[str]:
        known = self._shipped.words[spoken.ENGLISH]
        own = self._own
        assert own is not None
        return [
            f"{own.path / language / _WORDS}: {name} is no word of ours: {', '.join(known)}"
            for language, words in own.words.items()
            for name in words
            if name not in known
        ]

    def _missing(self) -> list[str]:
        """A language of the operator's own needs every text, or people would read two languages."""
        own, shipped = self._own, self._shipped
        assert own is not None
        problems = []
        for language in sorted(own.languages - shipped.languages):
            there = {name for spoken_in, name in own.sources if spoken_in == language}
            missing = [f"{name}.txt" for name in Template if name not in there]
            missing += [name for name in (_WORDS,) if language not in own.words]
            if missing:
                problems.append(
                    f"{own.path / language}: {', '.join(missing)} missing: a language needs them all"
                )
        return problems


def _line_of(error: Exception) -> int:
    """The line of the template in which something was raised."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


# What a text can speak of -------------------------------------------------------------------------


def told(letter: Letter) -> dict[str, Any]:
    """A letter's facts, clean, and with what is absent. ``day`` is the entry's, if nothing else is said."""
    given = _cleaned("", {**_ABSENT, **letter.facts})
    if letter.invite is not None and not given["day"]:
        given["day"] = day_fact(letter.invite.day)
    given["was"] = {**_NOTHING_BEFORE, **given["was"]}
    given["session"] = {**_NO_SESSION, **given.get("session", {})}
    given["session"]["url"] = safe_link(given["session"]["url"])
    return dict(given)


def _cleaned(name: str, value: Any) -> Any:
    match value:
        case str():
            return clean(value).strip() if name in _SEVERAL_LINES else one_line(value)
        case Mapping():
            return {key: _cleaned(key, inner) for key, inner in value.items()}
        case list() | tuple():
            return [_cleaned(name, inner) for inner in value]
    return value


def _tools(form: Plain | Rich, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What texts are written with."""
    words, locale = form.words, form.locale
    zone = _zone_of(facts)

    def hello() -> str:
        name = facts["person"]
        return words["hello"].format(name=name) if name else words["hello_nobody"]

    def instant(name: str) -> datetime:
        return datetime.fromisoformat(facts[name])

    return {
        "card": lambda session=None, days=None: form.card(
            facts["session"] if session is None else {**_NO_SESSION, **session},
            facts["days"] if days is None else days,
        ),
        "button": form.button,
        "details": lambda: form.details(facts["session"]["details"]),
        "strong": form.strong,
        "hello": hello,
        "on": lambda day: spoken.on_day(day_of(day), locale),
        "short": lambda day: spoken.short_day(day_of(day), locale),
        "moment": lambda name="until": spoken.at(instant(name), zone, locale),
        "clock": lambda name="until": spoken.clock(instant(name), zone, locale),
    }


def _zone_of(facts: Mapping[str, Any]) -> str:
    """The zone in which an instant is told: that of the session."""
    days = [*facts["days"], *(day for session in facts["sessions"] for day in session["days"])]
    if facts["day"]:
        days.append(facts["day"])
    return str(days[0]["zone"]) if days else str(facts.get("zone") or "UTC")
