"""Places behind a network, beside rclone: the same server, the same files, at no distance and at 20 ms.

A case is (service, files, what is done, distance): `sftp-small-up-20ms`. Each contestant has a directory of its own on the
server, so that none finds what another has left.
"""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import peers
import trees
from cases import Contestant, Outcome, Yard, alternate, must_be_quiet
from measure import Failed, Run, run

SMALL, LARGE = "small", "large"
FILES = {"full": {SMALL: (10_000, 4096), LARGE: (1, 1 << 30)}, "small": {SMALL: (500, 4096), LARGE: (1, 32 << 20)}}
WHAT = {SMALL: "{0:,} files of 4 KiB in 100 folders", LARGE: "{0} file of {1} MiB"}
TASKS = {"up": "Upload", "down": "Download", "quiet": "Nothing to do"}
DISTANCES = {"0ms": 0, "20ms": 20}
# Files or parts that rclone is to carry at once in the second comparison: as many requests as Portbook has under way.
AS_MANY = 64
ROUNDS = 3
# A case has to fit into five minutes, with what it prepares.
ROUNDS_PEER = 1
# rclone with its defaults takes many minutes for small files at a distance, and on WebDAV at any, where it waits 10 ms before
# each request however many it may have under way. It is given every fifth folder there, and its time is taken five times.
FIFTH = 5
SECRET = {"RCLONE_S3_ACCESS_KEY_ID": "key", "RCLONE_S3_SECRET_ACCESS_KEY": "secret-key"}


@dataclass
class Server:
    """A server that runs, and how both programs are told of it."""

    directory: Path
    port: int
    said: list[str]
    software: str


@dataclass
class Service:
    """How a service is started, and called a directory on it."""

    start: Callable[[Yard, Path], Server]
    # url and variables of a directory, by the port that is spoken to
    portbook: Callable[[Server, int, str], tuple[str, dict[str, str]]]
    rclone: Callable[[Server, int, str], tuple[str, dict[str, str]]]
    # where the files of that directory are
    data: Callable[[Server, str], Path]
    # It remembers what it has: what is put there behind its back is not seen at once, or only half.
    keeps_books: bool = False
    tasks: tuple[str, ...] = tuple(TASKS)


def script(yard: Yard, directory: Path, name: str, *words: str) -> list[str]:
    """Starts one of the servers of the tests; answers the words it printed."""
    directory.mkdir(parents=True, exist_ok=True)
    call = ["sh", yard.repository / "tests/servers" / f"{name}.sh", "start", directory, *words]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode != 0:
        raise peers.Missing(f"{name}: {done.stderr.strip()[-300:]}")
    return done.stdout.strip().splitlines()[-1].split()


def s3(yard: Yard, directory: Path) -> Server:
    """Honours conditions on writes. Its listings walk the whole bucket and show no ETags, so that rclone waits minutes for what
    it reads: that is measured on `s3-rclone`."""
    data = directory / "data"
    (data / "bucket").mkdir(parents=True)
    program = peers.s3s_fs(yard.unpack_into)
    port = peers.free_port()
    log = open(directory / "log", "w")
    call = [program, "--host", "127.0.0.1", "--port", str(port), "--access-key", "key", "--secret-key", "secret-key", data]
    process = subprocess.Popen(call, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, "RUST_LOG": "error"})
    (directory / "pids").write_text(f"{process.pid}\n")
    peers.answers(port)
    return Server(directory, port, [], peers.first_line([str(program), "--version"], {}))


def rclone_s3(yard: Yard, directory: Path) -> Server:
    (directory / "data" / "bucket").mkdir(parents=True)
    [port] = script(yard, directory, "rclone", "s3")
    return Server(directory, int(port), [], "rclone serve s3")


def sftp(yard: Yard, directory: Path) -> Server:
    said = script(yard, directory, "openssh")
    return Server(directory, int(said[0]), said[1:], "OpenSSH")


def webdav(yard: Yard, directory: Path) -> Server:
    [port] = script(yard, directory, "apache", "none")
    return Server(directory, int(port), [], "Apache mod_dav")


def rclone_webdav(yard: Yard, directory: Path) -> Server:
    [port] = script(yard, directory, "rclone", "webdav")
    return Server(directory, int(port), [], "rclone serve webdav")


