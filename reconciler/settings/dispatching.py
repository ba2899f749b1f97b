"""Who does the work: threads of the daemon, or workers on other machines."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, ValidationInfo, field_validator

from reconciler.settings.values import Secret, Section, key, refused

_REDIS = ("redis", "rediss")
_BROKERS = (*_REDIS, "amqp", "amqps")


class DispatchKind(StrEnum):
    """Who does the work."""

    LOCAL = "local"
    CELERY = "celery"


def _address(text: str, schemes: Sequence[str], how: str, password_file: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise refused(f"is no URL: {error}") from error
    if parts.scheme not in schemes or not parts.hostname:
        raise refused(f"must be {how}")
    if parts.password is not None:
        raise refused(f"must not contain a password: put it in the file that {password_file} names")
    return text


def _broker(text: str) -> str:
    how = "redis://host:6379/0 or amqp://user@host:5672/vhost (rediss:// and amqps:// with TLS)"
    return _address(text, _BROKERS, how, "broker_password_file")


def _redis(text: str) -> str:
    return _address(text, _REDIS, "redis://host:6379/0 (rediss:// with TLS)", "quotas_password_file")


def _with_password(address: str, password: Secret | None) -> str:
    """What to connect to, with the password in it: never to be logged."""
    if password is None:
        return address
    parts = urlsplit(address)
    user, _, at = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password.text, safe='')}@{at}").geturl()


BrokerAddress = Annotated[str, AfterValidator(_broker)]
RedisAddress = Annotated[str, AfterValidator(_redis)]


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

    quotas: RedisAddress | None = key(
        "Redis, where the processes count together what they use of the vendors' quotas. With kind: celery "
        "it is the broker, if that is Redis. Without, each process counts for itself.",
        default=None,
        example="redis://quotas.example.org:6379/1",
        reload=False,
    )
    quotas_password_file: Secret | None = key(
        "The file that holds the password of that Redis: a path, or the name of a systemd credential.",
        default=None,
        example="quotas-password",
        reload=False,
    )

    @field_validator("broker")
    @classmethod
    def _is_there(cls, broker: str | None, info: ValidationInfo) -> str | None:
        if broker is None and info.data.get("kind") is DispatchKind.CELERY:
            raise refused("is needed with dispatch.kind: celery")
        return broker

    @field_validator("quotas")
    @classmethod
    def _are_shared(cls, quotas: str | None, info: ValidationInfo) -> str | None:
        broker = info.data.get("broker")
        rabbit = broker is not None and urlsplit(broker).scheme not in _REDIS
        if quotas is None and rabbit and info.data.get("kind") is DispatchKind.CELERY:
            raise refused("is needed where the broker is RabbitMQ: workers must count the quotas together")
        return quotas

    @property
    def broker_url(self) -> str:
        """What to connect to, with the password in it: never to be logged."""
        return _with_password(self.broker or "", self.broker_password_file)

    @property
    def quotas_url(self) -> str | None:
        """The Redis in which quotas are counted, with its password; ``None``: each process counts alone."""
        if self.quotas is not None:
            return _with_password(self.quotas, self.quotas_password_file)
        return self.broker_url if self.kind is DispatchKind.CELERY else None
