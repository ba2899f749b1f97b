"""What a look at a calendar found different from what should be there."""

from __future__ import annotations

from collections import Counter

from reconciler.diff.changes import Adopt, Cause, Create, MarkMissing, Update
from reconciler.diff.plan import Plan


def drift_of(plan: Plan) -> Counter[str]:
    """What a look found different from what should be there, by kind."""
    kinds: Counter[str] = Counter(orphaned=len(plan.surplus))
    for change in plan.changes:
        match change:
            case MarkMissing():
                kinds["missing"] += 1
            case Create():
                kinds["absent"] += 1
            case Update(cause=Cause.DRIFT) | Adopt():
                kinds["edited"] += 1
            case Update():
                kinds["stale"] += 1
    return kinds