def s3_portbook(_: Server, port: int, name: str) -> tuple[str, dict[str, str]]:
    env = {"PORTBOOK_S3_ACCESS_KEY": "key", "PORTBOOK_S3_SECRET_KEY": "secret-key",
           "PORTBOOK_S3_ENDPOINT": f"http://127.0.0.1:{port}"}
    return f"s3://bucket/{name}", env


def s3_rclone(_: Server, port: int, name: str) -> tuple[str, dict[str, str]]:
    env = {**SECRET, "RCLONE_S3_PROVIDER": "Other", "RCLONE_S3_ENDPOINT": f"http://127.0.0.1:{port}"}
    return f":s3:bucket/{name}", env


def sftp_portbook(server: Server, port: int, name: str) -> tuple[str, dict[str, str]]:
    keys = [file.read_text().split() for file in sorted(server.directory.glob("host_*.pub"))]
    known = server.directory / f"known_hosts_{port}"
    known.write_text("".join(f"[127.0.0.1]:{port} {kind} {key}\n" for kind, key, *_ in keys))
    env = {"PORTBOOK_SFTP_KNOWN_HOSTS": str(known), "PORTBOOK_SFTP_KEY_FILE": str(server.directory / "user_ed25519")}
    return f"sftp://{server.said[0]}@127.0.0.1:{port}{server.directory}/data/{name}", env


def sftp_rclone(server: Server, port: int, name: str) -> tuple[str, dict[str, str]]:
    sftp_portbook(server, port, name)
    env = {"RCLONE_SFTP_HOST": "127.0.0.1", "RCLONE_SFTP_PORT": str(port), "RCLONE_SFTP_USER": server.said[0],
           "RCLONE_SFTP_KEY_FILE": str(server.directory / "user_ed25519"),
           "RCLONE_SFTP_KNOWN_HOSTS_FILE": str(server.directory / f"known_hosts_{port}")}
    return f":sftp:{server.directory}/data/{name}", env


def webdav_portbook(path: str) -> Callable:
    env = {"PORTBOOK_DAV_PASSWORD": "password"}
    return lambda _, port, name: (f"dav://user@127.0.0.1:{port}{path}/{name}", env)


def webdav_rclone(path: str, vendor: str) -> Callable:
    def told(_: Server, port: int, name: str) -> tuple[str, dict[str, str]]:
        obscured = "auJcDFX2PAU1qq2yi0fCJOq7HRNt8jYw"  # `password`, as `rclone obscure` writes it
        return f":webdav:{name}", {"RCLONE_WEBDAV_URL": f"http://127.0.0.1:{port}{path}", "RCLONE_WEBDAV_VENDOR": vendor,
                                   "RCLONE_WEBDAV_USER": "user", "RCLONE_WEBDAV_PASS": obscured}
    return told


def beneath(*parts: str) -> Callable[[Server, str], Path]:
    return lambda server, name: server.directory.joinpath("data", *parts, name)


SERVICES = {
    "s3": Service(s3, s3_portbook, s3_rclone, beneath("bucket"), keeps_books=True, tasks=("up",)),
    "s3-rclone": Service(rclone_s3, s3_portbook, s3_rclone, beneath("bucket"), keeps_books=True),
    "sftp": Service(sftp, sftp_portbook, sftp_rclone, beneath()),
    "webdav": Service(webdav, webdav_portbook("/dav"), webdav_rclone("/dav", "other"), beneath()),
    "webdav-rclone": Service(rclone_webdav, webdav_portbook(""), webdav_rclone("", "rclone"), beneath(), keeps_books=True),
}


@contextmanager
def running(yard: Yard, service: str):
    directory = yard.fresh(f"server-{service}")
    try:
        yield SERVICES[service].start(yard, directory)
    finally:
        stop(directory)
        trees.remove(directory)


def stop(directory: Path) -> None:
    """Ends what the script has started, and nothing else."""
    pids = directory / "pids"
    for pid in pids.read_text().split() if pids.exists() else []:
        try:
            os.kill(int(pid), signal.SIGTERM)
        except ProcessLookupError:
            continue
        for _ in range(100):
            if not peers.is_alive(int(pid)):
                break
        else:
            os.kill(int(pid), signal.SIGKILL)


