"""What is measured: each case is a function from a yard to the runs of every tool in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import peers
import trees
from measure import Failed, Run, Series, run

ROUNDS = 5
# rclone, rsync where it writes, and Unison over a million files take many times as long as the others.
ROUNDS_SLOW = 3

SCALES = {
    "full": {"100k": (100_000, 1_000), "1m": (1_000_000, 10_000), "large": (8, 256 << 20), "ledger": 10_000_000, "rows": 1_000_000},
    "small": {"100k": (2_000, 20), "1m": (20_000, 200), "large": (4, 16 << 20), "ledger": 100_000, "rows": 20_000},
}


@dataclass
class Outcome:
    """The runs of one case, and everything that a reader must know about them."""

    title: str
    cache: str
    series: list[Series] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)


class Yard:
    """The directory everything happens in, the trees in it (made when first asked for) and the tools."""

    def __init__(self, root: Path, repository: Path, size: str, unpack_into: Path, most_rounds: int | None = None):
        self.root, self.repository, self.size, self.scale = root, repository, size, SCALES[size]
        self.unpack_into, self.most_rounds = unpack_into, most_rounds
        self.tools: dict[str, peers.Tool] = {}
        self.missing: dict[str, str] = {}

    def tool(self, name: str) -> peers.Tool | None:
        """The tool, or none with the reason kept in `missing`."""
        if name not in self.tools and name not in self.missing:
            try:
                self.tools[name] = peers.find(name, self.unpack_into)
            except peers.Missing as reason:
                self.missing[name] = str(reason)
                print(f"  {name} is left out: {reason}", flush=True)
        return self.tools.get(name)

    def source(self, scale: str) -> Path:
        path = self.root / f"source-{scale}"
        if not path.exists():
            print(f"  making {path.name}: {self.scale[scale]}", flush=True)
            make = trees.large_files if scale == "large" else trees.small_files
            make(path, *self.scale[scale])
            trees.settle(self.root)
        return path

    def twin(self, scale: str) -> Path:
        path = self.root / f"twin-{scale}"
        if not path.exists():
            source = self.source(scale)
            print(f"  making {path.name}", flush=True)
            trees.copy(source, path)
            trees.settle(self.root)
        return path

    def forget(self, scale: str) -> None:
        """Makes room: the trees of a scale that no later case needs."""
        for name in ("source", "twin"):
            trees.remove(self.root / f"{name}-{scale}")

    def fresh(self, name: str) -> Path:
        """A directory that is empty now."""
        path = self.root / name
        trees.empty(path)
        return path


@dataclass
class Contestant:
    label: str
    commands: Callable[[], list[list]]
    before: Callable[[], object] = lambda: None
    check: Callable[[Run], str | None] = lambda _: None
    env: dict[str, str] = field(default_factory=dict)
    rounds: int = ROUNDS
    warm_up: bool = False


def alternate(yard: Yard, outcome: Outcome, contestants: list[Contestant]) -> Outcome:
    """Runs everybody once a round, in turn, the order reversed every other round so that none always comes first."""
    alive = []
    for one in contestants:
        one.rounds = min(one.rounds, yard.most_rounds or one.rounds)
        try:
            if one.warm_up:
                one.before()
                run(one.commands(), one.env)
            alive.append(one)
        except Failed as reason:
            outcome.notes.append(f"{one.label} failed: {reason}")
    series = {one.label: Series(one.label) for one in alive}
    for number in range(max((one.rounds for one in alive), default=0)):
        for one in [*alive] if number % 2 == 0 else [*reversed(alive)]:
            if number >= one.rounds:
                continue
            try:
                one.before()
                done = run(one.commands(), one.env)
            except Failed as reason:
                outcome.notes.append(f"{one.label} failed in round {number + 1}: {reason}")
                alive.remove(one)
                continue
            series[one.label].add(done)
            print(f"  {number + 1}: {one.label:<24} {done.seconds:8.3f} s  {done.peak_kib / 1024:8.1f} MiB", flush=True)
            if complaint := one.check(done):
                outcome.notes.append(f"{one.label}, round {number + 1}: {complaint}")
    outcome.series = [s for s in series.values() if s.seconds]
    for one in contestants:
        if one.rounds != ROUNDS:
            outcome.notes.append(f"{one.label}: {one.rounds} {'rounds' if one.rounds > 1 else 'round'} only.")
    return outcome


def must_be_quiet(done: Run) -> str | None:
    return None if peers.is_quiet(done.output) else f"was not quiet: {done.output.strip()}"


def present(yard: Yard, *names: str) -> list[peers.Tool]:
    return [tool for name in names if (tool := yard.tool(name))]


def first_sync(yard: Yard, scale: str, rounds: int, with_peers: bool) -> Outcome:
    source, book = yard.source(scale), yard.root / "book"
    target = yard.root / "target"

    def clear() -> None:
        trees.empty(target)
        trees.empty(book)
        trees.settle(yard.root)

    files, folders = yard.scale[scale]
    outcome = Outcome(
        f"First sync of {files:,} small files in {folders:,} folders into an empty directory",
        "warm: the source was read once before; the target is emptied and everything settled before each run",
    )
    ours = yard.tool("portbook")
    all_of_them = [
        Contestant("portbook", lambda: peers.portbook_sync(ours, book / "b.db", source, target), clear, rounds=rounds)
    ]
    calls = {
        "cp": ("cp -r, sync -f", peers.cp_durable, ROUNDS),
        "rsync": ("rsync -a", peers.rsync_archive, ROUNDS_SLOW),
        "rclone": ("rclone copy", peers.rclone_copy, ROUNDS_SLOW),
    }
    for tool in present(yard, *calls) if with_peers else []:
        label, call, peer_rounds = calls[tool.name]
        commands = lambda tool=tool, call=call: call(tool, source, target)  # noqa: E731
        all_of_them.append(Contestant(label, commands, clear, env=tool.env, rounds=peer_rounds))
    trees.read_all(source)
    alternate(yard, outcome, all_of_them)
    if with_peers:
        outcome.notes.append("Only portbook and `cp -r, sync -f` have everything on disk at the end.")
    trees.remove(target)
    trees.remove(book)
    return outcome


def nothing_to_do(yard: Yard, scale: str, with_rclone: bool) -> Outcome:
    source, twin, book = yard.source(scale), yard.twin(scale), yard.fresh("book")
    files, folders = yard.scale[scale]
    outcome = Outcome(
        f"Nothing to do, one way, over {files:,} small files in {folders:,} folders",
        "warm: one uncounted run of every tool over the same two trees before",
    )
    ours = yard.tool("portbook")
    all_of_them = [
        Contestant(
            "portbook", lambda: peers.portbook_sync(ours, book / "b.db", source, twin), check=must_be_quiet, warm_up=True
        )
    ]
    if rsync := yard.tool("rsync"):
        commands = lambda: peers.rsync_archive(rsync, source, twin)  # noqa: E731
        all_of_them.append(Contestant("rsync -a --delete", commands, env=rsync.env, warm_up=True))
    if with_rclone and (rclone := yard.tool("rclone")):
        commands = lambda: peers.rclone_sync(rclone, source, twin)  # noqa: E731
        all_of_them.append(Contestant("rclone sync", commands, env=rclone.env, warm_up=True))
    alternate(yard, outcome, all_of_them)
    trees.remove(book)
    return outcome


def two_way(yard: Yard, scale: str, adopting: bool, rounds: int = ROUNDS) -> Outcome:
    """Both trees are equal. Adopting: nobody knows that yet. Otherwise everybody does, and there is nothing to do."""
    source, twin = yard.source(scale), yard.twin(scale)
    files, folders = yard.scale[scale]
    what = "Adopting equal trees, two-way," if adopting else "Nothing to do, two-way,"
    outcome = Outcome(
        f"{what} over {files:,} small files in {folders:,} folders",
        "warm: both trees were read once before; ledger and archive are removed before each run"
        if adopting
        else "warm: one uncounted run of every tool over the same two trees before",
    )
    book, archive = yard.fresh("book"), yard.fresh("unison")

    def forget_all() -> None:
        trees.empty(book)
        trees.empty(archive)
        trees.settle(yard.root)

    before = forget_all if adopting else lambda: None
    ours = yard.tool("portbook")
    all_of_them = [
        Contestant(
            "portbook",
            lambda: peers.portbook_sync(ours, book / "b.db", source, twin, "--mode", "bidirectional"),
            before,
            check=must_be_quiet,
            rounds=rounds,
            warm_up=not adopting,
        )
    ]
    if unison := yard.tool("unison"):
        env = {**unison.env, **peers.unison_home(archive)}
        commands = lambda: peers.unison_batch(unison, source, twin)  # noqa: E731
        all_of_them.append(Contestant("unison", commands, before, env=env, rounds=rounds, warm_up=not adopting))
    trees.read_all(source, twin)
    alternate(yard, outcome, all_of_them)
    trees.remove(book)
    trees.remove(archive)
    return outcome


def large_copy(yard: Yard) -> Outcome:
    source, target, book = yard.source("large"), yard.root / "target", yard.root / "book"
    files, size = yard.scale["large"]
    outcome = Outcome(
        f"Checked copy of {files} files of {size >> 20} MiB",
        "warm: the source was read once before; the target is emptied and everything settled before each run",
    )

    def clear() -> None:
        trees.empty(target)
        trees.empty(book)
        trees.settle(yard.root)

    ours, cp = yard.tool("portbook"), yard.tool("cp")
    trees.read_all(source)
    alternate(
        yard,
        outcome,
        [
            Contestant("portbook", lambda: peers.portbook_sync(ours, book / "b.db", source, target), clear),
            Contestant("cp --reflink=never", lambda: peers.cp_recursive(cp, source, target), clear),
            Contestant("cp --reflink=never, sync -f", lambda: peers.cp_durable(cp, source, target), clear),
        ],
    )
    outcome.notes.append("`cp` alone neither checks nor waits for the disk; portbook does both.")
    trees.remove(target)
    trees.remove(book)
    return outcome


# In this order, so that the trees of a scale are together on the disk no longer than needed.
CASES: dict[str, Callable[[Yard], Outcome]] = {
    "first-100k": lambda yard: first_sync(yard, "100k", ROUNDS, with_peers=True),
    "quiet-100k": lambda yard: nothing_to_do(yard, "100k", with_rclone=True),
    "two-way-100k": lambda yard: two_way(yard, "100k", adopting=False),
    "adopt-100k": lambda yard: two_way(yard, "100k", adopting=True),
    "large": large_copy,
    "first-1m": lambda yard: first_sync(yard, "1m", 1, with_peers=False),
    "quiet-1m": lambda yard: nothing_to_do(yard, "1m", with_rclone=False),
    "adopt-1m": lambda yard: two_way(yard, "1m", adopting=True, rounds=ROUNDS_SLOW),
}
