//! What the server or the way to it says, in our codes, and whether the same transaction is worth another try.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::error::SqlState;

use crate::error::{Code, Error};
use crate::model::Unsealed;

/// A value that does not fit the type of its place.
#[derive(Debug)]
pub(super) struct Unfit(pub(super) String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

/// Our error for what came back while doing `action` to the book.
pub(super) fn error_of(action: &'static str, source: tokio_postgres::Error) -> Error {
    let (code, advice) = postgres_code(&source);
    // The server's own sentence, else the cause: the driver's text only says that there is one.
    let reason = match (source.as_db_error(), source.source()) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(cause)) => cause.to_string(),
        (None, None) => String::new(),
    };
    Error::new(code, action, "the book").because(reason).advise(advice).caused_by(source)
}

/// The code for what the server, the driver or the wire says, and what to do.
pub(crate) fn postgres_code(source: &tokio_postgres::Error) -> (Code, &'static str) {
    match source.code() {
        Some(state) => code_of(state),
        None => code_of_driver(source),
    }
}

/// Whether the same transaction may come through when it is tried again: the connection was lost before it was
/// committed, or the server chose it as the victim of a race. Nothing of it was kept.
pub(super) fn is_worth_another_try(error: &Error) -> bool {
    is_lost(error) || lost_a_race(error)
}

/// Whether the server ended the transaction so that another could go on.
pub(super) fn lost_a_race(error: &Error) -> bool {
    matches!(state_of(error), Some("40001" | "40P01"))
}

/// Whether a row with that key exists already.
pub(super) fn is_taken(error: &Error) -> bool {
    state_of(error) == Some("23505")
}

/// Whether the connection is gone, so that it is not known what the server did last.
pub(super) fn is_lost(error: &Error) -> bool {
    error.code() == Code::Offline
}

fn state_of(error: &Error) -> Option<&str> {
    error.source()?.downcast_ref::<tokio_postgres::Error>()?.code().map(SqlState::code)
}

const SERVER: &str = "see that the server runs and can be reached from here";

fn code_of(state: &SqlState) -> (Code, &'static str) {
    match state.code() {
        "23505" => (Code::Conflict, ""),
        "40001" | "40P01" | "55P03" => (Code::Busy, ""),
        "25006" => (
            Code::Permission,
            "the server takes no writes: it is a standby, or default_transaction_read_only is on; name the primary",
        ),
        "42501" => (Code::Permission, ""),
        "57014" | "25P04" => (Code::Timeout, ""),
        // Terminated while it held a transaction open: as lost as by a broken wire.
        "25P03" => (Code::Offline, SERVER),
        "53100" | "53200" => (Code::Quota, "make room on the server"),
        "53300" => (Code::Busy, "the server has no connection left; allow more, or use fewer"),
        "3D000" => (Code::NotFound, "create the database first"),
        text => match text.get(..2) {
            Some("22" | "23" | "21") => (Code::Invalid, ""),
            Some("28") => (Code::Auth, ""),
            Some("08" | "57") => (Code::Offline, SERVER),
            Some("53") => (Code::Busy, ""),
            Some("XX") => (Code::Corrupt, ""),
            _ => (Code::Storage, ""),
        },
    }
}

/// The driver tells its own failures apart by their text only.
fn code_of_driver(source: &tokio_postgres::Error) -> (Code, &'static str) {
    let cause = source.source();
    if source.is_closed() {
        return (Code::Offline, SERVER);
    }
    if cause.is_some_and(|c| c.is::<Unfit>()) {
        return (Code::Invalid, "");
    }
    if cause.is_some_and(|c| c.is::<Unsealed>()) {
        return (Code::Internal, "");
    }
    let text = source.to_string();
    if text.starts_with("error performing TLS") {
        return code_of_tls(cause);
    }
    if cause.is_some_and(|c| c.is::<std::io::Error>()) || text.starts_with("error connecting") {
        return (Code::Offline, SERVER);
    }
    match text.as_str() {
        "error communicating with the server" | "timeout waiting for server" => (Code::Offline, SERVER),
        "authentication error" => (Code::Auth, ""),
        "invalid configuration" if cause.is_some_and(|c| c.to_string() == "password missing") => {
            (Code::Auth, "the server wants a password; put one into the URL")
        }
        "invalid configuration" | "invalid connection string" => (Code::Invalid, ""),
        _ if text.starts_with("error serializing") || text == "error encoding message to server" => (Code::Invalid, ""),
        _ => (Code::Storage, ""),
    }
}

fn code_of_tls(cause: Option<&(dyn std::error::Error + 'static)>) -> (Code, &'static str) {
    const TRUST: &str = "name the certificates to trust with sslrootcert=FILE, and the host by the name in its own";
    let Some(io) = cause.and_then(|c| c.downcast_ref::<std::io::Error>()) else {
        return (Code::Unsupported, "turn TLS on at the server, or allow plain text with sslmode=disable");
    };
    match io.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => (Code::Auth, TRUST),
        Some(_) => (Code::Unsupported, "see that both sides have a version of TLS in common"),
        None => (Code::Offline, SERVER),
    }
}
