"""Makes _portbook.pyi of what maturin reads out of the library: what it cannot know is put right.

stubs.py DIRECTORY prints the stubs of the module that lie there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

IGNORED = "  # type: ignore[import-untyped, import-not-found, unused-ignore]\n"
IMPORTS = f"import builtins\nimport collections.abc\nimport pandas{IGNORED}import pyarrow{IGNORED}"


def main() -> None:
    found = [path for path in Path(sys.argv[1]).rglob("*.pyi")]
    text = next(path for path in found if "class Book" in path.read_text()).read_text()
    # A word of Python's own: `class_` is what is used.
    text = re.sub(r"    @property\n    def class\(self, /\).*?(?=    @property\n|    def )", "", text, flags=re.S)
    # The errors, which the module does not have, are all that it would have to guess.
    text = text.replace("def __getattr__(name: str) -> Incomplete: ...\n", "").replace("import Incomplete, ", "import ")
    # Methods have the names of types, and the packages that are optional are missing.
    text = re.sub(r"\blist\[", "builtins.list[", text)
    text = re.sub(r"(: |-> |\[)bytes\b", r"\1builtins.bytes", text)
    text = text.replace("from _typeshed import", IMPORTS + "from _typeshed import", 1)
    print("# Generated from the library by tests/lib/python.sh.")
    print(text.strip())


if __name__ == "__main__":
    main()
