"""The kinds of values that settings are made of, and how each key describes itself."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from reconciler.model import zone

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_RESTART = " Needs a restart."


def key(
    description: str, *, default: Any = ..., example: Any = ..., reload: bool = True, **limits: Any
) -> Any:
    """A settings key. ``example`` may be left out where the default is one; ``reload=False`` marks what
    a running daemon cannot change, and says so in the description."""
    return Field(
        default,
        description=description if reload else description + _RESTART,
        examples=[default if example is ... else example],
        json_schema_extra={"reload": reload},
        **limits,
    )


def section(description: str, factory: Callable[[], Section | None] | None = None) -> Any:
    """A key that holds further keys; with a ``factory``, one that may be left out."""
    return (
        Field(default_factory=factory, description=description) if factory else Field(description=description)
    )


def absent() -> None:
    """The factory of a section that is not there unless it is written down."""


def refused(sentence: str, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """What a validator raises. ``at`` leads from the validated key to the part of it that is wrong."""
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence, "at": at})


class Section(BaseModel):
    """A frozen group of keys. An unknown key is an error; types are as strict as JSON's."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, hide_input_in_errors=True
    )


def sections_in(annotation: Any) -> set[type[Section]]:
    """The kinds of sections that an annotation speaks of: ``Google | None`` of one, ``int`` of none."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return {annotation}
    return {model for argument in get_args(annotation) for model in sections_in(argument)}


def _identifier(text: str) -> str:
    if not re.fullmatch("[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", text):
        raise refused("must be lower-case letters, digits and hyphens, at most 32 of them")
    return text


Identifier = Annotated[str, AfterValidator(_identifier)]


# Durations ----------------------------------------------------------------------------------------


def duration(text: Any) -> timedelta:
    """``90s``, ``15m``, ``6h``, ``2d``: a whole number and one unit, more than zero."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise refused(f"must be a duration such as 90s, 15m, 6h or 2d, not {shown(text)}")
    length = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if not length:
        raise refused("must be longer than 0")
    return length


def duration_text(length: timedelta) -> str:
    """The shortest way to write a duration: ``1m`` rather than ``60s``."""
    seconds = int(length.total_seconds())
    unit = next(name for name, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


Duration = Annotated[
    timedelta,
    PlainValidator(duration),
    PlainSerializer(duration_text),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"}),
]


def day(text: Any) -> date:
    """``2027-11-30``."""
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        raise refused(f"must be a day such as 2027-11-30, not {shown(text)}") from None


Day = Annotated[
    date,
    PlainValidator(day),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "format": "date"}),
]


def shown(value: Any) -> str:
    """A wrong value as a sentence shows it, cut short."""
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 40 else value[:37] + "..."}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "nothing" if value is None else "a section"


# Files --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A secret that was read from its file when the settings were loaded, without its last line break."""

    path: Path
    text: str = field(repr=False)


def _anchored(text: Any, info: ValidationInfo) -> Path:
    """Relative paths start at the folder of the configuration file."""
    if not isinstance(text, str) or not text:
        raise refused(f"must be the path of a file, not {shown(text)}")
    return _folder(info) / text


def _folder(info: ValidationInfo) -> Path:
    context: Mapping[str, Any] = info.context or {}
    return Path(context.get("folder", "."))


_WHERE_SECRETS_LIE = (
    "write it into a file of that name in /etc/reconciler/secrets, which the unit hands out at the start"
)


def _secret_file(text: Any, info: ValidationInfo) -> SecretFile:
    path = _anchored(text, info)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    given_by_systemd = bool(credentials) and not Path(text).is_absolute()
    if given_by_systemd:
        path = _credential(Path(str(credentials)), text)
        if not path.exists():
            raise refused(f"systemd has handed out no secret {text}: {_WHERE_SECRETS_LIE}")
    content = _content(path)
    if not given_by_systemd:
        _refuse_others(path)
    secret = content.removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise refused(f"the file {path} is empty")
    return SecretFile(path, secret)


def _refuse_others(path: Path) -> None:
    """What anybody else could read, or put another secret into, is none."""
    there = path.stat()
    if there.st_mode & 0o007:
        raise refused(f"everybody may read {path} (mode {there.st_mode & 0o777:04o}): chmod 600 it")
    if there.st_uid not in (0, os.geteuid()):
        raise refused(
            f"{path} belongs to user {there.st_uid}, who can change it: "
            f"chown it to root or to user {os.geteuid()}"
        )


def _credential(folder: Path, name: str) -> Path:
    """Where systemd has put it: under its own name, or as one file of a folder that was handed out whole, as
    our unit does (``LoadCredential=secret:FOLDER`` makes a ``secret_NAME`` of each; systemd.exec(5))."""
    alone, one_of_many = folder / name, folder / f"secret_{name}"
    return one_of_many if one_of_many.exists() and not alone.exists() else alone


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise refused(f"the file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise refused(f"the file {path} is not UTF-8 text") from error


def _readable_file(text: Any, info: ValidationInfo) -> Path:
    path = _anchored(text, info)
    _content(path)
    return path


_FILE_SCHEMA = {"type": "string", "minLength": 1}
Secret = Annotated[SecretFile, PlainValidator(_secret_file), WithJsonSchema(_FILE_SCHEMA)]
"""A secret in a file of its own, or a systemd credential: a relative name where systemd hands out some."""
ReadableFile = Annotated[Path, PlainValidator(_readable_file), WithJsonSchema(_FILE_SCHEMA)]
FilePath = Annotated[Path, PlainValidator(_anchored), PlainSerializer(str), WithJsonSchema(_FILE_SCHEMA)]


# Addresses ----------------------------------------------------------------------------------------


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or number, without asking a resolver."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise refused(f"is no URL: {error}") from error
    if not parts.hostname:
        raise refused("must be a URL with a host, such as https://example.org")
    if parts.password is not None or parts.username is not None:
        raise refused("must not contain a user name or password")
    return parts


def _web_address(text: str) -> str:
    parts = _split(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise refused("must begin with https:// (http:// only on this machine itself)")
    if parts.query or parts.fragment:
        raise refused("must have no query and no fragment (? or #)")
    return text.rstrip("/")


def _proxy_address(text: str) -> str:
    parts = _split(text)
    if parts.scheme != "http" or parts.port is None or parts.path.strip("/"):
        raise refused("must look like http://proxy.example.org:3128")
    return text.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]
"""An https URL without a slash at its end; http on loopback only."""
ProxyAddress = Annotated[str, AfterValidator(_proxy_address)]


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen_at(text: Any) -> Listen:
    """``127.0.0.1:9464`` or ``[::1]:9464``; raises what a validator raises."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) else 0
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ip_address(bare)
    except ValueError:
        number = 0
    if not 0 < number < 65_536:
        raise refused(f"must be address:port, such as 127.0.0.1:9464 or [::1]:9464, not {shown(text)}")
    return Listen(bare, number)


ListenAddress = Annotated[
    Listen, PlainValidator(listen_at), PlainSerializer(str), WithJsonSchema({"type": "string"})
]


def _time_zone(name: str) -> str:
    try:
        zone(name)
    except (KeyError, OSError, ValueError) as error:
        raise refused(f"the time zone {shown(name)} is not known here (IANA name expected)") from error
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]
