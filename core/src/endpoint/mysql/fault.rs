//! What the server or the way to it says, in our codes.

use mysql_async::{DriverError, Error as MyError};

use crate::endpoint::sql::write::Fault;
use crate::error::{Code, Error};

const CERTIFICATE: &str = "name the certificates to trust with sslrootcert, and the host by the name in its own";

/// MySQL asks whom it does not know for any of its kinds of passwords, so that nobody learns who is known there.
const PLUGIN: &str = "see that the user is known there, and has the plugin caching_sha2_password (MySQL) or \
     mysql_native_password (MariaDB)";

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
        MyError::Driver(
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::CleartextPluginDisabled,
        ) => (Code::Auth, PLUGIN),
        MyError::Driver(_) | MyError::Other(_) => (Code::Storage, ""),
        MyError::Url(_) => (Code::Invalid, ""),
    };
    let reason = match &source {
        MyError::Server(said) => format!("{} ({}, SQLSTATE {})", said.message, said.code, said.state),
        other => other.to_string(),
    };
    Error::new(code, action, subject).because(reason).advise(advice)
}

/// What is wrong with a value and has no SQLSTATE of its own: one of another type, none where there is no default, a time in
/// no known form, one without a partition, one that a check forbids, and texts with letters that the column does not have.
const VALUES: [u16; 7] = [1366, 1364, 1411, 1526, 3819, 3854, 3988];

/// The numbers are those of the server error reference of both products.
fn code_of(number: u16, state: &str) -> (Code, &'static str) {
    match number {
        1045 | 1698 | 2059 | 1251 => (Code::Auth, ""),
        // Expired passwords; accounts that are locked, or are after too many wrong passwords.
        1820 | 1862 => (Code::Auth, "set a new password at the server"),
        3118 | 3955 | 4151 => (Code::Auth, "unlock the account at the server"),
        3159 => (Code::Auth, "allow TLS: the server wants it (require_secure_transport)"),
        1044 | 1142 | 1143 | 1227 | 1370 | 1290 | 1792 | 1836 => (Code::Permission, ""),
        1049 | 1146 | 1051 => (Code::NotFound, ""),
        1050 => (Code::Conflict, ""),
        1205 | 1213 | 1040 | 1203 => (Code::Busy, ""),
        1317 | 3024 | 1969 => (Code::Timeout, ""),
        1021 | 1114 | 1041 => (Code::Quota, "make room on the server"),
        1053 | 1077 | 1079 | 1927 | 1152 | 4031 => (Code::Offline, SERVER),
        1054 => (Code::Invalid, ""),
        number if VALUES.contains(&number) => (Code::Invalid, ""),
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
            (number, _) if VALUES.contains(&number) => Fault::Row,
            (_, Some("01" | "21" | "22" | "23" | "44" | "45")) => Fault::Row,
            _ => Fault::Batch,
        },
        MyError::Driver(DriverError::PacketTooLarge) => Fault::Row,
        _ => Fault::Batch,
    };
    refused(error_of("write rows to", subject, source))
}
