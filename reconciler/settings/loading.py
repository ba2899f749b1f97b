"""From a file to settings, or to every problem in it at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconciler.errors import ConfigurationError
from reconciler.settings.sections import Settings
from reconciler.settings.values import Section, sections_in, shown
from reconciler.settings.yaml_loading import Document, Place, dotted, read


def load(path: Path | str) -> Settings:
    """The settings in a YAML file, with the secrets it names read.

    Relative paths in it start at its own folder. Raises :class:`~reconciler.errors.ConfigurationError`
    with one problem for each mistake: ``file:line: key: sentence``.
    """
    path = Path(path)
    document = read(path)
    problems = list(document.problems)
    settings = None
    if document.values is None:
        problems.append((1, "the file is empty"))
    elif not isinstance(document.values, dict):
        problems.append((document.line(()), f"sections are expected here, not {shown(document.values)}"))
    else:
        try:
            settings = _validated(document.values, path.absolute().parent)
        except ValidationError as error:
            problems += _problems(error, document)
    if settings is None or problems:
        raise ConfigurationError([f"{path}:{line}: {sentence}" for line, sentence in sorted(set(problems))])
    return settings


def _validated(values: dict[str, Any], folder: Path) -> Settings:
    """Through JSON, whose strict reading takes lists and words for what they are, but no "8" for 8."""
    return Settings.model_validate_json(json.dumps(_opened(values, Settings)), context={"folder": folder})


def _opened(values: Any, model: type[Section]) -> Any:
    """A section's header with nothing, or only comments, beneath it means an empty section."""
    if not isinstance(values, dict):
        return {} if values is None else values
    opened = dict(values)
    for name in values.keys() & model.model_fields.keys():
        annotation = model.model_fields[name].annotation
        for inner in sections_in(annotation):
            if get_origin(annotation) is Mapping and isinstance(values[name], dict):
                opened[name] = {key: _opened(value, inner) for key, value in values[name].items()}
            else:
                opened[name] = _opened(values[name], inner)
    return opened


def needs_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    """The keys that differ and that a running daemon cannot change, dotted."""
    return tuple(_unreloadable(old, new, ()))


def _unreloadable(old: Any, new: Any, place: Place) -> Iterator[str]:
    for name, field in type(old).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        extra = field.json_schema_extra
        if isinstance(before, Section) and isinstance(after, Section):
            yield from _unreloadable(before, after, (*place, name))
        elif before != after and isinstance(extra, dict) and extra.get("reload") is False:
            yield dotted((*place, name))


# Problems -----------------------------------------------------------------------------------------


def _problems(error: ValidationError, document: Document) -> Iterator[tuple[int, str]]:
    for details in error.errors(include_url=False):
        at = details.get("ctx", {}).get("at", ())
        place = (*details["loc"], *at)
        yield document.line(place), f"{dotted(place)}: {_sentence(details, place)}"


def _sentence(error: ErrorDetails, place: Place) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "unknown key" + _did_you_mean(str(place[-1]), _names_beside(place))
    if kind == "refused":
        return str(context["sentence"])
    if value is None:
        return "has no value: leave the key out for its default"
    if kind in ("enum", "literal_error"):
        return _not_one_of(value, context["expected"])
    return f"must be {_EXPECTED[kind].format(**context)}, not {shown(value)}"


_EXPECTED = {
    "string_type": "text (in quotes if it looks like something else)",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a section",
    "model_type": "a section",
    "string_too_short": "longer",
    "too_short": "a list of at least {min_length}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "string_pattern_mismatch": "of the form {pattern}",
}


def _not_one_of(value: Any, expected: str) -> str:
    words = expected.replace("'", "").replace(" or ", ", ").split(", ")
    guess = _did_you_mean(value, words) if isinstance(value, str) else ""
    return f"must be one of {', '.join(words)}, not {shown(value)}{guess}"


def _did_you_mean(word: str, known: Collection[str]) -> str:
    spellings = (word, word.lower().replace("-", "_"))
    close = [name for spelling in spellings for name in get_close_matches(spelling, sorted(known), n=1)]
    return f'; did you mean "{close[0]}"?' if close else ""


def _names_beside(place: Place) -> set[str]:
    """The keys that may stand where the last of ``place`` stands."""
    sections = {Settings}
    for part in place[:-1]:
        inner = {model for found in sections for model in _sections_under(found, part)}
        sections = inner or sections  # an account's id, or an index, leads to the same kind of section
    return {name for found in sections for name in found.model_fields}


def _sections_under(model: type[BaseModel], part: str | int) -> set[type[Any]]:
    field = model.model_fields.get(str(part))
    return sections_in(field.annotation) if field else set()
