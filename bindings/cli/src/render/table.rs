//! A preview and the outcome of a run, for a person.

use std::io::{self, Write};
use std::time::Duration;

use portbook::delta::ChangeKind;

use super::quantity::{Bytes, Count, Elapsed};
use super::style::{Style, colour};
use super::{ChangeLine, Counts};

/// Writes one row: kind, size, path, and what is done with it. The columns have fixed widths, so that a preview of any
/// length is written as it is read.
pub(crate) fn write_change(out: &mut impl Write, style: Style, line: &ChangeLine) -> io::Result<()> {
    let size = if line.bytes == 0 { String::new() } else { Bytes(line.bytes).to_string() };
    let kind = format!("{:<9}", line.kind.as_str());
    write!(out, "{} {size:>10}  {}", style.paint(colour(line.kind), kind), line.path)?;
    if !line.action.is_empty() {
        write!(out, "  {}", style.paint(anstyle::Style::new().dimmed(), format_args!("({})", line.action)))?;
    }
    writeln!(out)
}

/// Writes what it comes to, in one or two lines. `done` tells a run from a preview.
pub(crate) fn write_summary(out: &mut impl Write, style: Style, counts: &Counts, done: bool) -> io::Result<()> {
    let seen =
        [(counts.unchanged, ChangeKind::Unchanged, "unchanged"), (counts.skipped, ChangeKind::Skipped, "skipped")];
    if counts.is_quiet() {
        write!(out, "{}: 0 changes, 0 bytes", style.paint(colour(ChangeKind::New), "in step"))?;
    } else {
        let changes = [
            (counts.new, ChangeKind::New, "new"),
            (counts.updated, ChangeKind::Updated, "updated"),
            (counts.moved, ChangeKind::Moved, "moved"),
            (counts.deleted, ChangeKind::Deleted, "deleted"),
            (counts.conflicts, ChangeKind::Conflict, if counts.conflicts == 1 { "conflict" } else { "conflicts" }),
            (counts.failed, ChangeKind::Deleted, "failed"),
        ];
        write_list(out, style, &changes)?;
    }
    if seen.iter().any(|(count, ..)| *count > 0) {
        write!(out, "; ")?;
        write_list(out, style, &seen)?;
    }
    writeln!(out)?;
    if done {
        let took = Duration::from_millis(counts.elapsed_ms);
        write!(out, "run {}: {} carried in {}", counts.generation, Bytes(counts.bytes), Elapsed(took))?;
        // Below a tenth of a second a rate says nothing.
        if counts.bytes > 0 && counts.elapsed_ms >= 100 {
            let rate = u128::from(counts.bytes) * 1000 / u128::from(counts.elapsed_ms);
            write!(out, " ({}/s)", Bytes(u64::try_from(rate).unwrap_or(u64::MAX)))?;
        }
        writeln!(out)
    } else if counts.is_quiet() {
        Ok(())
    } else {
        writeln!(out, "{} to carry", Bytes(counts.bytes))
    }
}

fn write_list(out: &mut impl Write, style: Style, list: &[(u64, ChangeKind, &str)]) -> io::Result<()> {
    let mut separator = "";
    for (count, kind, word) in list.iter().filter(|(count, ..)| *count > 0) {
        write!(out, "{separator}{}", style.paint(colour(*kind), format_args!("{} {word}", Count(*count))))?;
        separator = ", ";
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("memory can be written");
        String::from_utf8(out).expect("plain text")
    }

    fn line(kind: ChangeKind, action: &str, bytes: u64) -> ChangeLine {
        ChangeLine { path: "photos/a.jpg".into(), kind, action: action.into(), bytes }
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            (line(ChangeKind::New, "", 1536), "new          1.5 KiB  photos/a.jpg\n"),
            (line(ChangeKind::Conflict, "keep both", 20), "conflict        20 B  photos/a.jpg  (keep both)\n"),
            (line(ChangeKind::Unchanged, "", 0), "unchanged             photos/a.jpg\n"),
        ];
        for (line, row) in rows {
            assert_eq!(text(|out| write_change(out, Style::Plain, &line)), row);
        }
    }

    #[test]
    fn colours_are_switched_off_again() {
        let row = text(|out| write_change(out, Style::Coloured, &line(ChangeKind::Deleted, "to the trash", 0)));
        assert!(row.starts_with("\x1b[31mdeleted  \x1b[0m "), "{row:?}");
        assert!(row.ends_with("\x1b[0m\n"), "{row:?}");
    }

    #[test]
    fn a_quiet_run_says_so() {
        let counts = Counts { unchanged: 100_000, generation: 2, elapsed_ms: 400, ..Counts::default() };
        assert_eq!(
            text(|out| write_summary(out, Style::Plain, &counts, true)),
            "in step: 0 changes, 0 bytes; 100,000 unchanged\nrun 2: 0 B carried in 400 ms\n"
        );
        assert_eq!(
            text(|out| write_summary(out, Style::Plain, &Counts::default(), false)),
            "in step: 0 changes, 0 bytes\n"
        );
    }

    #[test]
    fn a_summary_names_what_happened_and_nothing_else() {
        let counts = Counts {
            new: 1200,
            deleted: 1,
            conflicts: 1,
            unchanged: 7,
            bytes: 3 << 20,
            generation: 4,
            elapsed_ms: 1500,
            ..Counts::default()
        };
        assert_eq!(
            text(|out| write_summary(out, Style::Plain, &counts, true)),
            "1,200 new, 1 deleted, 1 conflict; 7 unchanged\nrun 4: 3.0 MiB carried in 1.5 s (2.0 MiB/s)\n"
        );
        assert_eq!(
            text(|out| write_summary(out, Style::Plain, &counts, false)),
            "1,200 new, 1 deleted, 1 conflict; 7 unchanged\n3.0 MiB to carry\n"
        );
    }
}
