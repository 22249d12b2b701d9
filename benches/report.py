"""From runs to a page: medians, ratios pair by pair, and the targets beside them."""

import os
import platform
import subprocess
from pathlib import Path

from measure import Series, ratios, spread

# case, peer, at most
RATIOS = [
    ("first-100k", "cp -r, sync -f", 1.2),
    ("quiet-100k", "rsync -a --delete", 1.0),
    ("quiet-1m", "rsync -a --delete", 0.9),
    ("two-way-100k", "unison", 0.8),
    ("adopt-1m", "unison", 0.25),
    ("large", "cp --reflink=never", 1.2),
    ("rows-1m", "reladiff", 1.2),
]
PEAK_MIB = 64
PEAK_GROWTH = 1.2
# figure, what it is, unit, limit, whether the limit is the least that is allowed
LEDGER = [
    ("bytes_per_row", "bytes a row", "B", 250, False),
    ("rows_in_per_s", "rows in a second", "/s", 200_000, True),
    ("rows_out_per_s", "rows out a second", "/s", 1_500_000, True),
    ("bytes_per_row_full", "bytes a row, at the most rows", "B", 250, False),
    ("rows_in_per_s_full", "rows in a second, at the most rows", "/s", 200_000, True),
    ("rows_out_per_s_full", "rows out a second, at the most rows", "/s", 1_500_000, True),
]
# case, figure, what it is, unit, limit, whether the limit is the least that is allowed; no limit where none was set
FIGURES = [
    ("ledger-postgres", "rows_in_per_s", "ledger on PostgreSQL, rows in a second", "/s", 100_000, True),
    ("ledger-postgres", "rows_out_per_s", "ledger on PostgreSQL, rows out a second", "/s", None, True),
    ("records", "rows_inserted_per_s", "`sync_ledger`, rows upserted a second, new", "/s", None, True),
    ("records", "rows_updated_per_s", "`sync_ledger`, rows upserted a second, known", "/s", None, True),
    ("records", "rows_scanned_per_s", "`sync_ledger`, rows scanned a second", "/s", None, True),
    ("records-postgres", "rows_inserted_per_s", "`sync_ledger` on PostgreSQL, rows upserted a second, new", "/s", None, True),
    ("records-postgres", "rows_updated_per_s", "`sync_ledger` on PostgreSQL, rows upserted a second, known", "/s", None, True),
    ("records-postgres", "rows_scanned_per_s", "`sync_ledger` on PostgreSQL, rows scanned a second", "/s", None, True),
    ("opening", "open_session_ms", "opening a book and a session", " ms", 5, False),
    ("opening", "beside_another_ms", "opening a book and a session while another has it open", " ms", 5, False),
    ("opening-postgres", "open_session_ms", "opening a book on PostgreSQL and a session", " ms", 5, False),
    ("small", "eight_processes_per_s", "small transactions a second, 8 processes", "/s", None, True),
    ("small", "eight_writers_one_process_per_s", "small transactions a second, 8 writers in one process", "/s", None, True),
    ("small-postgres", "eight_processes_per_s", "small transactions a second on PostgreSQL, 8 processes", "/s", None, True),
    ("small-postgres", "eight_writers_one_process_per_s", "small transactions a second on PostgreSQL, 8 writers in one process", "/s", None, True),
    ("canon", "encoded_and_content_per_s", "rows of 12 columns encoded and hashed a second, one core", "/s", 3_000_000, True),
    ("rows-1m", "quiet_s", "preview of 1,000,000 rows, nothing changed", " s", 2.5, False),
    ("rows-1m", "changed_times_quiet", "preview of 1,000,000 rows, all changed / nothing changed", "", 3, False),
    ("rows-1m", "peak_mib", "peak memory, preview of 1,000,000 rows", " MiB", 160, False),
    ("rows-10m", "times_1m", "preview of 10,000,000 rows / of 1,000,000", "", 10, False),
    ("rows-1m", "adopted_rows_per_s", "first sync of equal tables, rows a second", "/s", None, True),
]


# What a figure of a language begins with, what it is called, and how many times slower than Rust it may read changes.
LANGUAGES = [("c", "C", 2), ("python", "Python", 4), ("node", "Node", 4), ("kotlin", "Kotlin", 4)]


