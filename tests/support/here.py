"""A dispatcher that hands nothing out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reconciler.ports import Due, Made


class Here:
    """The work, done here and now, in its order."""

    def run(
        self,
        batches: Iterator[Sequence[Due]],
        work: Callable[[Sequence[Due]], Made],
        done: Callable[[Made], None],
    ) -> None:
        for batch in batches:
            done(work(batch))
