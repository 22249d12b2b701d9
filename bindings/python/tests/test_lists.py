"""Lists of SharePoint, kept in step from Python with a table: against the server that the tests have in place of Microsoft Graph."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import unittest
from typing import Any

from portbook import ListAccess, RecordOptions, RecordPlace, RecordRoute, RowPreviewOptions, UnitAccount, UnitBudget
from world import World

SERVER = os.environ.get("PORTBOOK_TEST_LISTS", "")


@unittest.skipUnless(SERVER, "the server of lists is not built: tests/run --only integration builds it")
class Lists(World):
    def setUp(self) -> None:
        super().setUp()
        self.database = self.root / "shop.db"
        self.change("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, state TEXT)")
        for number in range(20):
            self.change(f"INSERT INTO orders VALUES ({number}, 'order {number}', '{'open' if number % 2 else 'done'}')")
        line = [SERVER, "--ignored", "--exact", "served::serves", "--nocapture"]
        self.server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.server.communicate)
        self.at = self.said()

    def change(self, sql: str) -> None:
        with sqlite3.connect(self.database) as database:
            database.execute(sql)
        database.close()

    def said(self) -> Any:
        """The next line that is none of the harness's."""
        assert self.server.stdout
        for line in self.server.stdout:
            if line[0] in "[{":
                return json.loads(line)
        self.fail("the server of lists ended")

    def items(self, title: str) -> dict[str, Any]:
        """The names in a list, by the key of the table."""
        assert self.server.stdin
        print(title, file=self.server.stdin, flush=True)
        return {item["id2"]: item["name"] for item in self.said()}

    def place(self, title: str, secret: str | None = None) -> RecordPlace:
        graph = f"graph={self.at['url']}/v1.0&authority={self.at['url']}&units_per_minute=100000000"
        access = ListAccess(
            tenant=self.at["tenant"], client_id=self.at["client_id"], client_secret=secret or self.at["client_secret"]
        )
        self.assertNotIn(secret or self.at["client_secret"], repr(access))
        return RecordPlace.list_at(f"sharepoint://contoso.sharepoint.com/sites/Team/{title}?{graph}", access)

    def test_rows_go_to_the_lists_that_rules_name(self) -> None:
        table = f"sqlite://{self.database}/orders"
        with self.assertRaises(Exception) as caught:
            self.session.connect_records(table, self.place("Open", "hush"), RecordOptions(create=True))
        self.assertEqual((getattr(caught.exception, "code", None), "hush" in str(caught.exception)), ("auth", False))
        options = RecordOptions(create=True, routes=[RecordRoute("state == 'done'", self.place("Done"))])
        definition = self.session.connect_records(table, self.place("Open"), options)
        targets = {target.title: target for target in definition.targets()}
        self.assertEqual({title: target.is_default for title, target in targets.items()}, {"Open": True, "Done": False})
        report = definition.sync().finish()
        self.assertEqual((report.counts.new, report.failures), (20, []))
        self.assertEqual(self.items("Open"), {str(number): f"order {number}" for number in range(1, 20, 2)})
        self.assertEqual(self.items("Done"), {str(number): f"order {number}" for number in range(0, 20, 2)})
        # One that is done is moved; then all of them are.
        self.change("UPDATE orders SET state = 'done' WHERE id = 7")
        self.assertEqual(definition.sync().finish().counts.failed, 0)
        self.assertEqual((len(self.items("Open")), self.items("Done")["7"]), (9, "order 7"))
        to_one = RowPreviewOptions(route_to=targets["Open"].id)
        self.assertEqual(definition.sync(to_one).finish().failures, [])
        self.assertEqual((len(self.items("Open")), len(self.items("Done"))), (20, 0))
        shape = self.session.inspect_table(self.place("Open"))
        self.assertIn("state", [column.name for column in shape.columns])
        self.assertEqual(definition.drift(), [])

    def test_a_budget_is_kept_for_the_application(self) -> None:
        account = UnitAccount(self.at["tenant"], self.at["client_id"])
        self.session.set_sharepoint_budget(account, UnitBudget(2_400, 2_400_000))
        self.assertEqual(self.session.sharepoint_budget(account), UnitBudget(2_400, 2_400_000))
