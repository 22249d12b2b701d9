"""Rows of tables: a preview beside reladiff, which compares two tables, and beside dlt, which carries one into another store.

benches/run --only 'rows-*' measures them. Both tables lie in one PostgreSQL server of their own.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import peers
from cases import ROUNDS_SLOW, Contestant, Outcome, Yard, alternate
from measure import Failed, Run, Series, run, spread
from metastore import measure, server

# 12 columns of the types that tables have, about 165 bytes a row.
TABLE = """CREATE TABLE {name} (id int8 PRIMARY KEY, sku varchar(20), name text, price numeric(12,2), quantity int4, weight float8,
    active bool, note text, made timestamptz, seen date, ref uuid, tag int2)"""
ROWS = """INSERT INTO article SELECT i, 'SKU-' || i, 'article number ' || i, i / 100.0, i % 1000, i / 7.0, i % 2 = 0,
    'a remark of some length on ' || i, timestamptz '2024-01-01' + i * interval '1 second', date '2024-01-01' + (i % 365)::int,
    md5(i::text)::uuid, i % 100 FROM generate_series(1::bigint, {rows}) i"""
COPY = "INSERT INTO article_copy SELECT * FROM article"

RELADIFF = "reladiff==0.6.0"
DLT = ["dlt[duckdb]==1.31.0", "sqlalchemy>=2", "psycopg[binary]", "pyarrow"]


def beside(times: int, with_peers: bool) -> Callable[[Yard], Outcome]:
    """The case of so many times the usual number of rows."""

    def case(yard: Yard) -> Outcome:
        rows = yard.scale["rows"] * times
        outcome = Outcome(
            f"A preview of {rows:,} rows of 12 columns in PostgreSQL: nothing has changed, then every row has",
            "warm: both tables were read once before, and lie in the server's memory as far as they fit",
        )
        with server(yard, outcome) as (url, bin_directory):
            try:
                compared(yard, outcome, url, [bin_directory / "psql", "-qX", "-v", "ON_ERROR_STOP=1", url], rows, with_peers)
            except (Failed, subprocess.CalledProcessError) as reason:
                outcome.notes.append(f"Failed: {reason}")
        return outcome

    return case


def compared(yard: Yard, outcome: Outcome, url: str, psql: list, rows: int, with_peers: bool) -> None:
    say = lambda *statements: [subprocess.run([*psql, "-c", s], check=True, capture_output=True) for s in statements]  # noqa: E731
    say(TABLE.format(name="article"), ROWS.format(rows=rows), TABLE.format(name="article_copy"), COPY, "VACUUM ANALYZE", "CHECKPOINT")
    book, ours = yard.fresh("book") / "b.db", yard.tool("portbook")
    call = lambda verb, *flags: [[ours.program, "--book", book, "--json", verb, f"{url}/article", f"{url}/article_copy", *flags]]  # noqa: E731
    first = run(call("sync", "--yes"), {})
    outcome.figures["adopted_rows_per_s"] = rows / first.seconds
    contestants = [Contestant("portbook", lambda: call("preview"), check=finds_nothing, rounds=5 if with_peers else 3, warm_up=True)]
    contestants += others(yard, url, rows) if with_peers else []
    alternate(yard, outcome, contestants)
    say("UPDATE article SET quantity = quantity + 1", "VACUUM ANALYZE article", "CHECKPOINT")
    changed = Series("portbook, every row changed")
    # As a person is shown it: the first changes and their sum. A million lines of JSON would be what is measured.
    shown = [[ours.program, "--book", book, "preview", f"{url}/article", f"{url}/article_copy"]]
    for _ in range(ROUNDS_SLOW):
        done = run(shown, {})
        changed.add(done)
        if f"{rows:,} updated" not in done.output:
            outcome.notes.append(f"found something else: {done.output.strip()[-300:]}")
    outcome.series.append(changed)
    quiet = next(series for series in outcome.series if series.tool == "portbook")
    outcome.figures["quiet_s"] = spread(quiet.seconds).median
    outcome.figures["changed_times_quiet"] = spread(changed.seconds).median / spread(quiet.seconds).median
    outcome.figures["peak_mib"] = max(quiet.peak_kib + changed.peak_kib) / 1024
    outcome.notes.append("`adopted_rows_per_s`: the first sync of two equal tables, which reads both and fills the ledger.")


def finds_nothing(done: Run) -> str | None:
    return None if peers.is_quiet(done.output) else f"found something else: {done.output.strip()[:300]}"


def others(yard: Yard, url: str, rows: int) -> list[Contestant]:
    """The peers that can be had, each in an environment of its own."""
    found = []
    try:
        reladiff = environment(yard, "reladiff", [f"{RELADIFF}", "psycopg2-binary"]) / "reladiff"
        yard.tools["reladiff"] = peers.Tool("reladiff", str(reladiff), RELADIFF)
        # It ends well even when it could not do anything: only its statistics tell.
        diff = [reladiff, url.replace("postgres://", "postgresql://"), "article", "article_copy", "-k", "id", "-c", "%", "--stats"]
        check = lambda done: None if f"{rows} rows in table A" in done.output else f"compared something else: {done.output.strip()[:300]}"  # noqa: E731
        found.append(Contestant("reladiff", lambda: [diff], check=check))
        found.append(Contestant("reladiff -a hashdiff -j 2", lambda: [[*diff, "-a", "hashdiff", "-j", "2"]], check=check))
    except peers.Missing as reason:
        yard.missing["reladiff"] = str(reason)
    try:
        python = environment(yard, "dlt", DLT) / "python"
        yard.tools["dlt"] = peers.Tool("dlt", str(python), DLT[0])
        script = yard.repository / "benches/rows_dlt.py"
        held = lambda done: None if json.loads(done.output.strip().splitlines()[-1])["rows"] == rows else "holds another number of rows"  # noqa: E731
        found.append(Contestant("dlt, all rows to DuckDB", lambda: [[python, script, url, yard.fresh("dlt")]], check=held, rounds=2))
    except peers.Missing as reason:
        yard.missing["dlt"] = str(reason)
    return found


def environment(yard: Yard, name: str, packages: list[str]) -> Path:
    """Where the programs of these packages of PyPI are."""
    home = yard.unpack_into / name
    if not (home / "made").exists():
        peers.fetch([sys.executable, "-m", "venv", str(home)])
        peers.fetch([str(home / "bin/pip"), "-q", "install", *packages])
        (home / "made").touch()
    return home / "bin"


def canonical(yard: Yard) -> Outcome:
    rows = yard.scale["rows"]
    outcome = Outcome(f"{rows:,} rows of 12 columns into their canonical encoding, and their content hashes, on one core", "in memory")
    measure(yard, outcome, "canon", ["--rows", str(rows)])
    return outcome


CASES = {
    "canon": canonical,
    "rows-1m": beside(1, with_peers=True),
    "rows-10m": beside(10, with_peers=False),
}
