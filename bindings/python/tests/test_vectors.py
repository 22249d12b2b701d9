"""The pure calls answer what an implementation beside ours says (tests/vectors/pure.json), as in every language."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Callable

import portbook

VECTORS = Path(__file__).parents[3] / "tests/vectors/pure.json"


class Vectors(unittest.TestCase):
    def refused(self, call: Callable[[], object]) -> None:
        with self.assertRaises(portbook.InvalidError):
            call()

    def test_the_vectors_hold(self) -> None:
        vectors = json.loads(VECTORS.read_text("utf-8"))
        self.assertGreater(len(vectors), 70)
        for vector in vectors:
            with self.subTest(vector):
                path = bytes.fromhex(vector.get("hex", ""))
                match vector["of"]:
                    case "content":
                        content = bytes(n % 251 for n in range(vector["length"]))
                        self.assertEqual(portbook.content_hash(content), vector["hash"])
                        self.assertEqual(portbook.content_hash(memoryview(content)), vector["hash"])
                    case "path":
                        self.assertEqual(portbook.show_path(path), vector["shown"])
                        self.assertEqual(portbook.path_bytes(vector["shown"]), path)
                    case "no path":
                        self.refused(lambda: portbook.show_path(path))
                    case "not shown":
                        self.refused(lambda: portbook.path_bytes(vector["shown"]))
                    case "address":
                        self.assertEqual(portbook.show_address(vector["written"]), vector["shown"])
                        self.assertEqual(portbook.show_address(vector["shown"]), vector["shown"])
                    case "no address":
                        self.refused(lambda: portbook.show_address(vector["written"]))
                    case other:
                        self.fail(other)
