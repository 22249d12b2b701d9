"""What a program does on a good day."""

from __future__ import annotations

import json
import threading
import time
import unittest
from pathlib import Path
from typing import Any

import portbook
from portbook import BookOptions, ChangeFilter, ChangeKind, ConduitOptions, RunEvent, SyncMode
from world import World


class Records(unittest.TestCase):
    def test_records_are_frozen_compare_and_show_themselves(self) -> None:
        options = ConduitOptions(mode=SyncMode.SELECTIVE, transfers=2)
        self.assertEqual(options, ConduitOptions(mode=SyncMode.SELECTIVE, transfers=2))
        self.assertNotEqual(options, ConduitOptions())
        self.assertIn("ConduitOptions(mode=SyncMode.SELECTIVE, conflict=None", repr(options))
        self.assertIn("transfers=2", repr(options))
        with self.assertRaises(AttributeError):
            options.transfers = 3  # type: ignore[misc]
        self.assertEqual(repr(portbook.Place.directory("a")), "Place.Directory(path='a')")
        self.assertEqual(str(SyncMode.BIDIRECTIONAL), "bidirectional")
        self.assertEqual(f"{ChangeKind.NEW}", "new")
        self.assertEqual({ChangeKind.NEW: 1}[ChangeKind.NEW], 1)

    def test_secrets_are_not_shown(self) -> None:
        access = portbook.Access(user="me", password="hunter2", token="hunter2", passphrase="hunter2", header_value="hunter2")
        key = portbook.KeyOptions(raw_hex="hunter2", passphrase="hunter2")
        shown = repr([access, portbook.Place.remote("sftp://host/", access), BookOptions(url="hunter2", key=key)])
        self.assertNotIn("hunter2", shown)
        self.assertIn("password=...", shown)
        self.assertEqual(access.password, "hunter2")

    def test_every_public_thing_has_words(self) -> None:
        for name in portbook.__all__:
            thing = getattr(portbook, name)
            if isinstance(thing, type) or callable(thing):
                self.assertTrue(thing.__doc__, name)
            if isinstance(thing, type) and thing.__module__ == "portbook":
                for word, member in vars(thing).items():
                    if not word.startswith("_") and callable(member):
                        self.assertTrue(member.__doc__, f"{name}.{word}")

    def test_every_call_has_both_forms(self) -> None:
        at_once = {
            "apply", "sync", "cancel", "pause", "resume", "bytes", "reply", "reply_bytes", "fail", "host_store",
            "host_records", "watch_progress", "copy_into", "progress", "to_pandas", "to_arrow",
        }  # fmt: skip
        for name in ("Book", "BookCopy", "Session", "Conduit", "Definition", "Preview", "Run", "ProgressWatch", "Volume", "FileReader"):
            kind = getattr(portbook, name)
            for word in vars(kind):
                if word.startswith("_") or word.endswith("_async") or not callable(getattr(kind, word)):
                    continue
                if (name, word) == ("Session", "progress") or word not in at_once:
                    self.assertTrue(hasattr(kind, f"{word}_async"), f"{name}.{word}")

    def test_errors_are_one_class_a_code(self) -> None:
        for info in portbook.codes():
            error = portbook.errors.error_of(info.text, "so", "do not")
            self.assertEqual((error.code, error.advice, str(error)), (info.text, "do not", "so"))
            self.assertEqual((error.error_code, error.error_class), (info.code, info.class_))
            self.assertEqual(error.is_retryable, info.is_retryable)
            self.assertNotIn(type(error), (portbook.PortbookError,))
            if info.text != "internal":
                self.assertIsNot(type(error), portbook.InternalError)

    def test_the_codes_are_those_of_the_header(self) -> None:
        header = Path(__file__).parents[3] / "include" / "portbook.h"
        if not header.exists():
            self.skipTest("there is no header")
        text = header.read_text()
        for info in portbook.codes():
            self.assertRegex(text, rf"PORTBOOK_{info.text.upper()} = {info.number}\b")


