//! Numbered migrations, embedded, the same numbers and names for both engines.
//!
//! A migration is applied once, in a transaction of its own together with its row in `schema_migration`, and never
//! edited afterwards: its checksum (BLAKE3 of the text with `\n` line ends) is kept, and a book whose applied
//! migrations read differently is refused as corrupt. A book that holds a migration this version does not know was
//! written by a newer version and is refused untouched. There is no way back.

use crate::error::{Code, Error, Result};

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    /// 1, 2, 3 …
    pub(crate) number: i64,
    /// The file's name without number and ending.
    pub(crate) name: &'static str,
    /// Its text for SQLite.
    pub(crate) sqlite: &'static str,
    /// Its text for PostgreSQL.
    pub(crate) postgres: &'static str,
}

macro_rules! migrations {
    ($($number:literal $file:literal $name:literal,)*) => {
        &[$(Migration {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("../../../migrations/postgres/", $file, ".sql")),
        },)*]
    };
}

/// Every migration in order.
pub(crate) const MIGRATIONS: &[Migration] = migrations! {
    1 "0001_tenancy" "tenancy",
    2 "0002_storage_volumes" "storage_volumes",
    3 "0003_cloud_connections" "cloud_connections",
    4 "0004_conduits" "conduits",
    5 "0005_operations" "operations",
    6 "0006_ledger" "ledger",
    7 "0007_record_bridge" "record_bridge",
    8 "0008_volume_links" "volume_links",
    9 "0009_record_runs" "record_runs",
    10 "0010_site_config" "site_config",
    11 "0011_units_and_conflicts" "units_and_conflicts",
    12 "0012_plain_checks" "plain_checks",
};

/// The number of the newest schema that this version knows.
#[must_use]
pub fn newest_schema() -> i64 {
    MIGRATIONS.last().map_or(0, |m| m.number)
}

/// What is remembered of an applied migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) number: i64,
    pub(crate) checksum: Vec<u8>,
}

/// The checksum of a migration's text, the same whatever line ends the file was checked out with.
pub(crate) fn checksum(text: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for line in text.split_inclusive('\n') {
        match line.strip_suffix("\r\n") {
            Some(line) => hasher.update(line.as_bytes()).update(b"\n"),
            None => hasher.update(line.as_bytes()),
        };
    }
    *hasher.finalize().as_bytes()
}

/// The migrations still to apply, given those that the book has in order.
///
/// # Errors
/// `newer` when the book has one that `known` does not; `corrupt` when one was skipped or reads differently.
pub(crate) fn pending<'m>(
    known: &'m [Migration],
    applied: &[Applied],
    text: fn(&Migration) -> &'static str,
    book: &str,
) -> Result<&'m [Migration]> {
    if let Some(newer) = applied.iter().find(|a| known.iter().all(|m| m.number < a.number)) {
        return Err(newer_book(book, newer.number));
    }
    for (position, have) in applied.iter().enumerate() {
        let fits =
            known.get(position).is_some_and(|m| m.number == have.number && checksum(text(m))[..] == have.checksum);
        if !fits {
            return Err(Error::new(Code::Corrupt, "open the book", book)
                .because(format!("its migration {} is not the one this version knows", have.number))
                .advise("restore the book from a copy, or open it with the version that wrote it"));
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

/// The refusal of a book that a newer version wrote.
pub(crate) fn newer_book(book: &str, number: i64) -> Error {
    Error::new(Code::Newer, "open the book", book)
        .because(format!("its schema is number {number}, this version knows {}", newest_schema()))
        .advise("update Portbook; the book was left as it is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        for (i, m) in MIGRATIONS.iter().enumerate() {
            assert_eq!(m.number, i as i64 + 1, "{}", m.name);
        }
    }

    #[test]
    fn line_ends_do_not_change_a_checksum() {
        assert_eq!(checksum("a\r\nb\r\n"), checksum("a\nb\n"));
        assert_ne!(checksum("a\nb\n"), checksum("a\nb"));
    }

    #[test]
    fn a_changed_or_unknown_migration_is_refused() {
        let text: fn(&Migration) -> &'static str = |m| m.sqlite;
        let first = Applied { number: 1, checksum: checksum(MIGRATIONS[0].sqlite).to_vec() };
        assert_eq!(pending(MIGRATIONS, std::slice::from_ref(&first), text, "b").unwrap().len(), MIGRATIONS.len() - 1);
        let changed = Applied { number: 1, checksum: vec![0; 32] };
        assert_eq!(pending(MIGRATIONS, &[changed], text, "b").unwrap_err().code(), Code::Corrupt);
        let newer = Applied { number: 99, checksum: vec![0; 32] };
        assert_eq!(pending(MIGRATIONS, &[first, newer], text, "b").unwrap_err().code(), Code::Newer);
    }
}
