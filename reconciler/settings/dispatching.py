"""Who does the work: threads of the daemon, or workers on other machines."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, ValidationInfo, field_validator

from reconciler.settings.values import Secret, Section, key, refused

_BROKERS = ("redis", "rediss", "amqp", "amqps")


class DispatchKind(StrEnum):
    """Who does the work."""

    LOCAL = "local"
    CELERY = "celery"


def _broker(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise refused(f"is no URL: {error}") from error
    if parts.scheme not in _BROKERS or not parts.hostname:
        raise refused(
            "must be redis://host:6379/0 or amqp://user@host:5672/vhost (rediss:// and amqps:// with TLS)"
        )
    if parts.password is not None:
        raise refused("must not contain a password: put it in the file that broker_password_file names")
    return text


BrokerAddress = Annotated[str, AfterValidator(_broker)]


class Dispatch(Section):
    """Who does the work."""

    kind: DispatchKind = key(
        "local: threads of the daemon. celery: workers (`reconciler worker`), on any number of machines; "
        "needs a broker and a state database in PostgreSQL.",
        default=DispatchKind.LOCAL,
        reload=False,
    )
    threads: int = key(
        "How many people one process works on at the same time. 32 use up Google's 10,000 calls a minute, if "
        "one takes 100 ms.",
        default=32,
        gt=0,
        le=256,
        reload=False,
    )
    broker: BrokerAddress | None = key(
        "Redis or RabbitMQ, through which work reaches the workers: redis:// or amqp://, with TLS rediss:// "
        "or amqps://. Without a password: see broker_password_file. Needed with kind: celery.",
        default=None,
        example="redis://broker.example.org:6379/0",
        reload=False,
    )
    broker_password_file: Secret | None = key(
        "The file that holds the broker's password: a path, or the name of a systemd credential.",
        default=None,
        example="broker-password",
        reload=False,
    )

    @field_validator("broker")
    @classmethod
    def _is_there(cls, broker: str | None, info: ValidationInfo) -> str | None:
        if broker is None and info.data.get("kind") is DispatchKind.CELERY:
            raise refused("is needed with dispatch.kind: celery")
        return broker

    @property
    def broker_url(self) -> str:
        """What to connect to, with the password in it: never to be logged."""
        parts, password = urlsplit(self.broker or ""), self.broker_password_file
        if password is None:
            return parts.geturl()
        user, _, at = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}:{quote(password.text, safe='')}@{at}").geturl()