@contextmanager
def at_distance(yard: Yard, port: int, round_trip_ms: int, counts: Path | None = None):
    """The port at which the server is that far away; its own at no distance."""
    if not round_trip_ms and not counts:
        yield port
        return
    call = [distance(yard), str(port), str(round_trip_ms), *([str(counts)] if counts else [])]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def distance(yard: Yard) -> Path:
    source, program = yard.repository / "benches" / "distance.rs", yard.unpack_into / "distance"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["rustc", "-O", "--edition", "2024", "-o", program, source], check=True)
    return program


def tree(yard: Yard, size: str) -> Path:
    path = yard.root / f"network-{size}"
    if not path.exists():
        files, each = FILES[yard.size][size]
        if size == SMALL:
            trees.equal_files(path, files, each, 100)
        else:
            trees.large_files(path, files, each)
        trees.settle(yard.root)
    return path


@dataclass
class Place:
    """A contestant's directory on the server, seen from here and from there."""

    name: str
    service: Service
    server: Server
    near: int
    far: int

    def url(self, program: str, port: int | None = None) -> tuple[str, dict[str, str]]:
        return getattr(self.service, program)(self.server, self.far if port is None else port, self.name)

    def empty(self, root: Path) -> None:
        data = self.service.data(self.server, self.name)
        trees.remove(data)
        trees.settle(root)


def case(service: str, size: str, task: str, far: str) -> Callable[[Yard], Outcome]:
    return lambda yard: measure(yard, service, size, task, far)


def measure(yard: Yard, service: str, size: str, task: str, far: str) -> Outcome:
    files, each = FILES[yard.size][size]
    outcome = Outcome(f"{TASKS[task]}, {WHAT[size].format(files, each >> 20)}",
                      "warm: what is read was read or written just before; what is written is emptied before each run")
    source, ours, rclone = tree(yard, size), yard.tool("portbook"), yard.tool("rclone")
    with ExitStack() as stack:
        server = stack.enter_context(running(yard, service))
        outcome.notes.append(f"server: {server.software}")
        port = stack.enter_context(at_distance(yard, server.port, DISTANCES[far]))
        place = lambda name: Place(name, SERVICES[service], server, server.port, port)  # noqa: E731
        contestants, fifths = [portbook(yard, ours, place("portbook"), source, task)], []
        if rclone:
            many = ["--transfers", str(AS_MANY), "--checkers", str(AS_MANY)]
            for name, label, flags in (("rclone", "rclone", []), ("many", f"rclone --transfers {AS_MANY}", many)):
                is_part = is_fifth(service, size, task, far)
                contestants.append(plain(yard, rclone, place(name), source, task, label, flags, is_part))
                fifths += [label] if is_part else []
        trees.read_all(source)
        alternate(yard, outcome, contestants)
        scale_up(outcome, fifths)
        if service.startswith("s3") and task == "quiet":
            count_heads(yard, outcome, ours, place("portbook"), source)
    outcome.figures |= rates(outcome, files, each, size)
    return outcome


def is_fifth(service: str, size: str, task: str, far: str) -> bool:
    return size == SMALL and task != "quiet" and (service.startswith("webdav") or far != "0ms")


def scale_up(outcome: Outcome, fifths: list[str]) -> None:
    for one in outcome.series:
        if one.tool in fifths:
            one.seconds = [seconds * FIFTH for seconds in one.seconds]
            outcome.notes.append(f"{one.tool}: a fifth of the files, its time taken five times")