# Why a case is short of its target, by its name, without its distance.
SHORT = {
    "webdav-large-up": "1.1 s is the wait for a strong tag: Apache's are weak for the first second of a file, when another change "
                       "might have the same. Of the rest half a second is the hashing, beside a server on the same cores; what "
                       "more it is at 20 ms has not been found",
}


def machine(data: Path) -> str:
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    gib = int(memory.split()[1]) / (1 << 20)
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    load = os.getloadavg()[0]
    return (f"{len(os.sched_getaffinity(0))} cores ({cpu}), {gib:.0f} GiB, Linux {platform.release()}, "
            f"{file_system(data)}, load {load:.1f} at the start")


def file_system(path: Path) -> str:
    """The type of the file system that holds the path."""
    best = ("", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if path.is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def commit(repository: Path) -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=repository, capture_output=True, text=True).stdout.strip()

    name = git("rev-parse", "--short=12", "HEAD") or "unknown"
    return name + ("+changes" if git("status", "--porcelain", "-uno") else "")


def page(records: dict[str, dict]) -> str:
    if all("quiet_s" in records.get(case, {}).get("figures", {}) for case in ("rows-1m", "rows-10m")):
        small, large = (records[case]["figures"] for case in ("rows-1m", "rows-10m"))
        large["times_1m"] = large["quiet_s"] / small["quiet_s"]
    full = {case: record for case, record in records.items() if record["size"] == "full"}
    alone = {case: record for case, record in records.items() if not is_network(case)}
    return "\n".join(["# Results", "", PREFACE, "", *targets(full), *network(full), *languages(records), *details(alone)])


PREFACE = """\
Written by `benches/run --write`; do not edit. Every tool runs as a whole process, in turn with the others, over the same
trees. A time is a median with the least and the most; a ratio is the median of the ratios of runs that stood beside each
other. Peak memory is the kernel's `ru_maxrss`, which starts at that of the launching process: less cannot be seen."""


def is_network(case: str) -> bool:
    return case.endswith(("-0ms", "-20ms"))


# What a case begins with and ends with, and how many times rclone's speed is wanted. Both ways count for large files.
FASTER = [
    ("s3-small-up", 1.5), ("s3-rclone-small-up", 1.5), ("s3-rclone-small-down", 1.5),
    ("sftp-small-up", 1.5), ("sftp-small-down", 1.5),
    ("webdav-small-up", 10), ("webdav-small-down", 10), ("webdav-rclone-small-up", 10), ("webdav-rclone-small-down", 10),
    ("s3-large-up", 1.0), ("s3-rclone-large-up", 1.0), ("s3-rclone-large-down", 1.0), ("webdav-large-up", 1.0), ("webdav-large-down", 1.0),
    ("sftp-large-up", 1.2), ("sftp-large-down", 1.2),
]
NETWORK_PEAK_MIB = 128
NETWORK = """\
Upload, download and nothing to do for 10,000 files of 4 KiB in 100 folders (small) and one file of 1 GiB (large), over a
book of its own each time, against the same server, which shares the two cores; a time is a median, behind it how many runs.
*Faster* is rclone's time by ours, so more is better; rclone runs with its defaults, and once more with `--transfers 64
--checkers 64`, as many requests as Portbook has under way at most. s3s-fs walks the whole bucket for each listing, which keeps rclone
waiting for minutes: what is read and looked at is so on rclone's own server (s3-rclone). At 20 ms a proxy (`benches/distance.rs`) delays what
passes by 10 ms in each direction, without loss or slow start; the kernel at hand has no netem."""


