"""Ready ways to show how far a run is: give one as ``on_progress`` to ``Run.finish``, or call it with ``RunProgress``.

    with portbook.progress.tqdm_progress() as show:
        report = run.finish(on_progress=show)

Each needs its package: ``pip install portbook[tqdm]`` or ``portbook[rich]``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator

from ._portbook import RunPhase, RunProgress

__all__ = ["rich_progress", "tqdm_progress"]

Show = Callable[[RunProgress], None]


@contextmanager
def tqdm_progress(**options: Any) -> Iterator[Show]:
    """A bar of tqdm, which counts bytes once they are known and items before. The options are tqdm's."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]

    bar = tqdm(**{"unit": "item", "desc": "scanning", **options})

    def show(at: RunProgress) -> None:
        counts_bytes = at.phase == RunPhase.APPLYING and at.bytes_total > 0
        bar.unit, bar.unit_scale, bar.unit_divisor = ("B", True, 1024) if counts_bytes else ("item", False, 1000)
        bar.total = (at.bytes_total if counts_bytes else at.items_total) or None
        bar.set_description(str(at.phase), refresh=False)
        bar.n = at.bytes_done if counts_bytes else at.items_done
        bar.refresh()

    try:
        yield show
    finally:
        bar.close()


@contextmanager
def rich_progress(**options: Any) -> Iterator[Show]:
    """A bar of rich, which counts bytes once they are known and items before. The options are those of its Progress."""
    from rich.progress import Progress

    with Progress(**options) as bars:
        task = bars.add_task("scanning", total=None)

        def show(at: RunProgress) -> None:
            counts_bytes = at.phase == RunPhase.APPLYING and at.bytes_total > 0
            total = (at.bytes_total if counts_bytes else at.items_total) or None
            done = at.bytes_done if counts_bytes else at.items_done
            bars.update(task, description=str(at.phase), total=total, completed=done)

        yield show
