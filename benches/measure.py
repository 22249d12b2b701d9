"""Running commands, alternately, with the clock and the peak of memory beside them."""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass, field


@dataclass
class Run:
    seconds: float
    peak_kib: int
    output: str


class Failed(Exception):
    """A command under measurement ended badly; holds what it said."""


def run(commands: list[list], env: dict[str, str]) -> Run:
    """One run: the commands in sequence, the time of all, the largest peak of any.

    The kernel counts the memory of the launching process into a child's peak until the child has its own image, so
    nothing below `launcher_peak_kib` can be seen.
    """
    peak, output = 0, ""
    begin = time.monotonic()
    for argv in commands:
        process = subprocess.Popen(
            [str(word) for word in argv], env={**os.environ, **env}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )
        out, err = read_both(process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            # Where the program lies and on what it worked is of no use to whoever reads of it.
            said = " ".join(os.path.basename(str(word)) for word in argv)
            raise Failed(f"{said} ended with {process.returncode}: {(err or out).strip()[-500:]}")
        peak, output = max(peak, usage.ru_maxrss), out
    return Run(time.monotonic() - begin, peak, output)


def read_both(process: subprocess.Popen) -> tuple[str, str]:
    """Both streams to their end, with the process left to be waited for (its resource usage comes with that)."""
    import threading

    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    output = process.stdout.read()
    reader.join()
    return output, errors[0]


def launcher_peak_kib() -> int:
    return run([["true"]], {}).peak_kib


@dataclass
class Series:
    """The runs of one tool in one case."""

    tool: str
    seconds: list[float] = field(default_factory=list)
    peak_kib: list[int] = field(default_factory=list)

    def add(self, run: Run) -> None:
        self.seconds.append(run.seconds)
        self.peak_kib.append(run.peak_kib)


@dataclass
class Spread:
    median: float
    least: float
    most: float


def spread(values: list[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def ratios(ours: Series, theirs: Series) -> Spread:
    """Ours by theirs, pair by pair: the runs of one round stood beside each other in time."""
    return spread([a / b for a, b in zip(ours.seconds, theirs.seconds)])
