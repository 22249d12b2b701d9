"""What needs packages that may be missing: pandas, pyarrow, tqdm, rich."""

from __future__ import annotations

import importlib.util
import io
import unittest

from portbook import progress
from world import World


def needs(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise unittest.SkipTest(f"{package} is not installed")


class Tables(World):
    def test_a_preview_as_a_data_frame(self) -> None:
        needs("pandas")
        self.fill(1200)
        frame = self.conduit().preview().to_pandas()
        self.assertEqual(len(frame), 1200)
        self.assertEqual(list(frame.columns)[:2], ["id", "path"])
        self.assertEqual(set(frame["kind"]), {"new"})
        self.assertEqual(int(frame["bytes"].sum()), 12 * 1200)

    def test_a_preview_as_a_table(self) -> None:
        needs("pyarrow")
        self.fill(1200)
        table = self.conduit().preview().to_arrow()
        self.assertEqual(table.num_rows, 1200)
        self.assertEqual(table.column("path")[3].as_py(), "f00003")
        self.assertEqual(str(table.schema.field("bytes").type), "int64")

    def test_an_empty_preview(self) -> None:
        for package in ("pandas", "pyarrow"):
            needs(package)
        preview = self.conduit().preview()
        self.assertEqual((len(preview.to_pandas()), preview.to_arrow().num_rows), (0, 0))

    def test_progress_in_a_bar_of_tqdm(self) -> None:
        needs("tqdm")
        self.fill(100)
        shown = io.StringIO()
        with progress.tqdm_progress(file=shown) as show:
            self.assertEqual(self.conduit().sync().finish(on_progress=show).counts.new, 100)
        self.assertTrue(shown.getvalue())

    def test_progress_in_a_bar_of_rich(self) -> None:
        needs("rich")
        from rich.console import Console

        self.fill(100)
        with progress.rich_progress(console=Console(file=io.StringIO())) as show:
            self.assertEqual(self.conduit().sync().finish(on_progress=show).counts.new, 100)
