"""Rows that wait for a person, tables that change, and callers that do everything wrong with them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any, Callable

import portbook
from portbook import (
    DriftEffect,
    FieldValues,
    ListAccess,
    RecordClock,
    RecordMode,
    RecordOptions,
    RecordPlace,
    RecordPolicy,
    RecordRoute,
    RowAction,
    RowChoice,
    RowPreviewOptions,
    SchemaChangeKind,
    Side,
    UnitAccount,
    UnitBudget,
)
from world import World

WRONG: Any = object()
MANUAL = RecordOptions(mode=RecordMode.TWO_WAY, policy=RecordPolicy.MANUAL)


class Decisions(World):
    def setUp(self) -> None:
        super().setUp()
        for side in ("shop", "copy"):
            self.change(side, "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, price INTEGER)")
        for number in range(3):
            self.change("shop", f"INSERT INTO orders VALUES ({number}, 'new', {number})")

    def change(self, side: str, sql: str) -> list[Any]:
        with sqlite3.connect(self.root / f"{side}.db") as database:
            rows = database.execute(sql).fetchall()
        database.close()
        return rows

    def url(self, side: str) -> str:
        return f"sqlite://{self.root}/{side}.db/orders"

    def met(self) -> portbook.Definition:
        """Of three rows that are in step both sides have changed the second."""
        definition = self.session.connect_records(self.url("shop"), self.url("copy"), MANUAL)
        self.assertEqual(definition.sync().finish().counts.new, 3)
        self.change("shop", "UPDATE orders SET name = 'here' WHERE id = 1")
        self.change("copy", "UPDATE orders SET price = 7 WHERE id = 1")
        self.assertEqual(definition.sync().finish().waiting, 1)
        return definition

    def refused(self, code: str, call: Callable[[], object]) -> portbook.PortbookError:
        with self.assertRaises(portbook.PortbookError) as caught:
            call()
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception

    def test_a_person_decides(self) -> None:
        definition = self.met()
        (conflict,) = definition.conflicts()
        self.assertEqual((conflict.row, conflict.is_at_source, conflict.is_at_target, conflict.choice), ("1", True, True, None))
        self.assertIn("RowConflict(id=", repr(conflict))
        self.assertEqual(definition.conflicts(conflict.id), [])
        seen = definition.inspect_conflict(conflict.id)
        self.assertEqual(seen.conflict, conflict)
        different: list[FieldValues] = [field for field in seen.fields if not field.is_same]
        told = [(field.target, json.loads(field.source_value or ""), json.loads(field.target_value or "")) for field in different]
        self.assertEqual(told, [("name", "here", "new"), ("price", 1, 7)])
        choice = RowChoice.merge(["price"])
        self.assertEqual((repr(choice), choice), ("RowChoice.Merge(target_columns=['price'])", RowChoice.Merge(["price"])))
        definition.resolve_conflict(conflict.id, conflict.mark, choice)
        self.assertEqual(definition.conflicts()[0].choice, choice)
        self.assertEqual([row.action for row in definition.each_change(definition.preview())], [RowAction.MERGE])
        self.assertEqual(definition.sync().finish().counts.updated, 1)
        self.assertEqual(self.change("shop", "SELECT * FROM orders WHERE id = 1"), [(1, "here", 7)])
        self.assertEqual(self.change("copy", "SELECT * FROM orders WHERE id = 1"), [(1, "here", 7)])
        self.assertEqual(definition.conflicts(), [])

    def test_the_calls_can_be_awaited(self) -> None:
        async def story(definition: portbook.Definition) -> None:
            (conflict,) = await definition.conflicts_async()
            await definition.inspect_conflict_async(conflict.id)
            await definition.resolve_conflict_async(conflict.id, conflict.mark, RowChoice.KeepDestination())
            self.assertEqual((await definition.targets_async(), await definition.drift_async()), ([], []))
            self.assertEqual((await definition.sync().finish_async()).waiting, 0)
            await self.session.accept_table_async(self.url("shop"))
            self.assertEqual(await self.session.table_drift_async(self.url("shop")), [])
            account = UnitAccount("t", "c")
            await self.session.set_sharepoint_budget_async(account, UnitBudget(7, 7_000))
            self.assertEqual((await self.session.sharepoint_budget_async(account)).per_minute, 7)
            read = await self.session.introspect_database_async(self.url("shop").removesuffix("orders"))
            self.assertEqual(json.loads(read.stats or "")["tables"], 1)

        asyncio.run(asyncio.wait_for(story(self.met()), 120))
        self.assertEqual(self.change("shop", "SELECT * FROM orders WHERE id = 1"), [(1, "new", 7)])

    def test_what_has_changed_is_told(self) -> None:
        definition = self.session.connect_records(self.url("shop"), self.url("copy"))
        definition.sync().finish()
        self.change("shop", "ALTER TABLE orders ADD COLUMN note TEXT")
        (drift,) = definition.drift()
        self.assertEqual((drift.side, drift.change.kind, drift.effect), (Side.SOURCE, SchemaChangeKind.ADDED, DriftEffect.NEEDS_MAPPING))
        self.assertEqual((drift.change.name, drift.change.was, drift.change.now), ("note", None, "TEXT"))
        self.assertIn("SchemaChange(kind=SchemaChangeKind.ADDED, name='note'", repr(drift))
        self.assertEqual(definition.preview().drift, [drift])
        (of_table,) = self.session.table_drift(self.url("shop"))
        self.assertEqual([one.definition for one in of_table.definitions], [definition.id])
        self.session.accept_table(self.url("shop"))
        self.assertEqual(definition.drift(), [])
        self.change("shop", "ALTER TABLE orders DROP COLUMN name")
        self.assertEqual(definition.drift()[0].effect, DriftEffect.BLOCKS)
        self.refused("invalid", definition.preview)

    def test_decisions_that_are_none_are_refused(self) -> None:
        definition = self.met()
        (conflict,) = definition.conflicts()
        self.refused("stale", lambda: definition.resolve_conflict(conflict.id, "x", RowChoice.KeepSource()))
        self.refused("invalid", lambda: definition.resolve_conflict(conflict.id, conflict.mark, RowChoice.merge(["nobody"])))
        self.refused("not_found", lambda: definition.resolve_conflict("00", conflict.mark, RowChoice.KeepSource()))
        self.refused("not_found", lambda: definition.inspect_conflict("no id"))
        self.refused("invalid", lambda: definition.conflicts("no id"))
        wrong: Any
        for wrong in (None, WRONG, "keep_source", 7, portbook.Choice.KeepSource()):
            self.refused("invalid", lambda: definition.resolve_conflict(conflict.id, conflict.mark, wrong))
        for wrong in (None, 7, "a\ud800", b"x"):
            self.refused("invalid", lambda: definition.inspect_conflict(wrong))
            self.refused("invalid", lambda: definition.resolve_conflict(conflict.id, wrong, RowChoice.KeepSource()))
        self.refused("invalid", lambda: definition.conflicts(limit=-1))
        self.refused("invalid", lambda: RowChoice.merge(WRONG))
        self.refused("invalid", lambda: RowChoice.merge(["a\ud800"]))
        self.refused("invalid", lambda: definition.preview(RowPreviewOptions(route_to="no id")))
        self.assertEqual(definition.conflicts(), [conflict])

    def test_options_and_places_that_are_none_are_refused(self) -> None:
        shop, copy = self.url("shop"), self.url("copy")
        definition = self.session.connect_records(shop, copy)
        wrong: Any
        for wrong in (-1, 2**53, 2**64, 1.5, "1", WRONG):
            self.refused("invalid", lambda: self.session.connect_records(shop, copy, RecordOptions(clock=RecordClock("id", "id", skew_ms=wrong))))
            self.refused("invalid", lambda: self.session.set_sharepoint_budget(UnitAccount("t", "c"), UnitBudget(wrong, 1)))
        self.refused("invalid", lambda: self.session.set_sharepoint_budget(UnitAccount("t", "c"), UnitBudget(0, 0)))
        self.refused("invalid", lambda: self.session.connect_records(shop, copy, RecordOptions(clock=RecordClock("no", "id"))))
        unknown: Any = {"colour": "red"}
        for record in (UnitBudget, UnitAccount, ListAccess, RecordRoute, RecordClock):
            self.assertRaises(TypeError, record, **unknown)
        listed = "sharepoint://contoso.sharepoint.com/sites/Team/Orders"
        access = ListAccess(client_secret="hunter2", ca_file="/no/such.pem")
        self.assertNotIn("hunter2", repr(RecordPlace.list_at(listed, access)))
        place: Any
        for place in (
            RecordPlace.at(listed),
            RecordPlace.list_at(shop, access),
            RecordPlace.list_at("sharepoint://h/x?client_secret=hunter2"),
            RecordPlace.list_at(listed, access),
            listed,
            WRONG,
            None,
            portbook.Place.host("shop"),
        ):
            for call in (self.session.inspect_table, self.session.table_drift, self.session.accept_table):
                self.assertNotIn("hunter2", str(self.refused("invalid", lambda: call(place))))
        for to, code in ((copy, "unsupported"), ("nothing://h/x", "invalid")):
            routes = [RecordRoute("true", RecordPlace.at(to))]
            self.refused(code, lambda: self.session.connect_records(shop, copy, RecordOptions(routes=routes)))
        self.refused("invalid", lambda: self.session.introspect_database(shop))
        self.refused("invalid", lambda: self.session.introspect_database("postgres://me:hush@localhost/shop"))
        self.book.shutdown()
        for ended in (definition.drift, definition.targets, definition.conflicts):
            self.refused("invalid", ended)
