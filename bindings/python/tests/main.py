"""Runs the tests of this directory and tells them as Rust's harness does, so that tests/run counts them all alike."""

from __future__ import annotations

import sys
import time
import unittest
from pathlib import Path


class Told(unittest.TestResult):
    def tell(self, test: unittest.TestCase, how: str) -> None:
        print(f"test {test.id()} ... {how}", flush=True)

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.tell(test, "ok")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.tell(test, f"ignored, {reason}")

    def addFailure(self, test: unittest.TestCase, err) -> None:  # type: ignore[no-untyped-def]
        super().addFailure(test, err)
        self.tell(test, "FAILED")
        print(self.failures[-1][1], flush=True)

    def addError(self, test: unittest.TestCase, err) -> None:  # type: ignore[no-untyped-def]
        super().addError(test, err)
        self.tell(test, "FAILED")
        print(self.errors[-1][1], flush=True)


def main() -> int:
    begin = time.monotonic()
    here = Path(__file__).parent
    pattern = sys.argv[1] if len(sys.argv) > 1 else "test_*.py"
    result = Told()
    unittest.TestLoader().discover(str(here), pattern).run(result)
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    verdict = "FAILED" if failed else "ok"
    passed = result.testsRun - failed - skipped
    seconds = time.monotonic() - begin
    print(f"\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; finished in {seconds:.2f}s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