class Calls(World):
    def test_a_preview_is_read_in_pages_and_as_a_whole(self) -> None:
        self.fill(2500)
        preview = self.conduit().preview()
        page = preview.changes()
        self.assertEqual(len(page.changes), 1000)
        self.assertEqual(len(preview.changes(limit=7).changes), 7)
        changes = list(preview)
        self.assertEqual([c.path for c in changes], [f"f{n:05}" for n in range(2500)])
        self.assertEqual(preview.changes(ChangeFilter(kind=ChangeKind.DELETED)).changes, [])
        self.assertEqual(preview.summary().counts.new, 2500)
        self.assertEqual(self.session.preview(preview.id).id, preview.id)
        preview.discard()
        with self.assertRaises(portbook.NotFoundError):
            preview.summary()

    def test_events_progress_and_the_outcome(self) -> None:
        self.fill(50)
        run = self.conduit().sync()
        seen = [event for event in run]
        applied = [item.path for event in seen if isinstance(event, RunEvent.Applied) for item in event.items]
        self.assertEqual(sorted(applied), [f"f{n:05}" for n in range(50)])
        report = run.finish()
        self.assertEqual((report.counts.new, report.is_in_step), (50, True))
        self.assertEqual(self.session.history()[0].counts.new, 50)
        self.assertIsNone(run.next_event())
        self.fill(60)
        told: list[portbook.RunProgress] = []
        self.assertEqual(self.conduit().sync().finish(on_progress=told.append).counts.new, 10)
        with self.assertRaises(ZeroDivisionError):
            self.fill(70)
            run = self.conduit().sync()
            run.finish(on_progress=lambda at: 1 / 0)
            raise unittest.SkipTest("no progress was told: the run was too fast")

    def test_a_conduit_keeps_what_it_was_given(self) -> None:
        options = ConduitOptions(mode=SyncMode.SELECTIVE)
        conduit = self.session.connect(self.source, self.target, options)
        self.assertEqual(conduit.options.mode, SyncMode.SELECTIVE)
        conduit.set_selection_rules([portbook.SelectionRule("*.txt", True)])
        conduit.pin(portbook.Pin("a/b", False))
        self.assertEqual(conduit.selection_rules(), [portbook.SelectionRule("*.txt", True)])
        self.assertEqual(conduit.pins(), [portbook.Pin("a/b", False)])
        conduit.unpin("a/b")
        self.assertEqual(self.session.conduit(self.source, self.target).id, conduit.id)

    def test_rows_tenants_and_volumes(self) -> None:
        tenant = self.book.create_tenant("Acme")
        user = self.book.create_user(tenant.id, portbook.NewUser(email="a@example.com"))
        session = self.book.session(tenant.id, user.id)
        self.assertEqual(session.tenant, tenant.id)
        self.assertIn("storage_volumes", [table.name for table in portbook.tables()])
        session.save_directory("store", str(self.root / "target"))
        self.assertEqual([v.name for v in session.volumes()], ["store"])
        rows = session.list_rows("storage_volumes").rows
        self.assertEqual(json.loads(rows[0])["name"], "store")
        volume = session.volume("store")
        stored = volume.put(portbook.NewFile(path="a/b.txt"), b"hello")
        self.assertEqual(stored.size, 5)
        piece = b"".join(volume.open_file(portbook.FileAt(id=stored.id)))
        self.assertEqual(piece, b"hello")
        (self.root / "big").write_bytes(b"x" * 3_000_000)
        stored = volume.put_from(portbook.NewFile(path="big"), self.root / "big")
        pieces = list(volume.open_file(portbook.FileAt(path="big"), 10))
        self.assertEqual(sum(map(len, pieces)), 2_999_990)
        self.assertEqual({f.path for f in volume.list().files}, {"a/b.txt", "big"})
        self.assertEqual(volume.row.name, "store")

        def files(**how: Any) -> list[str]:
            return [json.loads(row)["filename"] for row in session.list_rows("files", portbook.RowFilter(**how)).rows]

        self.assertEqual(files(), ["b.txt", "big"])
        self.assertEqual(files(latest_first=True), ["big", "b.txt"])
        volume.delete(portbook.FileAt(path="big"))
        self.assertEqual(files(), ["b.txt"])
        self.assertEqual(files(with_deleted=True), ["b.txt", "big"])
        self.assertEqual(files(equal=json.dumps({"volume_id": volume.row.id})), ["b.txt"])
        self.book.delete_tenant(tenant.id)

    def test_handles_are_shared_between_threads(self) -> None:
        self.fill(200)
        preview = self.conduit().preview()
        counts: list[int] = []
        threads = [threading.Thread(target=lambda: counts.append(len(list(preview)))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(counts, [200] * 8)

    def test_the_lock_of_python_is_released_while_a_call_waits(self) -> None:
        store = self.session.host_store("quiet")
        ticks = 0
        done = threading.Event()

        def wait() -> None:
            store.next_request()
            done.set()

        thread = threading.Thread(target=wait)
        thread.start()
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            ticks += 1
            time.sleep(0.001)
        self.assertGreater(ticks, 50)
        self.assertFalse(done.is_set())
        store.shutdown()
        thread.join(10)
        self.assertTrue(done.is_set())

    def test_a_backup_is_a_book(self) -> None:
        self.fill(3)
        self.conduit().sync().finish()
        self.book.backup(self.root / "copy.db")
        with portbook.Book.open(BookOptions(path=str(self.root / "copy.db"))) as copy:
            self.assertEqual(len(copy.default_session().history()), 1)
            self.assertEqual(copy.check(), [])
        with self.assertRaises(portbook.ConflictError):
            self.book.backup(self.root / "copy.db")
