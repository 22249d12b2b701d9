"""What bad input gets: a code, and no crash, no hang, no leak."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Awaitable, Callable

import portbook
from portbook import BookOptions, FileAt, HostEntry, HostKind, HostRequest, Place
from world import Shelf, World

WRONG: Any = object()


async def awaited(call: Callable[..., Awaitable[object]], *arguments: object) -> object:
    return await call(*arguments)


class Panicking(Shelf):
    """What makes the tested library panic, in what it answers (the feature `fault`)."""

    broken = ""

    def list_dir(self, path: str) -> list[HostEntry] | None:
        return [HostEntry("panic!", HostKind.DIR)] if self.broken == "list" else super().list_dir(path)

    def look(self, path: str) -> HostEntry | None:
        return HostEntry("panic!", HostKind.DIR) if self.broken == "item" else super().look(path)


class Silent(Shelf):
    """Does what it is asked, but for one kind of request, which it never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.silent: type[HostRequest] | None = None
        self.is_silent = threading.Event()
        self.unanswered = 0

    def serve(self, store: portbook.HostStore) -> None:
        for request in store:
            if self.silent and isinstance(request, self.silent):
                self.unanswered = request.id
                self.is_silent.set()
            else:
                portbook.hosting.answer(store, self, request)


class Hostile(World):
    def refused(self, code: str, call: Callable[[], object]) -> None:
        with self.assertRaises(portbook.PortbookError) as caught:
            call()
        self.assertEqual(caught.exception.code, code, caught.exception)
        self.assertTrue(str(caught.exception))

    def test_numbers_and_types_out_of_range_are_invalid(self) -> None:
        path = str(self.path)
        for number in (1.5, math.nan, math.inf, 2**53, 2**63, 2**200, -1, "1", None.__class__, b"1"):
            with self.subTest(number=number):
                bad: Any = number
                self.refused("invalid", lambda: portbook.Book.open(BookOptions(path=path, memory_bytes=bad)))
        for limit in (-1, 2**32, 1.5, "x"):
            bad = limit
            self.refused("invalid", lambda: self.session.history(bad))
        self.refused("invalid", lambda: portbook.Book.open(WRONG))
        self.refused("invalid", lambda: portbook.Book.open(self.path, WRONG))
        self.refused("invalid", lambda: self.session.connect(WRONG, self.target))
        self.refused("invalid", lambda: self.session.connect(self.source, self.target, WRONG))
        self.refused("invalid", lambda: self.conduit().apply(WRONG))
        self.refused("invalid", lambda: self.conduit().set_selection_rules([WRONG]))
        self.refused("invalid", lambda: HostEntry(WRONG, HostKind.FILE))
        # The cases of an enumeration are made by Python itself.
        for wrong_case in (lambda: Place.Directory(WRONG), lambda: portbook.HostAnswer.Listing(WRONG, None)):
            with self.assertRaises(TypeError):
                wrong_case()
        with self.assertRaises(ValueError):
            Place.Directory(path="\ud800")
        for word in ("sideways", "MIRROR", "", "\ud800", WRONG, 7):
            wrong: Any = word
            self.refused("invalid", lambda: portbook.SyncMode(wrong))
        self.assertEqual(portbook.SyncMode("mirror"), portbook.SyncMode.MIRROR)
        self.assertEqual(portbook.ErrorCode("not_found"), portbook.ErrorCode.NOT_FOUND)
        with self.assertRaises(TypeError):
            BookOptions(paht="x")  # type: ignore[call-arg]
        with self.assertRaises(ValueError):
            self.session.history(limit=-1)

    def test_text_that_is_not_unicode_or_ends_early_is_invalid(self) -> None:
        for text in ("\ud800", "a\udcffb"):
            bad = text
            self.refused("invalid", lambda: portbook.Book.open(bad))
            self.refused("invalid", lambda: portbook.Book.open(BookOptions(path=bad)))
            self.refused("invalid", lambda: self.session.connect(bad, self.target))
            self.refused("invalid", lambda: Place.directory(bad))
            self.refused("invalid", lambda: self.book.create_tenant(bad))
        self.refused("invalid", lambda: portbook.Book.open(str(self.path) + "\0x"))
        self.refused("invalid", lambda: portbook.Book.open(os.fsencode(self.path)))  # type: ignore[arg-type]
        self.refused("invalid", lambda: self.session.preview("no id"))
        self.refused("invalid", lambda: self.session.create_row("storage_volumes", "{"))

    def test_a_handle_after_shutdown_is_invalid(self) -> None:
        self.fill(3)
        conduit = self.conduit()
        preview, run = conduit.preview(), conduit.sync()
        report = run.finish()
        self.book.shutdown()
        self.book.shutdown()
        for call in (self.session.history, conduit.preview, preview.summary, conduit.sync, self.book.check, lambda: conduit.id):
            self.refused("invalid", call)
        self.assertEqual(run.finish(), report)

    def test_a_handle_after_a_fork_is_invalid(self) -> None:
        conduit, session, book = self.conduit(), self.session, self.book
        child = os.fork()
        if child == 0:
            wrong = 1
            try:
                signal.alarm(30)
                import asyncio

                for call in (session.history, conduit.preview, book.shutdown, conduit.sync):
                    try:
                        call()
                        os._exit(2)
                    except portbook.InvalidError:
                        pass

                async def anew() -> int:
                    try:
                        await session.history_async()
                        return 3
                    except portbook.InvalidError:
                        pass
                    # The child opens a book of its own.
                    async with await portbook.Book.open_async(self.root / "child.db") as own:
                        await (await own.default_session_async()).history_async()
                    return 0

                wrong = asyncio.run(anew())
            finally:
                os._exit(wrong)
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        self.assertEqual(session.history(), [])

    def test_ctrl_c_ends_a_wait(self) -> None:
        # What is started in the background ignores it.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        store = self.session.host_store("quiet")
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            store.next_request()
        self.assertLess(time.monotonic() - begin, 2)

    def test_a_program_that_exits_without_shutting_down_loses_nothing(self) -> None:
        self.fill(20)
        program = (
            "import asyncio, sys, portbook\n"
            "book = portbook.Book.open(sys.argv[1])\n"
            "session = book.default_session()\n"
            "store = session.host_store('quiet')\n"
            "conduit = session.connect(sys.argv[2], portbook.Place.host('quiet'))\n"
            "run = conduit.sync()\n"
            "async def go():\n"
            "    asyncio.ensure_future(run.next_event_async())\n"
            "    await asyncio.sleep(0.2)\n"
            "asyncio.run(go())\n"
            "print('gone')\n"
        )
        for number in range(3):
            done = subprocess.run(
                [sys.executable, "-c", program, str(self.root / "other.db"), str(self.source)],
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual((done.returncode, done.stdout), (0, "gone\n"), done.stderr)
        with portbook.Book.open(self.root / "other.db") as book:
            self.assertEqual(book.default_session().connect(self.source, self.target).sync().finish().counts.new, 20)

    def test_a_host_that_raises_or_is_late_or_answers_nonsense(self) -> None:
        self.fill(2)

        class Broken(Shelf):
            def list_dir(self, path: str) -> list[HostEntry] | None:
                raise RuntimeError("it broke")

        with portbook.serving(self.session.host_store("shelf"), Broken()):
            # A directory that cannot be read is not known, and nothing is done about it.
            (change,) = self.session.connect(self.source, Place.host("shelf")).preview()
            self.assertEqual(change.cause, portbook.SkipCause.UNKNOWN)
            self.assertIn("it broke", change.reason or "")

        def fail(store: portbook.HostStore, code: portbook.ErrorCode | None) -> None:
            for request in store:
                store.fail(request.id, "it broke", code)

        for code, text in ((None, "host"), (portbook.ErrorCode.PERMISSION, "permission"), (portbook.ErrorCode.OFFLINE, "offline")):
            with self.session.host_store("shelf") as store:
                threading.Thread(target=fail, args=(store, code), daemon=True).start()
                conduit = self.session.connect(self.source, Place.host("shelf"))
                self.refused(text, conduit.preview)
        store = self.session.host_store("shelf", portbook.HostOptions(timeout_ms=100))
        conduit = self.session.connect(self.source, Place.host("shelf"))
        self.refused("timeout", conduit.preview)
        thread = threading.Thread(target=lambda: self.refused("host", conduit.preview))
        thread.start()
        request = store.next_request()
        assert request is not None
        store.reply_bytes(request.id, b"nonsense")
        self.refused("not_found", lambda: store.reply_bytes(request.id, b""))
        thread.join()
        self.refused("invalid", lambda: store.reply_bytes(1, WRONG))
        self.refused("invalid", lambda: store.reply_bytes(2**70, b""))
        store.shutdown()

    def test_the_book_ends_while_a_run_waits_for_the_host(self) -> None:
        self.fill(2)
        store = self.session.host_store("shelf")
        run = self.session.connect(self.source, Place.host("shelf")).sync()
        store.next_request()
        self.book.shutdown()
        self.assertIsNone(store.next_request())
        try:
            self.assertTrue(run.finish().cancelled)
        except portbook.PortbookError as error:
            self.assertIn(error.code, ("host", "cancelled"))

    def test_a_panic_is_internal_and_ends_nothing_but_its_call(self) -> None:
        self.fill(3)
        # At once, while the call waits, for asyncio, and on the book's own threads: in the call, in what it began, and in a run.
        self.refused("internal", lambda: self.session.host_store("panic!"))
        self.refused("internal", lambda: self.session.volume("panic!"))
        self.refused("internal", lambda: asyncio.run(asyncio.wait_for(awaited(self.session.volume_async, "panic!"), 30)))
        shelf = Panicking()
        with portbook.serving(self.session.host_store("shelf"), shelf):
            conduit = self.session.connect(self.source, Place.host("shelf"))
            for broken in ("list", "item"):
                shelf.broken = broken
                self.refused("internal", lambda: conduit.sync().finish())
                self.refused("internal", lambda: asyncio.run(asyncio.wait_for(awaited(conduit.sync().finish_async), 30)))
            shelf.broken = "list"
            self.refused("internal", conduit.preview)
            shelf.broken = ""
            self.assertEqual(conduit.sync().finish().counts.new, 3)

    def test_a_cancelled_run_waits_for_no_host(self) -> None:
        self.fill(2)
        for silent in (HostRequest.Look, HostRequest.ListDir, HostRequest.WriteAt, HostRequest.Rename, HostRequest.Flush):
            shelf = Silent()
            with self.session.host_store("shelf") as store:
                thread = threading.Thread(target=shelf.serve, args=(store,), daemon=True)
                thread.start()
                conduit = self.session.connect(self.source, Place.host("shelf"))
                shelf.silent = silent
                run = conduit.sync()
                self.assertTrue(shelf.is_silent.wait(30), silent)
                begin = time.monotonic()
                run.cancel()
                report = run.finish()
                # The host has a minute for its answer, and a second after a cancel.
                self.assertLess(time.monotonic() - begin, 20, silent)
                self.assertTrue(report.cancelled, silent)
                # What comes later is of no use to anybody.
                self.refused("not_found", lambda: store.reply(shelf.unanswered, portbook.HostAnswer.Done()))
            thread.join(30)

    def test_files_that_are_not_there(self) -> None:
        self.session.save_directory("store", str(self.target))
        volume = self.session.volume("store")
        self.refused("invalid", lambda: volume.stat(FileAt()))
        self.refused("not_found", lambda: volume.stat(FileAt(path="nothing")))
        self.refused("not_found", lambda: volume.open_file(FileAt(path="nothing")))
        self.refused("not_found", lambda: self.session.volume("other"))
        self.refused("invalid", lambda: volume.put(portbook.NewFile(path="x"), 3))  # type: ignore[arg-type]
