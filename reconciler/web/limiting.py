"""How often somebody may knock: moving windows, in this process's memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


def _limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


@dataclass(frozen=True)
class Limits:
    """By the address that asks. A whole class behind one address arrives within a minute, so they are wide:
    they are against floods, not against guessing, which signatures of 256 bits prevent."""

    launch: RateLimitItem = field(default_factory=lambda: RateLimitItemPerMinute(120))
    callback: RateLimitItem = field(default_factory=lambda: RateLimitItemPerMinute(60))
    connect: RateLimitItem = field(default_factory=lambda: RateLimitItemPerMinute(10))
    limiter: MovingWindowRateLimiter = field(default_factory=_limiter)

    def allows(self, item: RateLimitItem, *who: str) -> bool:
        """Whether ``who`` may do this once more now."""
        return self.limiter.hit(item, *who)
