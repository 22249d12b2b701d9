"""Serving files, and a key, that the host itself holds: the library asks, an object of the host answers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Iterable, Iterator, Optional, Protocol, Union

from ._portbook import (
    ErrorCode,
    HostAnswer,
    HostEntry,
    HostKeys,
    HostKind,
    HostRecords,
    HostRequest,
    HostStore,
    KeyAction,
    KeyRequest,
    codes,
)
from .errors import NotFoundError, PortbookError

_DONE: HostAnswer = HostAnswer.Done()
_ABSENT: HostAnswer = HostAnswer.Absent()
_ROOT: HostAnswer = HostAnswer.Found(HostEntry("", HostKind.DIR))
_CODES = {info.text: info.code for info in codes()}


class HostFiles(Protocol):
    """What a host's files are asked. Paths are relative to the root, their parts separated by ``/``.

    What raises ``FileNotFoundError``, ``FileExistsError``, ``PermissionError`` or a ``PortbookError`` fails with that code;
    everything else with ``host``. A method ``flush``, where there is one, is called when what was written has to be durable.
    """

    def list_dir(self, path: str) -> Optional[Iterable[HostEntry]]:
        """The items of a directory, ``""`` for the root; None when there is no such directory."""

    def look(self, path: str) -> Optional[HostEntry]:
        """One item; None when there is none. The root is not asked for."""

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        """A piece of a file; fewer bytes only where the file ends."""

    def write_at(self, path: str, offset: int, content: bytes) -> None:
        """Writes a piece of a file, the pieces in order. At offset 0 the file is made, or emptied."""

    def make_dir(self, path: str) -> None:
        """Makes a directory in one that is there."""

    def rename(self, path: str, to: str, replace: bool) -> None:
        """Renames an item, at once or not at all. ``FileExistsError`` where it may not replace what is there."""

    def remove_item(self, path: str) -> None:
        """Removes a file or an empty directory; one that is gone already is no error."""


class HostFilesWithTimes(HostFiles, Protocol):
    """Files whose host says ``sets_modified`` in its options."""

    def set_modified(self, path: str, modified_at: str) -> None:
        """Sets the modified time of a file."""


class HostKey(Protocol):
    """A key that wraps and unwraps the keys of a book."""

    def wrap(self, secret: bytes, context: bytes) -> tuple[str, bytes]:
        """Encrypts a key of 32 bytes: the name of the key that did it, and what came of it."""

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """Decrypts what the key of that name encrypted."""


def serve(store: HostStore, files: Union[HostFiles, HostFilesWithTimes]) -> None:
    """Answers what the store is asked until it ends. Blocks; more than one thread may serve one store."""
    for request in store:
        answer(store, files, request)


@contextmanager
def serving(store: HostStore, files: Union[HostFiles, HostFilesWithTimes], threads: int = 1) -> Iterator[HostStore]:
    """As :func:`serve`, in threads of its own; leaving the block ends the store."""
    with store:
        workers = [threading.Thread(target=serve, args=(store, files), daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        yield store
    for worker in workers:
        worker.join()


async def serve_async(store: HostStore, files: Union[HostFiles, HostFilesWithTimes]) -> None:
    """As :func:`serve`, in a task: the object must not block the loop for long."""
    async for request in store:
        answer(store, files, request)


def answer(store: HostStore, files: Union[HostFiles, HostFilesWithTimes], request: HostRequest) -> None:
    """Answers one request. What the object raises is the answer; an answer that came too late is dropped."""
    try:
        _answer(store, files, request)
    except Exception as error:
        fail(store, request.id, error)


def _answer(store: HostStore, files: Union[HostFiles, HostFilesWithTimes], request: HostRequest) -> None:
    done: HostAnswer = _DONE
    if isinstance(request, HostRequest.ReadAt):
        content = files.read_at(request.path, request.offset, request.length)
        return store.reply_bytes(request.id, content)
    if isinstance(request, HostRequest.ListDir):
        entries = files.list_dir(request.path)
        done = _ABSENT if entries is None else _page(list(entries), request.after)
    elif isinstance(request, HostRequest.Look):
        entry = files.look(request.path) if request.path else None
        done = HostAnswer.Found(entry) if entry else _ROOT if not request.path else _ABSENT
    elif isinstance(request, HostRequest.WriteAt):
        files.write_at(request.path, request.offset, store.bytes(request.id))
    elif isinstance(request, HostRequest.SetModified):
        files.set_modified(request.path, request.modified_at)  # type: ignore[union-attr]
    elif isinstance(request, HostRequest.MakeDir):
        files.make_dir(request.path)
    elif isinstance(request, HostRequest.Rename):
        files.rename(request.path, request.to, request.replace)
    elif isinstance(request, HostRequest.RemoveItem):
        files.remove_item(request.path)
    elif isinstance(request, HostRequest.Flush):
        flush = getattr(files, "flush", None)
        if flush is not None:
            flush()
    store.reply(request.id, done)


def _page(entries: list[HostEntry], after: Optional[str]) -> HostAnswer:
    """A thousand at a time, in the order of their names: what changes meanwhile moves no other item."""
    if len(entries) <= 1000 and after is None:
        return HostAnswer.Listing(entries, None)
    entries.sort(key=lambda entry: entry.name)
    rest = [entry for entry in entries if after is None or entry.name > after]
    return HostAnswer.Listing(rest[:1000], rest[999].name if len(rest) > 1000 else None)


def serve_keys(keys: HostKeys, key: HostKey) -> None:
    """Answers what the keys are asked until they end. Blocks: it is the work of a thread."""
    for request in keys:
        try:
            _answer_key(keys, key, request)
        except Exception as error:
            fail(keys, request.id, error)


def _answer_key(keys: HostKeys, key: HostKey, request: KeyRequest) -> None:
    content, context = keys.bytes(request.id), bytes.fromhex(request.context)
    if request.action == KeyAction.WRAP:
        key_id, wrapped = key.wrap(content, context)
        keys.reply(request.id, key_id, wrapped)
    else:
        keys.reply(request.id, "", key.unwrap(request.key_id or "", content, context))


def fail(store: Union[HostStore, HostRecords, HostKeys], number: int, error: Exception) -> None:
    """Answers that it failed; an answer that came too late is dropped."""
    try:
        store.fail(number, str(error) or type(error).__name__, _code_of(error))
    except NotFoundError:
        # Nobody waits for it any more.
        return


def _code_of(error: Exception) -> ErrorCode:
    if isinstance(error, PortbookError):
        return error.error_code
    kinds = {FileNotFoundError: "not_found", FileExistsError: "conflict", PermissionError: "permission"}
    return next((_CODES[code] for kind, code in kinds.items() if isinstance(error, kind)), ErrorCode.HOST)
