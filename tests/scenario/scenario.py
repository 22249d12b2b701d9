"""The story that every language tells: it prints the lines of expected.txt. The argument is an empty directory."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable, Iterable, Sequence

import portbook
from portbook import (
    BookOptions,
    DatumKind,
    HostColumn,
    HostEntry,
    HostKind,
    HostTable,
    Place,
    RecordMode,
    RecordOptions,
    RecordPlace,
    RecordPolicy,
    RowChoice,
    RunEvent,
)

root = Path(sys.argv[1])
source, target, shelf_place = root / "source", root / "target", Place.host("shelf")


def refused(what: str, call: Callable[[], object]) -> None:
    """Prints a line about a call that has to fail."""
    try:
        call()
        print(f"{what}: ok")
    except portbook.PortbookError as error:
        print(f"{what}: {error.code}")


def outcome(what: str, run: portbook.Run) -> None:
    """Prints the outcome of a run."""
    try:
        report = run.finish()
    except portbook.PortbookError as error:
        return print(f"{what}: {error.code}")
    counts = f"new {report.counts.new}, updated {report.counts.updated}, failed {report.counts.failed}"
    print(f"{what}: {counts}, cancelled {report.cancelled}, in step {report.is_in_step}".replace("True", "true").replace("False", "false"))


class Shelf:
    """The host's own files: one directory in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cancels: portbook.Run | None = None
        self.is_full = False

    def look(self, path: str) -> HostEntry | None:
        if path not in self.files:
            return None
        return HostEntry(path, HostKind.FILE, bytes=len(self.files[path]), version="1")

    def list_dir(self, path: str) -> list[HostEntry]:
        if self.cancels:
            self.cancels.cancel()
        return [HostEntry(name, HostKind.FILE, bytes=len(of), version="1") for name, of in self.files.items()]

    def read_at(self, path: str, offset: int, length: int) -> bytes:
        return self.files[path][offset : offset + length]

    def write_at(self, path: str, offset: int, content: bytes) -> None:
        if self.is_full:
            raise portbook.QuotaError("the shelf is full")
        self.files[path] = (self.files[path] if offset else b"") + content

    def make_dir(self, path: str) -> None:
        raise portbook.UnsupportedError("a shelf has no directories")

    def rename(self, path: str, to: str, replace: bool) -> None:
        self.files[to] = self.files.pop(path)

    def remove_item(self, path: str) -> None:
        self.files.pop(path, None)


