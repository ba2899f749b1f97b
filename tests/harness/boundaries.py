"""Every point at which the world outside may see, or be seen: each vendor call, commit, LMS read and write.

At one of them a process may end without a word, an error may come instead of the effect or after it, or
something else may happen while the process stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

Result = TypeVar("Result")


class Crash(BaseException):
    """The process is gone: no code of the program runs on (kill -9, a power cut)."""


class How(StrEnum):
    """What happens at a boundary."""

    CRASH_BEFORE = "crash before the effect"
    CRASH_AFTER = "crash after the effect"
    ERROR_BEFORE = "error, no effect"
    REPLY_LOST = "effect, reply lost"
    INTRUSION = "something else happens first"
    INTRUSION_AFTER = "something else happens after"


@dataclass
class Boundaries:
    """Counts the boundaries as they are crossed. ``at``: the one where ``how`` happens."""

    crossed: int = 0
    trace: list[str] = field(default_factory=list)
    at: int | None = None
    how: How = How.CRASH_BEFORE
    intrude: Callable[[], None] | None = None
    _asleep: bool = False

    def arm(
        self, at: int | None, how: How = How.CRASH_BEFORE, intrude: Callable[[], None] | None = None
    ) -> None:
        """From now on boundaries are counted from zero, and the one of this number is special."""
        self.crossed, self.at, self.how, self.intrude = 0, at, how, intrude

    def disarm(self) -> None:
        self.at = None

    def cross(self, name: str, effect: Callable[[], Result], lost: Callable[[], Exception]) -> Result:
        """The effect, unless this is where something happens. ``lost`` makes the error of a lost reply."""
        how = self.before(name, lost)
        result = effect()
        self.after(how, lost)
        return result

    def before(self, name: str, lost: Callable[[], Exception]) -> How | None:
        """What is to happen at this boundary, after the first half of it has happened."""
        if self._asleep:
            return None
        number, self.crossed = self.crossed, self.crossed + 1
        self.trace.append(name)
        if number != self.at:
            return None
        if self.how is How.CRASH_BEFORE:
            raise Crash(name)
        if self.how is How.ERROR_BEFORE:
            raise lost()
        if self.how is How.INTRUSION:
            self._intrude()
        return self.how

    def after(self, how: How | None, lost: Callable[[], Exception]) -> None:
        """The second half, once the effect is there."""
        if how is How.CRASH_AFTER:
            raise Crash
        if how is How.REPLY_LOST:
            raise lost()
        if how is How.INTRUSION_AFTER:
            self._intrude()

    def _intrude(self) -> None:
        self._asleep, intrude = True, self.intrude
        try:
            if intrude is not None:
                intrude()
        finally:
            self._asleep = False
