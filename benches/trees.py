"""Trees to measure with: the same names, sizes, bytes and times in every run."""

import os
import random
import shutil
import subprocess
from pathlib import Path

BLOCK = 1 << 20
# Long past, so that no tool has to distrust a time for being too fresh.
FIRST_MTIME_NS = 1_700_000_000_000_000_000


def small_files(root: Path, files: int, folders: int, seed: int = 1) -> None:
    """`files` files of 100 B to 10 kB spread evenly over `folders` folders, no two with equal content."""
    draw = random.Random(seed)
    noise = draw.randbytes(BLOCK)
    root.mkdir(parents=True)
    per_folder, rest = divmod(files, folders)
    number = 0
    for folder in range(folders):
        directory = root / f"d{folder // 100:03}" / f"d{folder:06}"
        directory.mkdir(parents=True)
        at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        for _ in range(per_folder + (folder < rest)):
            size = draw.randint(100, 10_000)
            start = draw.randrange(BLOCK - size)
            content = number.to_bytes(8, "big") + noise[start : start + size - 8]
            write_file(at, f"f{number:07}.dat", [content], FIRST_MTIME_NS + number * 1_000_000_007)
            number += 1
        os.close(at)


def equal_files(root: Path, files: int, size: int, folders: int, seed: int = 3) -> None:
    """`files` files of `size` bytes each, spread evenly over `folders` folders, no two with equal content."""
    draw = random.Random(seed)
    for number in range(files):
        directory = root / f"d{number % folders:03}"
        directory.mkdir(parents=True, exist_ok=True)
        at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        write_file(at, f"f{number:05}.dat", [draw.randbytes(size)], FIRST_MTIME_NS + number * 1_000_000_000)
        os.close(at)


def large_files(root: Path, files: int, size: int, seed: int = 2) -> None:
    """`files` files of `size` bytes each, incompressible and different."""
    draw = random.Random(seed)
    root.mkdir(parents=True)
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(files):
        blocks = (draw.randbytes(BLOCK) for _ in range(size // BLOCK))
        write_file(at, f"large{number}.bin", blocks, FIRST_MTIME_NS + number)
    os.close(at)


def write_file(directory: int, name: str, blocks, mtime_ns: int) -> None:
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory)
    for block in blocks:
        os.write(file, block)
    os.utime(file, ns=(mtime_ns, mtime_ns))
    os.close(file)


def copy(source: Path, target: Path) -> None:
    """An independent copy with equal times and modes: no shared extents, no hard links."""
    subprocess.run(["cp", "-a", "--reflink=never", source, target], check=True)


def remove(root: Path) -> None:
    subprocess.run(["rm", "-rf", "--", root], check=True)


def empty(root: Path) -> None:
    """The root, with nothing in it."""
    remove(root)
    root.mkdir(parents=True)


def settle(root: Path) -> None:
    """Waits until everything written so far is on disk, so that no run pays for the one before it."""
    subprocess.run(["sync", "-f", root], check=True)


def read_all(*roots: Path) -> None:
    """Brings contents and metadata into the page cache."""
    for root in roots:
        with subprocess.Popen(["tar", "-cf", "-", "-C", root, "."], stdout=subprocess.PIPE) as tar:
            with open(os.devnull, "wb") as sink:
                shutil.copyfileobj(tar.stdout, sink, BLOCK)
        if tar.returncode != 0:
            raise RuntimeError(f"could not read {root}")
