"""The whole story of one person's events, in sentences that a support person can read out."""

from reconciler.explain.story import Told, story

__all__ = ["Told", "story"]
