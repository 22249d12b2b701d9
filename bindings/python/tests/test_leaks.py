"""A thousand cycles with flat memory."""

from __future__ import annotations

import gc
import os
import tempfile
import unittest
from pathlib import Path

import portbook


def resident() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Leaks(unittest.TestCase):
    def test_a_thousand_cycles_of_open_sync_and_shutdown(self) -> None:
        if not Path("/proc/self/status").exists():
            self.skipTest("this system does not say how much memory is held")
        if os.environ.get("PORTBOOK_TEST_QUICK"):
            self.skipTest("--quick")
        with tempfile.TemporaryDirectory() as kept:
            root = Path(kept)
            (root / "source").mkdir()
            held = 0
            for cycle in range(1000):
                (root / "source" / "a").write_text(str(cycle))
                with portbook.Book.open(root / "book.db") as book:
                    session = book.default_session()
                    run = session.connect(root / "source", root / "target").sync()
                    for _ in run:
                        pass
                    self.assertEqual(run.finish().counts.failed, 0)
                if cycle == 199:
                    gc.collect()
                    held = resident()
            gc.collect()
            grown = resident() - held
            print(f"after 200 cycles {held} KiB, after 1,000 {grown:+} KiB")
            self.assertLess(grown, 8 << 10)
