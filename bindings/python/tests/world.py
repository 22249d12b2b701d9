"""A book, two directories, and a conduit between them, for one test."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import portbook


class World(unittest.TestCase):
    def setUp(self) -> None:
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.root = Path(kept.name)
        self.source, self.target = self.root / "source", self.root / "target"
        self.source.mkdir()
        self.target.mkdir()
        self.path = self.root / "book.db"
        self.book = portbook.Book.open(self.path)
        self.addCleanup(self.book.shutdown)
        self.session = self.book.default_session()

    def fill(self, count: int, size: int = 10) -> None:
        for number in range(count):
            (self.source / f"f{number:05}").write_bytes(number.to_bytes(4, "big") * (size // 4 + 1))

    def conduit(self) -> portbook.Conduit:
        return self.session.connect(self.source, self.target)


class Shelf:
    """Files in memory, in one directory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def look(self, path: str) -> portbook.HostEntry | None:
        content = self.files.get(path)
        if content is None:
            return None
        return portbook.HostEntry(path, portbook.HostKind.FILE, bytes=len(content), version=str(hash(content)))

    def list_dir(self, path: str) -> list[portbook.HostEntry] | None:
        entries = [self.look(name) for name in [*self.files]]
        return None if path else [entry for entry in entries if entry]

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        return self.files[path][offset : offset + length]

    def write_at(self, path: str, offset: int, content: bytes) -> None:
        self.files[path] = (self.files[path] if offset else b"") + content

    def make_dir(self, path: str) -> None:
        raise portbook.UnsupportedError("a shelf has no directories")

    def rename(self, path: str, to: str, replace: bool) -> None:
        self.files[to] = self.files.pop(path)

    def remove_item(self, path: str) -> None:
        self.files.pop(path, None)
