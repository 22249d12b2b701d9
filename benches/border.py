"""The same as border.rs, in Python: border.py DIR, where border.rs was before. The last line is a JSON object.

Run by benches/run in an environment that has the wheel.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Callable

import portbook

ROUNDS = 5
CALLS = 1000


def best(of: Callable[[], object]) -> float:
    """The seconds of the fastest of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        of()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def each(call: Callable[[], object]) -> float:
    """Microseconds of one call."""

    def calls() -> None:
        for _ in range(CALLS):
            call()

    return best(calls) / CALLS * 1e6


def main() -> None:
    root = Path(sys.argv[1])
    figures = {}
    with portbook.Book.open(root / "book.db") as book:
        session = book.default_session()
        preview = session.preview((root / "preview").read_text())

        def read() -> int:
            return sum(change.bytes for change in preview)

        count = preview.summary().items
        figures["python_changes_per_s"] = count / best(read)
        figures["python_call_us"] = each(preview.summary)
        figures["python_call_at_once_us"] = each(lambda: preview.id)
        # Runs of the same files into new directories: with their events read, and without.
        for name, is_read in (("events_read", True), ("events_unread", False)):
            run = session.connect(root / "source", root / f"python-{name}").sync()
            begun, events = time.perf_counter(), 0
            if is_read:
                # An event holds up to 1,000 items: each is one that is told.
                events = sum(len(event.items) if isinstance(event, portbook.RunEvent.Applied) else 1 for event in run)
            carried = run.finish().counts.new
            taken = time.perf_counter() - begun
            figures[f"python_run_items_per_s_{name}"] = carried / taken
            if is_read:
                figures["python_events_per_s"] = events / taken
        # What one request to a host's own files costs: asked, pulled, answered.
        figures["python_host_requests_per_s"] = hosted(session, root)
    print(json.dumps(figures))


def hosted(session: portbook.Session, root: Path) -> float:
    asked = 0

    class Empty:
        def look(self, path: str) -> portbook.HostEntry | None:
            return None

        def list_dir(self, path: str) -> list[portbook.HostEntry] | None:
            nonlocal asked
            asked += 1
            depth = path.count("/")
            names = [] if path and depth >= 2 else [f"{n:02}" for n in range(10)]
            return [portbook.HostEntry(name, portbook.HostKind.DIR) for name in names]

        def read_at(self, path: str, offset: int, length: int) -> bytes:
            return b""

        def write_at(self, path: str, offset: int, content: bytes) -> None:
            raise portbook.UnsupportedError("nothing is written here")

        def make_dir(self, path: str) -> None:
            raise portbook.UnsupportedError("nothing is written here")

        def rename(self, path: str, to: str, replace: bool) -> None:
            raise portbook.UnsupportedError("nothing is written here")

        def remove_item(self, path: str) -> None:
            raise portbook.UnsupportedError("nothing is written here")

    with portbook.serving(session.host_store("empty", portbook.HostOptions(read_only=True)), Empty()):
        conduit = session.connect(portbook.Place.host("empty"), root / "from-host")
        begun = time.perf_counter()
        conduit.preview()
        return asked / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