class Shop:
    """The host's own tables: rows in memory."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[int, Any]] = {"orders": {}, "copies": {}}
        self.is_full = self.has_notes = False

    def describe(self, table: str) -> HostTable:
        kinds = {"id": DatumKind.INTEGER, "name": DatumKind.TEXT, "price": DatumKind.DECIMAL}
        if self.has_notes and table == "copies":
            kinds["note"] = DatumKind.TEXT
        return HostTable([HostColumn(name, kind) for name, kind in kinds.items()], key=["id"])

    def scan(self, table: str) -> Iterable[dict[str, Any]]:
        return list(self.tables[table].values())

    def insert(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if self.is_full:
            raise portbook.QuotaError("the shop is full")
        for row in rows:
            self.tables[table][row["id"]] = {**self.tables[table].get(row["id"], {}), **row}

    def update(self, table: str, key: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
        self.insert(table, rows)

    def order(self, id: int, name: str, price: object) -> None:
        self.tables["orders"][id] = {"id": id, "name": name, "price": price}


source.mkdir()
(source / "a.txt").write_text("one")
(source / "b.txt").write_text("three")
(source / "ö 日本.txt").write_text("seven77")

# The codes are the same everywhere.
print("codes:", *(info.text for info in portbook.codes()))

# Books that cannot be opened.
book_file, no_book = str(root / "book.db"), root / "no.book"
no_book.write_text("this is a text, and longer than the header of a database, so that nobody takes it for a new one")
refused("open nothing", lambda: portbook.Book.open(BookOptions()))
refused("open a text", lambda: portbook.Book.open(no_book))
refused("open with 2^53 bytes", lambda: portbook.Book.open(BookOptions(path=book_file, memory_bytes=2**53)))
with portbook.Book.open(BookOptions(path=book_file, memory_bytes=2**53 - 1)) as book:
    print("open with 2^53 - 1 bytes: ok")
    with portbook.Book.open(book_file):
        print("open it again: ok")

    # What would change, and which of it is wanted.
    session = book.default_session()
    conduit = session.connect(source, target)
    preview = conduit.preview()
    summary = preview.summary()
    print(f"preview: new {summary.counts.new}, bytes {summary.bytes}")
    changes = list(preview)
    for change in changes:
        print(f"change: {change.kind} {change.action} {change.path}, bytes {change.bytes}, moved from {change.moved_from or 'null'}")
    preview.tick([changes[0].id], False)

    # It is applied: the events in their order, then the outcome, twice.
    run = conduit.apply(preview)
    for event in run:
        if isinstance(event, RunEvent.Planned):
            print(f"event: planned, new {event.summary.counts.new}")
        elif isinstance(event, RunEvent.Applied):
            for item in event.items:
                print(f"event: applied {item.path}, bytes {item.bytes}")
    print("the outcome is told again:", "yes" if run.finish() == run.finish() else "no")
    outcome("apply", run)
    outcome("apply it again", conduit.apply(preview.id))

    # What was not ticked is still to be done, and then nothing is.
    outcome("sync", conduit.sync())
    outcome("sync once more", conduit.sync())

    # Files that the host holds itself.
    shelf = Shelf()
    store = session.host_store("shelf")
    refused("a second store of that key", lambda: session.host_store("shelf"))
    conduit = session.connect(source, shelf_place)
    shelf.cancels = conduit.sync()
    with portbook.serving(store, shelf):
        outcome("sync to the host, cancelled", shelf.cancels)
        shelf.cancels, shelf.is_full = None, True
        outcome("sync to a host that fails", conduit.sync())
        shelf.is_full = False
        outcome("sync to the host", conduit.sync())
        refused("an answer that nobody waits for", lambda: store.reply_bytes(1, b""))
    for name, content in sorted(shelf.files.items()):
        print(f"the host holds {name}: {content.decode()}")

    # Rows that the host holds itself.
    shop, orders, copies = Shop(), RecordPlace.host("shop", "orders"), RecordPlace.host("shop", "copies")
    shop.order(1, "one", Decimal("1.50"))
    shop.order(2, "zwei", 2**53 + 1)
    shop.order(3, "ö 日本", None)
    tables = session.host_records("shop")
    refused("a second store of tables of that key", lambda: session.host_records("shop"))
    with portbook.serving_records(tables, shop):
        definition = session.connect_records(orders, copies)
        previewed = definition.preview()
        print(f"preview of rows: new {previewed.summary.counts.new}, of {previewed.source_rows}")
        rows = list(definition.each_change(previewed))
        for row in rows:
            print(f"row: {row.kind} {row.action} {row.row}")
        definition.tick(previewed, [rows[0].id], False)
        outcome("apply rows", definition.apply(previewed))
        outcome("sync rows", definition.sync())
        outcome("sync rows once more", definition.sync())
        shop.order(2, "two", 2**53 + 1)
        outcome("sync rows, one changed", definition.sync())
        shop.order(1, "one", True)
        outcome("sync rows, one of another kind", definition.sync())
        shop.order(1, "uno", Decimal("1.50"))
        shop.is_full = True
        outcome("sync rows to a host that fails", definition.sync())
        shop.order(1, "one", Decimal("1.50"))
        print(f"verify rows: {definition.verify().status}")
        for id, copy in sorted(shop.tables["copies"].items()):
            print(f"the host holds row {id}: {copy['name']}, {copy['price'] or 'null'}")

        # A row that both sides have changed waits for a person, who takes something of both.
        options = RecordOptions(mode=RecordMode.TWO_WAY, policy=RecordPolicy.MANUAL)
        definition = session.connect_records(orders, copies, options)
        shop.order(3, "drei", None)
        shop.tables["copies"][3] = {"id": 3, "name": "ö 日本", "price": "3"}
        shop.is_full = False
        outcome("sync rows, one changed on both sides", definition.sync())
        (met,) = definition.conflicts()
        at_source, at_target = str(met.is_at_source).lower(), str(met.is_at_target).lower()
        print(f"conflict: row {met.row}, at source {at_source}, at target {at_target}")
        for field in definition.inspect_conflict(met.id).fields:
            if not field.is_same:
                print(f"field: {field.target}, {field.source_value} at the source, {field.target_value} at the target")
        choice = RowChoice.merge(["price"])
        refused("decide about what was not seen", lambda: definition.resolve_conflict(met.id, "0", choice))
        definition.resolve_conflict(met.id, met.mark, choice)
        for row in definition.each_change(definition.preview()):
            print(f"row: {row.kind} {row.action} {row.row}")
        outcome("sync rows, as decided", definition.sync())
        print(f"conflicts that wait: {len(definition.conflicts())}")
        (name, price), other = ((row["name"], row["price"]) for row in (shop.tables["orders"][3], shop.tables["copies"][3]))
        if (name, price) == other:
            print(f"both hold row 3: {name}, {price}")

        # What has changed about a table is told until a run has gone over it.
        shop.has_notes = True
        for drift in definition.drift():
            print(f"drift: {drift.side} {drift.change.kind} {drift.change.name}, {drift.effect}")
        outcome("sync rows, with a column more", definition.sync())
        print(f"drift that is left: {len(definition.drift())}")

    # What is not there, and what has ended.
    refused("a preview that is not there", lambda: session.preview("00000000-0000-0000-0000-000000000000"))
    refused("a store that has ended", lambda: session.connect(shelf_place, target))
    refused("tables of a store that has ended", lambda: session.connect_records(orders, copies))
    book.shutdown()
book.shutdown()
print("shutdown, twice: ok")
refused("use after shutdown", lambda: session.history(limit=1))