def network(records: dict) -> list[str]:
    """One table instead of a section for each of many cases."""
    cases = {case: record for case, record in records.items() if is_network(case)}
    if not cases:
        return []
    lines = ["## Volumes across a network", "", NETWORK, ""]
    lines += ["| case | target | portbook | rclone | faster | rclone, as many | faster | peak | |", "|" + "---|" * 9]
    short = set()
    for case, record in cases.items():
        lines.append(network_line(case, record))
        if lines[-1].endswith(f"{verdict(False)} |"):
            short.add(case.rpartition("-")[0])
    peaks = [max(one["peak_kib"]) / 1024 for record in cases.values() for one in record["series"] if one["tool"] == "portbook"]
    lines += ["", *(f"- {case}, not met: {SHORT.get(case, 'why is not known')}" for case in sorted(short))]
    lines += [f"- most memory of portbook in any of them: {max(peaks, default=0):.1f} MiB, wanted ≤ {NETWORK_PEAK_MIB} MiB, "
              f"{verdict(max(peaks, default=0) <= NETWORK_PEAK_MIB)}"]
    heads = {case: record["figures"]["head_requests_quiet"] for case, record in cases.items()
             if "head_requests_quiet" in record["figures"]}
    if heads:
        lines.append(f"- `HEAD` requests of quiet runs on S3: {sum(heads.values()):.0f} in {len(heads)} cases, wanted 0, "
                     f"{verdict(not any(heads.values()))}")
    notes = {note for record in cases.values() for note in record["notes"] if "round" not in note}
    lines += [f"- {note}" for note in sorted(notes)]
    lines += [f"- {said}" for said in sorted({f"{record['date'][:10]}, commit {record['commit']}, {record['machine'].split(', load')[0]}"
                                              for record in cases.values()})]
    return [*lines, ""]


def network_line(case: str, record: dict) -> str:
    ours, *others = (next((Series(**s) for s in record["series"] if fits(s["tool"])), None) for fits in (
        lambda tool: tool == "portbook", lambda tool: tool == "rclone", lambda tool: tool.startswith("rclone --")))
    stem, _, far = case.rpartition("-")
    wanted = next((least for name, least in FASTER if name == stem), None)
    shows = lambda one: f"{spread(one.seconds).median:.2f} s ({len(one.seconds)})" if one else "failed"  # noqa: E731
    times = [spread(one.seconds).median / spread(ours.seconds).median if ours and one else None for one in others]
    met = verdict(times[0] >= wanted) if wanted and times[0] else ""
    cells = [case, f"≥ {wanted}" if wanted else "", shows(ours)]
    for one, faster in zip(others, times):
        cells += [shows(one), f"{faster:.2f}" if faster else ""]
    return "| " + " | ".join([*cells, f"{max(ours.peak_kib) / 1024:.0f} MiB" if ours else "", met]) + " |"


def languages(records: dict) -> list[str]:
    """The languages in one table: details are with their cases."""
    if not any(f"language-{name}" in records for name, _, _ in LANGUAGES):
        return []
    lines = ["## Languages", "", "The changes of one preview, read in pages of 1,000 right after Rust has read them; one call that asks "
             "the book, and one that answers at once; items told by the events of a run; what loading the library adds to the start "
             "of a program; and the library, stripped.", "",
             "| language | changes | Rust | slower | | a call | at once | events | load | library |", "|" + "---|" * 10]
    rust = next((record["figures"] for case, record in records.items() if case.startswith("language-") and "rust_call_us" in record["figures"]), None)
    if rust:
        lines.append(f"| Rust | {shown(rust['rust_changes_per_s'])}/s | | | | {shown(rust['rust_call_us'])} µs | | {shown(rust['rust_events_per_s'])}/s | | |")
    for name, title, limit in LANGUAGES:
        figures = records.get(f"language-{name}", {}).get("figures", {})
        if f"{name}_changes_per_s" not in figures:
            lines.append(f"| {title} | not measured |" + " |" * 8)
            continue
        of = lambda figure: shown(figures[f"{name}_{figure}"])  # noqa: E731
        times = figures[f"{name}_times_rust"]
        lines.append(f"| {title} | {of('changes_per_s')}/s | {shown(figures['rust_changes_per_s'])}/s | {times:.2f} (≤ {limit}) | "
                     f"{verdict(times <= limit)} | {of('call_us')} µs | {of('call_at_once_us')} µs | {of('events_per_s')}/s | "
                     f"{of('load_ms')} ms | {of('library_mib')} MiB |")
    missed = [f"language-{name}" for name, _, limit in LANGUAGES
              if records.get(f"language-{name}", {}).get("figures", {}).get(f"{name}_times_rust", 0) > limit]
    lines += ["", *(f"- {case}, not met: {SHORT.get(case, 'why is not known')}" for case in missed)] if missed else []
    if any(record["size"] != "full" for case, record in records.items() if case.startswith("language-")):
        lines += ["", "**A trial at reduced size; it says nothing about the goals.**"]
    return [*lines, ""]


def series(records: dict, case: str, tool: str) -> Series | None:
    return next((Series(**s) for s in records.get(case, {}).get("series", []) if s["tool"] == tool), None)


