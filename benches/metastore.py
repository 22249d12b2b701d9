"""The metastore by itself: figures that the two bench programs print, and yardsticks made with other tools."""

import contextlib
import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from cases import Outcome, Yard

# Upper bounds, not peers: they keep none of the book's rules (no tenant, no references, no intents).
YARDSTICK = "`{}` is a yardstick: {}, without the book's rules."


def ledger(yard: Yard) -> Outcome:
    """The file ledger by itself. The program prints one JSON object as its last line: bytes_per_row, rows_in_per_s and
    rows_out_per_s, each also with the suffix _full at the largest number of rows."""
    rows = yard.scale["ledger"]
    outcome = Outcome(f"The file ledger on SQLite, up to {rows:,} rows", "warm: rows are read right after they are written")
    measure(yard, outcome, "ledger", ["--rows", str(rows)])
    executemany(yard, outcome, rows // 10)
    return outcome


def ledger_postgres(yard: Yard) -> Outcome:
    """The same on a PostgreSQL server of its own, as a role that row-level security binds."""
    rows = yard.scale["ledger"] // 20
    outcome = Outcome(
        f"The file ledger on PostgreSQL, {rows:,} rows, under row-level security, over loopback",
        "warm: rows are read right after they are written",
    )
    with server(yard, outcome) as (url, bin_directory):
        measure(yard, outcome, "ledger", ["--rows", str(rows), "--postgres", url])
        copy(outcome, url, bin_directory, rows)
    return outcome


def records(yard: Yard) -> Outcome:
    rows = yard.scale["ledger"] // 50
    outcome = Outcome(
        f"`sync_ledger` on SQLite, {rows:,} rows of one definition by upserts of 10,000, sorted by hash, then all of them "
        "over again, then read as records",
        "warm: rows are read right after they are written",
    )
    measure(yard, outcome, "metastore", ["records", "--rows", str(rows)])
    return outcome


def records_postgres(yard: Yard) -> Outcome:
    rows = yard.scale["ledger"] // 50
    outcome = Outcome(
        f"`sync_ledger` on PostgreSQL, {rows:,} rows, likewise", "warm: rows are read right after they are written"
    )
    with server(yard, outcome) as (url, _):
        measure(yard, outcome, "metastore", ["records", "--rows", str(rows), "--postgres", url])
    return outcome


OPENING = "Opening a book of {:,} pairs and 20,000 lines of activity, and a session of it, 201 times; the key is derived already"


def opening(yard: Yard) -> Outcome:
    pairs = yard.scale["ledger"] // 50
    outcome = Outcome(f"{OPENING.format(pairs)}; on SQLite", "warm: the file is in the page cache")
    measure(yard, outcome, "metastore", ["opening", "--rows", str(pairs)])
    return outcome


def opening_postgres(yard: Yard) -> Outcome:
    pairs = yard.scale["ledger"] // 50
    outcome = Outcome(f"{OPENING.format(pairs)}; on PostgreSQL over loopback", "warm")
    with server(yard, outcome) as (url, _):
        measure(yard, outcome, "metastore", ["opening", "--rows", str(pairs), "--postgres", url])
    return outcome


SMALL = "Small transactions, one row changed and a line of activity each, durable when answered, for 5 s"


def small(yard: Yard) -> Outcome:
    outcome = Outcome(f"{SMALL}; on SQLite", "warm")
    measure(yard, outcome, "metastore", ["small"])
    return outcome


def small_postgres(yard: Yard) -> Outcome:
    outcome = Outcome(f"{SMALL}; on PostgreSQL over loopback", "warm")
    with server(yard, outcome) as (url, bin_directory):
        measure(yard, outcome, "metastore", ["small", "--postgres", url])
        pgbench(yard, outcome, url, bin_directory)
    return outcome


def measure(yard: Yard, outcome: Outcome, program: str, arguments: list[str], package: str = "portbook") -> None:
    done = subprocess.run(
        ["cargo", "bench", "-q", "-p", package, "--bench", program, "--", *arguments],
        cwd=yard.repository, capture_output=True, text=True,
    )
    if done.returncode != 0:
        outcome.notes.append(f"Failed: {done.stderr.strip()[-500:]}")
    else:
        outcome.figures = {k: float(v) for k, v in json.loads(done.stdout.strip().splitlines()[-1]).items()}


class NoServer(Exception):
    pass


@contextlib.contextmanager
def server(yard: Yard, outcome: Outcome) -> Iterator[tuple[str, Path]]:
    """A PostgreSQL server for one case: its URL, and where its programs are. Without one the case says so."""
    script, home = yard.repository / "tests/lib/postgres.sh", yard.root / "postgres"
    environment = {**os.environ, "PORTBOOK_POSTGRES_OPTIONS": "-c fsync=on -c full_page_writes=on"}
    started = subprocess.run([script, "start", home], env=environment, capture_output=True, text=True)
    try:
        if started.returncode != 0:
            raise NoServer(started.stderr.strip()[-300:])
        outcome.notes.append("The server is durable (fsync, full_page_writes, synchronous_commit), otherwise as it comes.")
        yield started.stdout.strip(), Path((home / "bin").read_text().strip())
    except NoServer as reason:
        outcome.notes.append(f"Not measured: no server: {reason}")
    finally:
        subprocess.run([script, "stop", home], check=False)


# The columns of `file_pair` with values of about the sizes that a run has.
PAIRS = """SELECT 1::bigint AS conduit_id, (n / 101) * 101 AS parent_id,
    convert_to('photo-' || lpad(n::text, 9, '0') || '.jpeg', 'UTF8') AS name, n + 1 AS id, 1::smallint AS kind,
    sha256(n::text::bytea) AS content, substr(sha256(n::text::bytea) || sha256('l'), 1, 42) AS left_state,
    substr(sha256('r') || sha256(n::text::bytea), 1, 42) AS right_state FROM generate_series(0::bigint, {last}) n"""
PLAIN = """CREATE TABLE yardstick (conduit_id bigint NOT NULL, parent_id bigint NOT NULL, name bytea NOT NULL,
    id bigint NOT NULL, kind smallint NOT NULL, content bytea, left_state bytea NOT NULL, right_state bytea NOT NULL,
    PRIMARY KEY (conduit_id, parent_id, name, id))"""


def copy(outcome: Outcome, url: str, bin_directory: Path, rows: int) -> None:
    """The most that a server takes in: COPY of the same rows, in one transaction, into a table with the same key."""
    psql = [bin_directory / "psql", "-qX", "-v", "ON_ERROR_STOP=1", url]
    try:
        subprocess.run([*psql, "-c", PLAIN], check=True, capture_output=True)
        made = subprocess.run([*psql, "-c", f"COPY ({PAIRS.format(last=rows - 1)}) TO STDOUT (FORMAT binary)"],
                              check=True, capture_output=True).stdout
        begun = time.perf_counter()
        subprocess.run([*psql, "-c", "COPY yardstick FROM STDIN (FORMAT binary)"], input=made, check=True, capture_output=True)
        outcome.figures["yardstick_copy_rows_per_s"] = rows / (time.perf_counter() - begun)
        outcome.notes.append(YARDSTICK.format("yardstick_copy_rows_per_s", "`COPY` by psql, in one transaction, into a table with the same key"))
    except (OSError, subprocess.CalledProcessError) as failed:
        outcome.notes.append(f"No yardstick: {failed}")


def executemany(yard: Yard, outcome: Outcome, rows: int) -> None:
    """The same rows by Python's module, in one durable transaction, into a table with the same key."""
    path = yard.fresh("yardstick") / "plain.db"
    plain = sqlite3.connect(path, isolation_level=None)
    plain.execute("PRAGMA journal_mode = WAL")
    plain.execute("PRAGMA synchronous = FULL")
    plain.execute(
        "CREATE TABLE yardstick (conduit_id INTEGER NOT NULL, parent_id INTEGER NOT NULL, name BLOB NOT NULL, id INTEGER NOT NULL, "
        "kind INTEGER NOT NULL, content BLOB, left_state BLOB NOT NULL, right_state BLOB NOT NULL, "
        "PRIMARY KEY (conduit_id, parent_id, name, id)) STRICT, WITHOUT ROWID"
    )
    made = [(1, n // 101 * 101, b"photo-%09d.jpeg" % n, n + 1, 1, n.to_bytes(32, "big"), bytes(42), bytes(42)) for n in range(rows)]
    begun = time.perf_counter()
    plain.execute("BEGIN")
    plain.executemany("INSERT INTO yardstick VALUES (?, ?, ?, ?, ?, ?, ?, ?)", made)
    plain.execute("COMMIT")
    outcome.figures["yardstick_executemany_rows_per_s"] = rows / (time.perf_counter() - begun)
    outcome.notes.append(YARDSTICK.format("yardstick_executemany_rows_per_s", "Python's `executemany` in one transaction, into a table with the same key"))
    plain.close()


SMALL_SCRIPT = """BEGIN;
UPDATE yardstick_row SET total = total + 1 WHERE id = :client_id;
INSERT INTO yardstick_line (id, row_id) VALUES (gen_random_uuid(), :client_id);
COMMIT;
"""


def pgbench(yard: Yard, outcome: Outcome, url: str, bin_directory: Path) -> None:
    """The same shape of transaction by the server's own tool, eight connections."""
    script = yard.root / "small.sql"
    script.write_text(SMALL_SCRIPT)
    tables = ("CREATE TABLE yardstick_row (id int PRIMARY KEY, total bigint NOT NULL); "
              "INSERT INTO yardstick_row SELECT n, 0 FROM generate_series(0, 7) n; "
              "CREATE TABLE yardstick_line (id uuid PRIMARY KEY, row_id int NOT NULL, at timestamptz NOT NULL DEFAULT now())")
    try:
        subprocess.run([bin_directory / "psql", "-qX", url, "-c", tables], check=True, capture_output=True)
        done = subprocess.run([bin_directory / "pgbench", "-n", "-c", "8", "-j", "2", "-T", "5", "-M", "prepared", "-f", script, url],
                              check=True, capture_output=True, text=True)
        line = next(line for line in done.stdout.splitlines() if line.startswith("tps = "))
        outcome.figures["yardstick_pgbench_per_s"] = float(line.split()[2])
        outcome.notes.append(YARDSTICK.format("yardstick_pgbench_per_s", "`pgbench` with eight connections and the same shape of transaction"))
    except (OSError, StopIteration, subprocess.CalledProcessError) as failed:
        outcome.notes.append(f"No yardstick: {failed}")


# None of these needs the program, or trees of files.
CASES = {
    "ledger": ledger,
    "ledger-postgres": ledger_postgres,
    "records": records,
    "records-postgres": records_postgres,
    "opening": opening,
    "opening-postgres": opening_postgres,
    "small": small,
    "small-postgres": small_postgres,
}
