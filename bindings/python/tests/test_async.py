"""The forms for asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import portbook
from portbook import Place, RunEvent
from world import Shelf, World


class Async(World):
    def test_the_story_in_tasks(self) -> None:
        self.fill(40)

        async def story() -> None:
            async with await portbook.Book.open_async(self.root / "other.db") as book:
                async with await book.default_session_async() as session:
                    conduit = await session.connect_async(self.source, self.target)
                    preview = await conduit.preview_async()
                    self.assertEqual(len([change async for change in preview]), 40)
                    run = conduit.apply(preview)
                    applied = 0
                    async for event in run:
                        if isinstance(event, RunEvent.Applied):
                            applied += len(event.items)
                    self.assertEqual(applied, 40)
                    self.assertEqual((await run.finish_async()).counts.new, 40)
                    self.fill(45)
                    told: list[Any] = []
                    report = await conduit.sync().finish_async(on_progress=told.append)
                    self.assertEqual(report.counts.new, 5)
                    calls = [session.history_async(), preview.summary_async(), session.volumes_async()]
                    answers = await asyncio.gather(*calls, return_exceptions=True)
                    self.assertEqual(len(answers), 3)
                    with self.assertRaises(portbook.NotFoundError):
                        await session.preview_async("00000000-0000-0000-0000-000000000000")
            with self.assertRaises(portbook.InvalidError):
                await session.history_async()

        asyncio.run(asyncio.wait_for(story(), 60))

    def test_without_a_loop_there_is_nothing_to_await(self) -> None:
        with self.assertRaises(RuntimeError):
            self.session.history_async()

    def test_a_wait_that_is_given_up_loses_no_event(self) -> None:
        self.fill(2000)

        async def story() -> None:
            conduit = self.conduit()
            preview = await conduit.preview_async()
            run = conduit.apply(preview)
            applied: list[str] = []
            given_up = 0
            while True:
                waiting = asyncio.ensure_future(run.next_event_async())
                # Some are given up before the answer comes, some as it comes, some after.
                for _ in range(given_up % 7):
                    await asyncio.sleep(0)
                if not waiting.done() and given_up < 5000:
                    waiting.cancel()
                    given_up += 1
                    try:
                        event = await waiting
                    except asyncio.CancelledError:
                        continue
                else:
                    event = await waiting
                if event is None:
                    break
                if isinstance(event, RunEvent.Applied):
                    applied += [item.path for item in event.items]
            self.assertGreater(given_up, 0)
            self.assertEqual(sorted(applied), [f"f{n:05}" for n in range(2000)])

        asyncio.run(asyncio.wait_for(story(), 120))

    def test_a_store_is_served_in_a_task(self) -> None:
        self.fill(5)

        async def story() -> None:
            shelf = Shelf()
            store = self.session.host_store("shelf")
            served = asyncio.ensure_future(portbook.serve_async(store, shelf))
            conduit = await self.session.connect_async(self.source, Place.host("shelf"))
            self.assertEqual((await conduit.sync().finish_async()).counts.new, 5)
            store.shutdown()
            await served
            self.assertEqual(len(shelf.files), 5)

        asyncio.run(asyncio.wait_for(story(), 60))

    def test_a_loop_that_ends_while_something_is_asked(self) -> None:
        store = self.session.host_store("quiet")

        async def story() -> None:
            asyncio.ensure_future(store.next_request_async())
            await asyncio.sleep(0.05)

        for _ in range(3):
            asyncio.run(story())
        # What comes for a loop that is gone is given to those who wait.
        shelf = Shelf()
        shelf.files["a"] = b"one"
        with portbook.serving(store, shelf):
            conduit = self.session.connect(Place.host("quiet"), self.target)
            self.assertEqual(conduit.sync().finish().counts.new, 1)

    def test_loops_in_threads(self) -> None:
        self.fill(100)
        preview = self.conduit().preview()
        counts: list[int] = []

        async def story() -> None:
            counts.append(len([change async for change in preview]))

        threads = [threading.Thread(target=lambda: asyncio.run(story())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(counts, [100] * 4)
