"""Tables that the program itself holds, kept in step with others; and hosts that do everything wrong."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any, Callable, Iterable, Iterator, Optional, Sequence
from uuid import UUID

import portbook
from portbook import (
    DatumKind,
    HostColumn,
    HostRecordOptions,
    HostTable,
    RecordAnswer,
    RecordCursor,
    RecordOptions,
    RecordPlace,
    RecordRequest,
    RowChanges,
    RowPreviewOptions,
    WriteOutcome,
    WrittenRow,
)
from world import World

WRONG: Any = object()
ORDERS = HostTable([HostColumn("id", DatumKind.INTEGER), HostColumn("name", DatumKind.TEXT)], key=["id"])
SHOP, COPY = RecordPlace.host("shop", "orders"), RecordPlace.host("copy", "orders")


def order(number: int, name: object) -> dict[str, Any]:
    return {"id": number, "name": name}


class Source:
    """What needs two methods."""

    def __init__(self, *rows: dict[str, Any], table: HostTable = ORDERS) -> None:
        self.rows = {row["id"]: row for row in rows}
        self.table = table

    def describe(self, table: str) -> HostTable | None:
        return self.table if table == "orders" else None

    def scan(self, table: str) -> Iterable[dict[str, Any]]:
        yield from self.rows.values()


class Store(Source):
    """What can be written to, and tells of changes."""

    log: list[int] = []

    def fetch(self, table: str, keys: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self.rows[key["id"]] for key in keys if key["id"] in self.rows]

    def changes(self, table: str, since: Optional[str]) -> RowChanges:
        changed = self.log[int(since or 0) :]
        rows = [self.rows[one] for one in changed if one in self.rows] if since else list(self.rows.values())
        return RowChanges(rows, [{"id": one} for one in changed if one not in self.rows], str(len(self.log)))

    def insert(self, table: str, rows: Sequence[dict[str, Any]]) -> list[WrittenRow]:
        met = [WriteOutcome.EXISTS if row["id"] in self.rows else WriteOutcome.WRITTEN for row in rows]
        self.rows.update((row["id"], row) for row, outcome in zip(rows, met) if outcome == WriteOutcome.WRITTEN)
        return [WrittenRow(outcome) for outcome in met]

    def update(self, table: str, key: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
        for row in rows:
            self.rows[row["id"]] = {**self.rows[row["id"]], **row}

    def delete(self, table: str, keys: Sequence[dict[str, Any]]) -> None:
        for key in keys:
            self.rows.pop(key["id"], None)


class Says(Source):
    """Answers a scan with what it is told."""

    def __init__(self, answer: Callable[[], Iterable[dict[str, Any]]]) -> None:
        super().__init__()
        self.answer = answer

    def scan(self, table: str) -> Iterable[dict[str, Any]]:
        return self.answer()


class Records(World):
    def connected(self, source: Source, target: Source, options: RecordOptions | None = None) -> portbook.Definition:
        for key, store in (("shop", source), ("copy", target)):
            has_changes = HostRecordOptions(has_changes=isinstance(store, Store))
            self.enterContext(portbook.serving_records(self.session.host_records(key, has_changes), store))
        return self.session.connect_records(SHOP, COPY, options)

    def enterContext(self, manager: Any) -> Any:
        entered = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return entered

    def refused(self, code: str, call: Callable[[], object]) -> None:
        with self.assertRaises(portbook.PortbookError) as caught:
            call()
        self.assertEqual(caught.exception.code, code, caught.exception)

    def test_rows_of_a_generator_become_those_of_a_database(self) -> None:
        file = self.root / "shop.db"
        with sqlite3.connect(file) as database:
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        database.close()
        source = Source(*(order(number, "new") for number in range(2500)))
        with portbook.serving_records(self.session.host_records("shop"), source, threads=3):
            definition = self.session.connect_records(SHOP, f"sqlite://{file}/orders")
            preview = definition.preview()
            self.assertEqual((preview.summary.counts.new, preview.source_rows), (2500, 2500))
            self.assertEqual(len(list(definition.each_change(preview))), 2500)
            self.assertEqual(definition.stored_preview(preview.summary.id), preview)
            self.assertEqual(definition.apply(preview).finish().counts.new, 2500)
            del source.rows[7]
            source.rows[8] = order(8, "paid")
            counts = definition.sync().finish().counts
            self.assertEqual((counts.updated, counts.deleted, counts.failed), (1, 1, 0))
            self.assertEqual(definition.verify().status, portbook.ReconcileStatus.MATCH)
            self.assertEqual(self.session.records(SHOP, f"sqlite://{file}/orders").id, definition.id)
        self.book.shutdown()
        with sqlite3.connect(file) as database:
            self.assertEqual(database.execute("SELECT count(*), max(name) FROM orders").fetchone(), (2499, "paid"))
        database.close()

    def test_tables_are_inspected(self) -> None:
        file = self.root / "shop.db"
        with sqlite3.connect(file) as database:
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, price DECIMAL(10,2))")
        database.close()
        (entry,) = self.session.inspect_database(f"sqlite://{file}/")
        self.assertEqual((entry.name, entry.table_type), ("orders", portbook.TableType.BASE))
        shape = self.session.inspect_table(f"sqlite://{file}/orders")
        self.assertEqual((shape.primary_key, shape.columns[1].kind), (["id"], DatumKind.DECIMAL))
        self.assertIn("ColumnShape(name='price'", repr(shape))
        self.refused("invalid", lambda: self.session.inspect_database("postgres://me:hush@localhost/shop"))
        self.refused("invalid", lambda: self.session.inspect_table(WRONG))
        self.refused("not_found", lambda: self.session.definition("00000000-0000-0000-0000-000000000000"))

    def test_both_ways_with_values_of_pythons_own(self) -> None:
        kinds = {
            "id": DatumKind.INTEGER, "flag": DatumKind.BOOLEAN, "large": DatumKind.INTEGER, "price": DatumKind.DECIMAL,
            "ratio": DatumKind.FLOAT, "name": DatumKind.TEXT, "bytes": DatumKind.BYTES, "uuid": DatumKind.UUID,
            "day": DatumKind.DATE, "clock": DatumKind.TIME, "wall": DatumKind.TIMESTAMP, "at": DatumKind.INSTANT,
            "document": DatumKind.JSON,
        }  # fmt: skip
        table = HostTable([HostColumn(name, kind) for name, kind in kinds.items()], key=["id"])
        values: dict[str, Any] = {
            "id": 1, "flag": True, "large": 2**63, "price": Decimal("1.50"), "ratio": float("nan"), "name": "ö 日本\0",
            "bytes": b"\x00\xff", "uuid": UUID(int=7), "day": date(2024, 2, 29), "clock": time(23, 59, 59, 5),
            "wall": datetime(2026, 10, 25, 2, 30), "at": datetime(2026, 10, 25, tzinfo=timezone.utc), "document": {"a": [1, None]},
        }  # fmt: skip
        source, target = Store(values, {**dict.fromkeys(kinds), "id": 2}, table=table), Store(table=table)
        definition = self.connected(source, target, RecordOptions(mode=portbook.RecordMode.TWO_WAY))
        report = definition.sync().finish()
        self.assertEqual((report.counts.new, report.failures), (2, []))
        told = target.rows[1]
        self.assertEqual((told["large"], told["price"], told["ratio"], told["bytes"]), (str(2**63), "1.5", "NaN", "AP8="))
        self.assertEqual((told["at"], told["document"]), ("2026-10-25T00:00:00Z", {"a": [1, None]}))
        target.rows[1] = {**told, "name": "back"}
        self.assertEqual(definition.sync().finish().counts.updated, 1)
        self.assertEqual(source.rows[1]["name"], "back")
        self.assertEqual(definition.sync().finish().counts.unchanged, 2)

    def test_only_what_has_changed_is_asked_for(self) -> None:
        source, target = Store(*(order(number, "new") for number in range(2100))), Store()
        definition = self.connected(source, target, RecordOptions(cursor=RecordCursor.log()))
        self.assertEqual(definition.sync().finish().counts.new, 2100)
        source.rows[5] = order(5, "paid")
        del source.rows[6]
        source.log = [5, 6]
        self.assertEqual(definition.preview().source_rows, 1)
        counts = definition.sync().finish().counts
        self.assertEqual((counts.updated, counts.deleted), (1, 1))
        self.assertEqual(target.rows, source.rows)

    def test_a_store_is_served_in_a_task(self) -> None:
        async def story() -> None:
            source, target = Source(*(order(number, "new") for number in range(1500))), Store()
            stores = [self.session.host_records("shop"), self.session.host_records("copy")]
            served = [asyncio.ensure_future(portbook.serve_records_async(*pair)) for pair in zip(stores, (source, target))]
            definition = await self.session.connect_records_async(SHOP, COPY)
            preview = await definition.preview_async()
            self.assertEqual(len([row async for row in definition.each_change_async(preview)]), 1500)
            self.assertEqual((await definition.apply(preview).finish_async()).counts.new, 1500)
            self.assertEqual((await definition.verify_async()).missing, 0)
            for store in stores:
                store.shutdown()
            await asyncio.gather(*served)

        asyncio.run(asyncio.wait_for(story(), 120))

    def test_what_a_host_raises_is_its_answer(self) -> None:
        def raises(error: Exception) -> Callable[[], Iterable[dict[str, Any]]]:
            def rows() -> Iterator[dict[str, Any]]:
                yield order(1, "one")
                raise error

            return rows

        for answer, code in (
            (raises(ValueError("broken")), "host"),
            (raises(portbook.QuotaError("no space")), "quota"),
            (raises(portbook.InternalError("of another book")), "host"),
            (lambda: WRONG, "host"),
            (lambda: [WRONG], "invalid"),
            (lambda: [order(1, WRONG)], "invalid"),
            (lambda: [order(1, "a\ud800")], "invalid"),
        ):
            with portbook.serving_records(self.session.host_records("shop"), Says(answer)):
                with portbook.serving_records(self.session.host_records("copy"), Store()):
                    definition = self.session.connect_records(SHOP, COPY)
                    self.refused(code, definition.preview)
            self.refused("host", definition.preview)
            self.refused("not_found", lambda: self.session.connect_records(SHOP, COPY))

    def test_a_row_with_a_value_that_is_none_fails_alone(self) -> None:
        for number, wrong in enumerate((order(3, 7), {"id": 3}, order(3, ["x"]))):
            shop = RecordPlace.host(f"shop {number}", "orders")
            with portbook.serving_records(self.session.host_records(f"shop {number}"), Source(order(1, "one"), wrong)):
                with portbook.serving_records(self.session.host_records("copy"), Store(order(3, "of another"))):
                    report = self.session.connect_records(shop, COPY).sync().finish()
            self.assertEqual((report.counts.new, report.counts.failed), (1, 1))
            self.assertEqual((report.failures[0].path, str(report.failures[0].code)), ("3", "host"))

    def test_answers_that_do_not_fit_have_their_code(self) -> None:
        many = [f'{{"id":{number},"name":""}}' for number in range(1001)]
        for answer, code in (
            (RecordAnswer.Done(), "host"),
            (RecordAnswer.Absent(), "not_found"),
            (RecordAnswer.Rows(many, None), "host"),
            (RecordAnswer.Rows([], "1"), "host"),
            (RecordAnswer.Rows(many[:1], "1"), "host"),
            (RecordAnswer.Rows(["[]"], None), "host"),
            (None, "timeout"),
        ):
            store = self.session.host_records("shop", HostRecordOptions(timeout_ms=100))

            def serve() -> None:
                for request in store:
                    if isinstance(request, RecordRequest.Describe):
                        store.reply(request.id, RecordAnswer.Described(ORDERS))
                    elif answer:
                        store.reply(request.id, answer)

            thread = threading.Thread(target=serve)
            thread.start()
            with portbook.serving_records(self.session.host_records("copy"), Store()):
                definition = self.session.connect_records(SHOP, COPY)
                self.refused(code, definition.preview)
                self.refused("not_found", lambda: store.reply(1, RecordAnswer.Done()))
                self.refused("invalid", lambda: store.reply(1, WRONG))
                self.refused("invalid", lambda: store.fail(1, "a\ud800"))
                self.refused("invalid", lambda: definition.preview(RowPreviewOptions(max_delete="x")))
            store.shutdown()
            thread.join(10)

    def test_there_is_one_store_of_a_key(self) -> None:
        with self.session.host_records("shop"):
            self.refused("conflict", lambda: self.session.host_records("shop"))
        self.refused("invalid", lambda: self.session.host_records(""))
        self.refused("invalid", lambda: self.session.host_records("x", HostRecordOptions(write_rows=-1)))
        self.refused("internal", lambda: self.session.host_records("panic!"))
