"""Serving tables that the host itself holds: the library asks, an object of the host answers in dictionaries."""

from __future__ import annotations

import base64
import itertools
import json
import math
import threading
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, Optional, Protocol, Sequence
from uuid import UUID

from ._portbook import HostRecords, HostTable, RecordAnswer, RecordRequest, WrittenRow
from .errors import HostError, InvalidError, InvalidTypeError, UnsupportedError
from .hosting import fail

Row = Mapping[str, Any]
"""A row, by the names of its columns. Values may be Python's own: ``int``, ``Decimal``, ``bytes``, ``datetime``, ``UUID`` ..."""

_MOST = 2**53 - 1
_KEPT = 64
"""Readings that may be under way; one that was given up makes room for others."""


class RecordSource(Protocol):
    """What a host's tables are asked at least.

    What raises a ``PortbookError`` fails with its code, everything else with ``host``.
    """

    def describe(self, table: str) -> Optional[HostTable]:
        """What a table looks like; None when there is none."""

    def scan(self, table: str) -> Iterable[Row]:
        """All rows of a table; a generator is read as far as it is wanted."""


class RecordStore(RecordSource, Protocol):
    """What they may be asked besides. A method that is missing cannot be done; without ``fetch`` all rows are read instead."""

    def fetch(self, table: str, keys: Sequence[Row]) -> Iterable[Row]:
        """The rows with these keys; those that are not there are left out."""

    def changes(self, table: str, since: Optional[str]) -> RowChanges:
        """What has changed since that cursor; all rows for None. Raises ``StaleError`` when that is no longer known."""

    def insert(self, table: str, rows: Sequence[Row]) -> Optional[Sequence[WrittenRow]]:
        """Makes rows. None when all are written, else what became of each; one whose key is there already ``exists``."""

    def update(self, table: str, key: Sequence[str], rows: Sequence[Row]) -> Optional[Sequence[WrittenRow]]:
        """Changes rows, found by the columns of the key, in the columns that are given; one that is not there is ``gone``."""

    def delete(self, table: str, keys: Sequence[Row]) -> Optional[Sequence[WrittenRow]]:
        """Takes rows out."""


class RowChanges(NamedTuple):
    """What has changed: a row is in one of both lists."""

    rows: Iterable[Row]
    """Rows that are new or have changed, as they are now."""
    deleted: Iterable[Row]
    """The keys of rows that are gone."""
    cursor: str
    """Where the next reading begins."""


def serve_records(store: HostRecords, source: RecordSource) -> None:
    """Answers what the store is asked until it ends. Blocks: it is the work of a thread."""
    answers = Answers(store, source)
    for request in store:
        answers.give(request)


@contextmanager
def serving_records(store: HostRecords, source: RecordSource, threads: int = 1) -> Iterator[HostRecords]:
    """As :func:`serve_records`, in threads of its own; leaving the block ends the store."""
    answers = Answers(store, source)

    def serve() -> None:
        for request in store:
            answers.give(request)

    with store:
        workers = [threading.Thread(target=serve, daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        yield store
    for worker in workers:
        worker.join()


async def serve_records_async(store: HostRecords, source: RecordSource) -> None:
    """As :func:`serve_records`, in a task: the object must not block the loop for long."""
    answers = Answers(store, source)
    async for request in store:
        answers.give(request)


class Answers:
    """Answers requests, and keeps what is read page by page."""

    def __init__(self, store: HostRecords, source: RecordSource) -> None:
        self._store = store
        self._source = source
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._readings: dict[str, Iterator[tuple[str, Row]]] = {}
        self._cursors: dict[str, str] = {}

    def give(self, request: RecordRequest) -> None:
        """Answers one request. What the object raises is the answer; an answer that came too late is dropped."""
        try:
            self._store.reply(request.id, self._answer(request))
        except Exception as error:
            fail(self._store, request.id, error)

    def _answer(self, request: RecordRequest) -> RecordAnswer:
        if isinstance(request, RecordRequest.Describe):
            table = self._source.describe(request.table)
            return RecordAnswer.Absent() if table is None else RecordAnswer.Described(table)
        if isinstance(request, RecordRequest.Scan):
            rows = None if request.after else (("row", row) for row in self._source.scan(request.table))
            found, next, _ = self._page(rows, request.after, request.limit)
            return RecordAnswer.Rows([text for _, text in found], next)
        if isinstance(request, RecordRequest.Fetch):
            fetch = self._method("fetch")
            return RecordAnswer.Rows([to_json(row) for row in fetch(request.table, _rows(request.keys))], None)
        if isinstance(request, RecordRequest.Changes):
            return self._changes(request)
        if isinstance(request, RecordRequest.Insert):
            return _written(self._method("insert")(request.table, _rows(request.rows)))
        if isinstance(request, RecordRequest.Update):
            return _written(self._method("update")(request.table, request.key, _rows(request.rows)))
        if isinstance(request, RecordRequest.Delete):
            return _written(self._method("delete")(request.table, _rows(request.keys)))
        raise UnsupportedError(f"{request!r} is not known here")

    def _changes(self, request: RecordRequest.Changes) -> RecordAnswer:
        rows, cursor = None, None
        if request.after is None:
            changes: RowChanges = self._method("changes")(request.table, request.since)
            rows = itertools.chain((("row", row) for row in changes.rows), (("deleted", key) for key in changes.deleted))
            cursor = changes.cursor
        found, next, cursor = self._page(rows, request.after, request.limit, cursor)
        kept, gone = ([text for kind, text in found if kind == wanted] for wanted in ("row", "deleted"))
        return RecordAnswer.Changes(kept, gone, next, None if next else cursor)

    def _page(
        self, begun: Optional[Iterator[tuple[str, Row]]], after: Optional[str], limit: int, cursor: Optional[str] = None
    ) -> tuple[list[tuple[str, str]], Optional[str], Optional[str]]:
        """A page of a reading that begins, or goes on after that place."""
        with self._lock:
            reading = self._readings.pop(after, None) if after else begun
            cursor = self._cursors.pop(after, None) if after else cursor
        if reading is None:
            raise HostError("the reading is over: it was given up for others")
        page = [(kind, to_json(row)) for kind, row in itertools.islice(reading, limit)]
        more = list(itertools.islice(reading, 1))
        if not more:
            return page, None, cursor
        with self._lock:
            place = str(next(self._numbers))
            self._readings[place] = itertools.chain(more, reading)
            if cursor is not None:
                self._cursors[place] = cursor
            for old in list(self._readings)[:-_KEPT]:
                del self._readings[old]
                self._cursors.pop(old, None)
        return page, place, cursor

    def _method(self, name: str) -> Callable[..., Any]:
        method = getattr(self._source, name, None)
        if method is None:
            raise UnsupportedError(f"the host has no {name}")
        return method  # type: ignore[no-any-return]


def _written(outcomes: Optional[Sequence[WrittenRow]]) -> RecordAnswer:
    return RecordAnswer.Done() if outcomes is None else RecordAnswer.Written(list(outcomes))


def _rows(texts: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in texts]


def to_json(row: Row) -> str:
    """A row as the library reads it: what JSON has no form for is text, as said at ``DatumKind``."""
    try:
        fields = dict(row)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"a {type(row).__name__} is no row") from error
    text = json.dumps({name: _value(value) for name, value in fields.items()}, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidError("a row is no well-formed text") from error
    return text


def _value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -_MOST <= value <= _MOST else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(name): _value(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value(inner) for inner in value]
    raise InvalidTypeError(f"a {type(value).__name__} is nothing that a row can hold")