def rates(outcome: Outcome, files: int, each: int, size: str) -> dict[str, float]:
    """Files or MiB a second of each, by their medians."""
    unit, amount = ("files_per_s", files) if size == SMALL else ("mib_per_s", files * each / (1 << 20))
    return {f"{unit}, {s.tool}": amount / sorted(s.seconds)[len(s.seconds) // 2] for s in outcome.series}


def make_ready(yard: Yard, place: Place, source: Path, target: Path, task: str) -> None:
    """Nothing where the files go, and all of them where they come from."""
    if task == "up":
        place.empty(yard.root)
    else:
        trees.empty(target)
        fill(yard, place, source)
    trees.settle(yard.root)


def portbook(yard: Yard, tool: peers.Tool, place: Place, source: Path, task: str) -> Contestant:
    book, target = yard.root / "book", yard.root / "arrived"
    url, env = place.url("portbook")
    up, down = (peers.portbook_sync(tool, book / "b.db", a, b) for a, b in ((source, url), (url, target)))

    def before() -> None:
        trees.empty(book)
        make_ready(yard, place, source, target, task)

    if task == "quiet":
        before_all = once(lambda: (trees.empty(book), place.empty(yard.root), run(up, env)))
        return Contestant("portbook", lambda: up, before_all, must_be_quiet, env, ROUNDS)
    commands = up if task == "up" else down
    return Contestant("portbook", lambda: commands, before, arrival(place, source, target, task), env, ROUNDS)


def arrival(place: Place, source: Path, target: Path, task: str, share: int = 1) -> Callable[[Run], str | None]:
    """Whether what was to be carried is there."""
    expected = size_of(source) // share

    def check(_: Run) -> str | None:
        arrived = place.service.data(place.server, place.name) if task == "up" else target
        return None if size_of(arrived) == expected else "not everything has arrived"

    return check


def plain(yard: Yard, tool: peers.Tool, place: Place, source: Path, task: str, label: str, flags: list[str],
          is_part: bool) -> Contestant:
    target = yard.root / "arrived"
    url, env = place.url("rclone")
    some = ["--include", "/d*[05]/**"] if is_part else []
    call = lambda a, b: [[tool.program, "--config", "/dev/null", "sync", *flags, *some, a, b]]  # noqa: E731
    up, down = call(source, url), call(url, target)

    def before() -> None:
        make_ready(yard, place, source, target, task)

    if task == "quiet":
        # It remembers nothing of the address: what is to be there may be brought in any way.
        before = once(lambda: (place.empty(yard.root), fill(yard, place, source)))
        return Contestant(label, lambda: up, before, env=env, rounds=ROUNDS_PEER)
    check = arrival(place, source, target, task, FIFTH if is_part else 1)
    return Contestant(label, lambda: up if task == "up" else down, before, check, env, ROUNDS_PEER)


def once(work: Callable[[], object]) -> Callable[[], None]:
    done = []

    def only_once() -> None:
        if not done:
            work()
            done.append(True)

    return only_once


def fill(yard: Yard, place: Place, source: Path) -> None:
    """Has the files on the server."""
    data = place.service.data(place.server, place.name)
    if data.exists():
        return
    if place.service.keeps_books:
        copy_near(yard, place, source)
        return
    data.parent.mkdir(parents=True, exist_ok=True)
    trees.copy(source, data)
    # Servers that run as somebody else.
    subprocess.run(["chown", "-R", "--reference", data.parent, data], check=True)


def copy_near(yard: Yard, place: Place, source: Path) -> None:
    """Puts the files there by rclone, from nearby and quickly."""
    url, env = place.url("rclone", place.near)
    run([[yard.tool("rclone").program, "--config", "/dev/null", "sync", "--transfers", "16", source, url]], env)


def size_of(root: Path) -> int:
    hidden = re.compile(r"^\.")
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(root) for name in names
               if not hidden.match(name))


def count_heads(yard: Yard, outcome: Outcome, tool: peers.Tool, place: Place, source: Path) -> None:
    """A quiet run of Portbook once more, with its requests counted."""
    counts = yard.root / "counts"
    with at_distance(yard, place.near, 0, counts) as port:
        url, env = place.url("portbook", port)
        call = peers.portbook_sync(tool, yard.root / "book" / "b.db", source, url)
        try:
            # This port is another place: the first run has to get to know it.
            run(call, env)
            before = read_counts(counts)
            done = run(call, env)
        except Failed as reason:
            outcome.notes.append(f"requests were not counted: {reason}")
            return
    asked = {method: count - before.get(method, 0) for method, count in read_counts(counts).items()}
    outcome.figures["head_requests_quiet"] = asked.get("HEAD", 0)
    said = ", ".join(f"{count} {method}" for method, count in asked.items() if count)
    outcome.notes.append(f"requests of a quiet run of portbook: {said}")
    if complaint := must_be_quiet(done):
        outcome.notes.append(f"the run whose requests were counted {complaint}")


def read_counts(file: Path) -> dict[str, int]:
    lines = file.read_text().splitlines() if file.exists() else []
    return {method: int(count) for method, count in (line.split() for line in lines)}


CASES = {f"{service}-{size}-{task}-{far}": case(service, size, task, far)
         for service in SERVICES for far in DISTANCES for size in FILES["full"] for task in SERVICES[service].tasks}
