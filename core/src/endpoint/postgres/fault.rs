//! What the server or the way to it says, in our codes.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use crate::endpoint::sql::write::Fault;
use crate::error::{Code, Error};
use crate::store::postgres_code;

/// Our error for what came back: the server's own sentence with its SQLSTATE. Values of rows stay out of it (the server
/// puts them into the details of a message, not into its sentence), and so does the password.
pub(super) fn error_of(action: &'static str, subject: impl std::fmt::Display, source: tokio_postgres::Error) -> Error {
    let (code, advice) = match source.code().map(SqlState::code) {
        // A table or schema that is not there, a column that is not there.
        Some("42P01" | "3F000") => (Code::NotFound, ""),
        Some("42703") => (Code::Invalid, ""),
        Some("42P07") => (Code::Conflict, ""),
        _ => postgres_code(&source),
    };
    let reason = match (source.as_db_error(), source.source()) {
        (Some(said), _) => format!("{} (SQLSTATE {})", said.message(), said.code().code()),
        (None, Some(cause)) => cause.to_string(),
        (None, None) => source.to_string(),
    };
    Error::new(code, action, subject).because(reason).advise(advice).caused_by(source)
}

/// What a failed statement means for the rows that it was to write.
pub(super) fn fault_of(subject: impl std::fmt::Display, source: tokio_postgres::Error) -> Fault {
    let refused = match source.code().map(SqlState::code) {
        Some("23505") => Fault::Duplicate,
        // 21 cardinality, 22 data, 23 constraints, 44 the check of a view, 54 limits, P0 what a trigger raised, and a value
        // that an expression of the table refuses.
        Some(state) => match state.get(..2) {
            Some("21" | "22" | "23" | "44" | "54" | "P0") => Fault::Row,
            _ => Fault::Batch,
        },
        None => Fault::Batch,
    };
    refused(error_of("write rows to", subject, source))
}

/// Whether a value could not be read as the type that it was to be.
pub(super) fn is_unfit(source: &tokio_postgres::Error) -> bool {
    source.code().is_some_and(|state| state.code().starts_with("22"))
}

/// Whether it is not known what the server did last.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error.code(), Code::Offline | Code::Timeout)
}