def targets(records: dict) -> list[str]:
    lines = ["## Targets", "", "| what | target | measured | |", "|---|---|---|---|"]
    for case, peer, limit in RATIOS:
        ours, theirs = series(records, case, "portbook"), series(records, case, peer)
        if ours and theirs:
            got = ratios(ours, theirs)
            measured = f"{got.median:.2f} ({got.least:.2f} to {got.most:.2f})"
            lines.append(f"| {case} / `{peer}` | ≤ {limit:.2f} | {measured} | {verdict(got.median <= limit)} |")
        else:
            lines.append(f"| {case} / `{peer}` | ≤ {limit:.2f} | not measured | |")
    lines += memory_targets(records) + ledger_targets(records) + figure_targets(records)
    return [*lines, ""]


def memory_targets(records: dict) -> list[str]:
    lines = []
    for kind in ("first", "quiet", "adopt"):
        large, small = (series(records, f"{kind}-{scale}", "portbook") for scale in ("1m", "100k"))
        if not large:
            lines.append(f"| peak memory, {kind}-1m | ≤ {PEAK_MIB} MiB | not measured | |")
            continue
        peak = max(large.peak_kib) / 1024
        lines.append(f"| peak memory, {kind}-1m | ≤ {PEAK_MIB} MiB | {peak:.1f} MiB | {verdict(peak <= PEAK_MIB)} |")
        if small:
            growth = max(large.peak_kib) / max(small.peak_kib)
            lines.append(f"| peak memory, {kind}-1m / {kind}-100k | ≤ {PEAK_GROWTH:.2f} | {growth:.2f} | "
                         f"{verdict(growth <= PEAK_GROWTH)} |")
    return lines


def ledger_targets(records: dict) -> list[str]:
    figures = records.get("ledger", {}).get("figures", {})
    lines = []
    for name, what, unit, limit, is_least in LEDGER:
        sign = "≥" if is_least else "≤"
        if name not in figures:
            lines.append(f"| ledger, {what} | {sign} {limit:,}{unit} | not measured | |")
            continue
        value = figures[name]
        met = value >= limit if is_least else value <= limit
        lines.append(f"| ledger, {what} | {sign} {limit:,}{unit} | {value:,.0f}{unit} | {verdict(met)} |")
    return lines


def figure_targets(records: dict) -> list[str]:
    lines = []
    for case, name, what, unit, limit, is_least in FIGURES:
        wanted = f"{'≥' if is_least else '≤'} {limit:,}{unit}" if limit else ""
        value = records.get(case, {}).get("figures", {}).get(name)
        if value is None:
            lines.append(f"| {what} | {wanted} | not measured | |")
            continue
        met = verdict(value >= limit if is_least else value <= limit) if limit else ""
        lines.append(f"| {what} | {wanted} | {shown(value)}{unit} | {met} |")
    return lines


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def verdict(met: bool) -> str:
    return "met" if met else "**not met**"


def details(records: dict) -> list[str]:
    lines = []
    for case, record in records.items():
        lines += [f"## {case}", "", f"{record['title']}.", ""]
        if record["size"] != "full":
            lines += ["**A trial at reduced size; it says nothing about the targets.**", ""]
        lines += [f"- {record['date']}, commit {record['commit']}", f"- {record['machine']}", f"- cache {record['cache']}"]
        lines += [f"- {name}: {version}" for name, version in record["versions"].items()]
        lines += [f"- peaks below {record['peak_floor_kib'] / 1024:.1f} MiB cannot be seen"] if record["series"] else []
        lines += [f"- {note}" for note in record["notes"]]
        lines += [f"- {name} is left out: {why}" for name, why in record["missing"].items()]
        if record["series"]:
            lines += ["", "| tool | runs | time | least to most | portbook / it | peak |", "|---|---|---|---|---|---|"]
        ours = series(records, case, "portbook")
        for one in (Series(**s) for s in record["series"]):
            time = spread(one.seconds)
            ratio = f"{ratios(ours, one).median:.2f}" if ours and one.tool != "portbook" else ""
            lines.append(f"| {one.tool} | {len(one.seconds)} | {time.median:.3f} s | {time.least:.3f} to {time.most:.3f} s | "
                         f"{ratio} | {max(one.peak_kib) / 1024:.1f} MiB |")
        lines += [f"- {name}: {shown(value)}" for name, value in record["figures"].items()]
        lines.append("")
    return lines
