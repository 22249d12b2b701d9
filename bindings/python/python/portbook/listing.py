"""What reads a preview as a whole, and a run to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Iterator, Optional, Union

from ._portbook import (
    Change,
    ChangeFilter,
    ChangeKind,
    Definition,
    Preview,
    PreviewedRow,
    RowPreview,
    Run,
    RunEvent,
    RunProgress,
    RunReport,
)

if TYPE_CHECKING:
    import pandas
    import pyarrow  # type: ignore[import-untyped, unused-ignore]

_TEXTS = ("id", "path", "path_on_source", "path_on_target", "moved_from", "reason")
_WORDS = ("kind", "action", "changes", "item", "cause")
_NUMBERS = ("bytes", "decides")
_FLAGS = ("ticked", "follows")
_ORDER = (
    "id", "path", "path_on_source", "path_on_target", "kind", "action", "changes", "item", "bytes", "moved_from",
    "cause", "reason", "ticked", "follows", "decides",
)  # fmt: skip


def changes(preview: Preview, filter: Optional[ChangeFilter] = None) -> Iterator[Change]:
    """All changes that the filter names, a page at a time."""
    after: Optional[str] = None
    while True:
        page = preview.changes(filter, after)
        yield from page.changes
        after = page.next
        if after is None:
            return


async def changes_async(preview: Preview, filter: Optional[ChangeFilter] = None) -> AsyncIterator[Change]:
    """All changes that the filter names, a page at a time."""
    after: Optional[str] = None
    while True:
        page = await preview.changes_async(filter, after)
        for change in page.changes:
            yield change
        after = page.next
        if after is None:
            return


def rows(definition: Definition, preview: Union[RowPreview, str], kind: Optional[ChangeKind] = None) -> Iterator[PreviewedRow]:
    """All rows of a preview, a page at a time."""
    after: Optional[str] = None
    while True:
        page = definition.changes(preview, kind, after)
        yield from page.rows
        after = page.next
        if after is None:
            return


async def rows_async(
    definition: Definition, preview: Union[RowPreview, str], kind: Optional[ChangeKind] = None
) -> AsyncIterator[PreviewedRow]:
    """All rows of a preview, a page at a time."""
    after: Optional[str] = None
    while True:
        page = await definition.changes_async(preview, kind, after)
        for row in page.rows:
            yield row
        after = page.next
        if after is None:
            return


async def finish(run: Run, on_progress: Callable[[RunProgress], object]) -> RunReport:
    """The outcome of a run, whose progress is told meanwhile."""
    async for event in run:
        if isinstance(event, RunEvent.Progress):
            on_progress(event.at)
    return await run.finish_async()


def _columns(preview: Preview, filter: Optional[ChangeFilter]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in _ORDER}
    plain = [(columns[name].append, name) for name in (*_TEXTS, *_NUMBERS, *_FLAGS)]
    words = [(columns[name].append, name) for name in _WORDS]
    texts: dict[Any, Optional[str]] = {None: None}
    for change in changes(preview, filter):
        for append, name in plain:
            append(getattr(change, name))
        for append, name in words:
            word = getattr(change, name)
            text = texts.get(word)
            if text is None and word is not None:
                text = texts[word] = str(word)
            append(text)
    return columns


def to_pandas(preview: Preview, filter: Optional[ChangeFilter] = None) -> pandas.DataFrame:
    """The changes as a data frame: a column a field, words as categories."""
    import pandas

    frame = pandas.DataFrame(_columns(preview, filter))
    kinds: dict[str, Any] = {name: "category" for name in _WORDS}
    kinds.update({"bytes": "int64", "decides": "Int64"})
    kinds.update({name: "bool" for name in _FLAGS})
    return frame.astype(kinds)


def to_arrow(preview: Preview, filter: Optional[ChangeFilter] = None) -> pyarrow.Table:
    """The changes as a table: a column a field, words as text."""
    import pyarrow

    kinds: dict[str, Any] = {name: pyarrow.string() for name in (*_TEXTS, *_WORDS)}
    kinds.update({name: pyarrow.int64() for name in _NUMBERS})
    kinds.update({name: pyarrow.bool_() for name in _FLAGS})
    return pyarrow.table(_columns(preview, filter), schema=pyarrow.schema([(name, kinds[name]) for name in _ORDER]))
