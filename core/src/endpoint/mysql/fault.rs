//! What the server or the way to it says, in our codes.

use mysql_async::{DriverError, Error as MyError};

use crate::endpoint::sql::write::Fault;
use crate::error::{Code, Error};

const CERTIFICATE: &str = "name the certificates to trust with sslrootcert, and the host by the name in its own";

const SERVER: &str = "see that the server runs and can be reached from here";

/// Our error for what came back: the server's own sentence with its number and SQLSTATE. The sentence of a duplicate key
/// shows the key, as the server's log does; no sentence shows a password.
pub(super) fn error_of(action: &'static str, subject: impl std::fmt::Display, source: MyError) -> Error {
    let (code, advice) = match &source {
        MyError::Server(said) => code_of(said.code, &said.state),
        MyError::Io(mysql_async::IoError::Tls(_)) => (Code::Auth, CERTIFICATE),
        // What TLS finds wrong comes as data that is invalid.
        MyError::Io(mysql_async::IoError::Io(e)) if e.kind() == std::io::ErrorKind::InvalidData => {
            (Code::Auth, CERTIFICATE)
        }
        MyError::Io(_) | MyError::Driver(DriverError::ConnectionClosed | DriverError::PoolDisconnected) => {
            (Code::Offline, SERVER)
        }
        MyError::Driver(DriverError::NoClientSslFlagFromServer) => {
            (Code::Unsupported, "turn TLS on at the server, or allow plain text with sslmode disable")
        }
        MyError::Driver(DriverError::PacketTooLarge) => (Code::Invalid, "raise max_allowed_packet at the server"),
        MyError::Driver(_) | MyError::Other(_) => (Code::Storage, ""),
        MyError::Url(_) => (Code::Invalid, ""),
    };
    let reason = match &source {
        MyError::Server(said) => format!("{} ({}, SQLSTATE {})", said.message, said.code, said.state),
        other => other.to_string(),
    };
    Error::new(code, action, subject).because(reason).advise(advice)
}

/// The numbers are those of the server error reference of both products.
fn code_of(number: u16, state: &str) -> (Code, &'static str) {
    match number {
        1045 | 1698 | 2059 => (Code::Auth, ""),
        1044 | 1142 | 1143 | 1227 | 1370 | 1290 | 1792 | 1836 => (Code::Permission, ""),
        1049 | 1146 | 1051 => (Code::NotFound, ""),
        1050 => (Code::Conflict, ""),
        1205 | 1213 | 1040 | 1203 => (Code::Busy, ""),
        1317 | 3024 | 1969 => (Code::Timeout, ""),
        1021 | 1114 | 1041 => (Code::Quota, "make room on the server"),
        1053 | 1077 | 1079 | 1927 | 1152 | 4031 => (Code::Offline, SERVER),
        1054 | 1366 | 1364 | 1411 | 1526 | 3819 => (Code::Invalid, ""),
        1062 => (Code::Conflict, ""),
        _ => match state.get(..2) {
            Some("08") => (Code::Offline, SERVER),
            Some("21" | "22" | "23" | "01") => (Code::Invalid, ""),
            Some("28") => (Code::Auth, ""),
            _ => (Code::Storage, ""),
        },
    }
}

/// What a failed statement means for the rows that it was to write. InnoDB takes back a statement that fails, and the
/// transaction goes on, but for a deadlock (1213), which takes back all of it.
pub(super) fn fault_of(subject: impl std::fmt::Display, source: MyError) -> Fault {
    let refused = match &source {
        MyError::Server(said) => match (said.code, said.state.get(..2)) {
            (1062 | 1586 | 1859, _) => Fault::Duplicate,
            (1366 | 1364 | 1411 | 1526 | 3819, _) | (_, Some("01" | "21" | "22" | "23" | "44" | "45")) => Fault::Row,
            _ => Fault::Batch,
        },
        MyError::Driver(DriverError::PacketTooLarge) => Fault::Row,
        _ => Fault::Batch,
    };
    refused(error_of("write rows to", subject, source))
}
