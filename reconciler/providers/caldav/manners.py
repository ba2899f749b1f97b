"""What was found out about a server when somebody connected: servers differ where it matters."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Manners:
    """``syncs``: its sync-collection can be trusted, that is, it refuses a token that it never gave.
    ``conditional``: it heeds If-Match and If-None-Match, so its etags can be trusted. ``unique_uids``: it
    refuses a second event of the same UID in a calendar. ``filters``: asked for events with a property of
    ours, it answers no others. ``schedules``: it writes to the guests of events by itself (RFC 6638)."""

    syncs: bool = False
    conditional: bool = False
    unique_uids: bool = False
    filters: bool = False
    schedules: bool = True

    def __str__(self) -> str:
        return " ".join(one.name for one in fields(self) if getattr(self, one.name))

    @classmethod
    def of(cls, text: str) -> Manners:
        """From what ``str`` gave."""
        found = text.split()
        return cls(**{one.name: one.name in found for one in fields(cls)})
