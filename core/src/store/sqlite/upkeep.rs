//! Long work on a book in a file, each on a connection of its own, while the book is in use.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::SqliteOptions;
use super::execute::error_of;
use super::open::{self, Role};
use crate::error::{Code, Error, Result};

/// How many findings are listed; a book with more is lost anyway.
const FINDINGS: usize = 100;

/// What SQLite finds wrong: pages, indexes, checks, and references that lead nowhere.
pub(super) fn integrity(path: &Path, options: &SqliteOptions) -> Result<Vec<String>> {
    let shown = path.display().to_string();
    let fail = |e| error_of("check the book", &shown, e);
    let connection = open::connect(path, options, Role::Reader)?;
    let mut findings = Vec::new();
    let mut pages = connection.prepare(&format!("PRAGMA integrity_check({FINDINGS})")).map_err(fail)?;
    for finding in pages.query_map([], |row| row.get::<_, String>(0)).map_err(fail)? {
        findings.push(finding.map_err(fail)?);
    }
    findings.retain(|finding| finding != "ok");
    let lost = "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2";
    let mut references = connection.prepare(lost).map_err(fail)?;
    let rows = references.query_map([], |row| {
        let (table, parent, count): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("{count} rows of {table} refer to rows of {parent} that are not there"))
    });
    for finding in rows.map_err(fail)? {
        findings.push(finding.map_err(fail)?);
    }
    Ok(findings)
}

/// Gives the space of deleted rows back to the file system.
pub(super) fn vacuum(path: &Path, options: &SqliteOptions) -> Result<()> {
    let shown = path.display().to_string();
    let connection = open::connect(path, options, Role::Writer)?;
    let run = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize = 0x10002;";
    connection.execute_batch(run).map_err(|e| error_of("vacuum the book", &shown, e))
}

/// Copies the book into a new file: one snapshot, compact, on disk before it has its name.
pub(super) fn backup(path: &Path, options: &SqliteOptions, to: &Path) -> Result<()> {
    const ACTION: &str = "back up the book to";
    let shown = to.display().to_string();
    let io = |e| Error::io(ACTION, &shown, e);
    if to.try_exists().map_err(io)? {
        return Err(Error::new(Code::Conflict, ACTION, &shown)
            .because("the file is there")
            .advise("name a new file; a backup never replaces another"));
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    match std::fs::remove_file(&part) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
        Ok(()) | Err(_) => {}
    }
    let connection = open::connect(path, options, Role::Writer)?;
    copy_out(&connection, &part, &shown).inspect_err(|_| {
        // What is left of a failed copy; the failure is what is reported.
        let _ = std::fs::remove_file(&part);
    })?;
    // Linked, not renamed: a file that came there meanwhile is never replaced.
    std::fs::hard_link(&part, to).or_else(|_| rename_new(&part, to)).map_err(io)?;
    match std::fs::remove_file(&part) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
        Ok(()) | Err(_) => {}
    }
    let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(parent).and_then(|d| d.sync_all()).map_err(io) } else { Ok(()) }
}

/// Where the file system has no hard links.
fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.try_exists()? {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(from, to)
}

fn copy_out(connection: &Connection, part: &Path, shown: &str) -> Result<()> {
    const ACTION: &str = "back up the book to";
    let name = part.to_str().ok_or_else(|| {
        Error::new(Code::Invalid, ACTION, shown).because("SQLite writes only to paths that are valid Unicode")
    })?;
    connection.execute("VACUUM INTO ?1", [name]).map_err(|e| error_of(ACTION, shown, e))?;
    File::options().write(true).open(part).and_then(|f| f.sync_all()).map_err(|e| Error::io(ACTION, shown, e))
}
