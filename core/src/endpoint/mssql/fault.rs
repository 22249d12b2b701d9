//! What the server or the way to it says, in our codes.

use tiberius::error::Error as Said;

use super::tls::Refusal;
use crate::endpoint::sql::write::Fault;
use crate::error::{Code, Error};

const SERVER: &str = "see that the server runs and can be reached from here";

/// Our error for what came back: the server's own sentence with its number. Values of rows stay out of it.
pub(super) fn error_of(action: &'static str, subject: impl std::fmt::Display, source: Said) -> Error {
    let (code, advice) = match &source {
        Said::Server(said) => code_of(said.code()),
        Said::Io { kind: std::io::ErrorKind::TimedOut, .. } => (Code::Timeout, ""),
        Said::Io { .. } => (Code::Offline, SERVER),
        Said::Tls(_) => (Code::Auth, CERTIFICATE),
        Said::Routing { .. } => (Code::Offline, "connect to the machine that it names"),
        // A connection that broke in the middle of an answer, or bytes that are none.
        _ => (Code::Storage, ""),
    };
    let reason = match &source {
        Said::Server(said) => format!("{} ({})", without_values(said.code(), said.message()), said.code()),
        other => other.to_string(),
    };
    Error::new(code, action, subject).because(reason).advise(advice)
}

const CERTIFICATE: &str = "name the certificates to trust with sslrootcert, and the host by the name in its own";

/// Why there is no encrypted way to the server.
pub(super) fn refused(subject: impl std::fmt::Display, refusal: Refusal) -> Error {
    let error = |code| Error::new(code, "connect to", &subject);
    match refusal {
        Refusal::NoTls => error(Code::Unsupported)
            .because("the server does not encrypt")
            .advise("turn TLS on at the server, or allow plain text with encrypt=off"),
        Refusal::Malformed => error(Code::Offline)
            .because("it does not answer as SQL Server does")
            .advise("see that the port is that of SQL Server; one that only takes TDS 8.0 needs encrypt=strict"),
        // What TLS finds wrong comes as data that is invalid.
        Refusal::Line(source) if source.kind() == std::io::ErrorKind::InvalidData => {
            error(Code::Auth).because(&source).advise(CERTIFICATE).caused_by(source)
        }
        Refusal::Line(source) => error(Code::Offline).because(&source).advise(SERVER).caused_by(source),
    }
}

/// The numbers are those of the page "Database engine events and errors".
fn code_of(number: u32) -> (Code, &'static str) {
    match number {
        18450..=18452 | 18456 | 18470 | 18482..=18488 => (Code::Auth, ""),
        40615 => (Code::Auth, "let this machine's address through the server's firewall"),
        229 | 230 | 262 | 297 | 300 | 916 | 3906 | 15247 => (Code::Permission, ""),
        208 | 911 | 4060 | 4902 | 4701 | 3701 => (Code::NotFound, ""),
        207 => (Code::Invalid, ""),
        2714 | 2627 | 2601 | 1913 => (Code::Conflict, ""),
        1204 | 1205 | 1222 | 3960 | 3961 => (Code::Busy, ""),
        10928 | 10929 | 40501 | 40544 | 49918..=49920 => (Code::Throttled, ""),
        1101 | 1105 | 9002 => (Code::Quota, "make room on the server"),
        233 | 596 | 6001 | 6002 | 6005 | 983 | 40143 | 40197 | 40613 | 17142 | 17148 => (Code::Offline, SERVER),
        _ if is_of_row(number) => (Code::Invalid, ""),
        _ => (Code::Storage, ""),
    }
}

/// Whether the server says of a row that it cannot be: a null, a reference, a check, a length, a range, a form.
fn is_of_row(number: u32) -> bool {
    matches!(
        number,
        220 | 232 | 241 | 242 | 244 | 245 | 248 | 295 | 296 | 515 | 517 | 535 | 547 | 550 | 1946 | 2628 | 3609 | 6522
            | 8114 | 8115 | 8152 | 8169 | 9400..=9499 | 13608..=13614 | 13535
    ) || number >= 50_000
}

/// What a failed statement means for the rows that it was to write. Whether the transaction goes on has to be asked.
pub(super) fn fault_of(subject: impl std::fmt::Display, source: Said) -> Fault {
    let refused = match source.code() {
        Some(2601 | 2627) => Fault::Duplicate,
        Some(number) if is_of_row(number) => Fault::Row,
        Some(_) | None => Fault::Batch,
    };
    refused(error_of("write rows to", subject, source))
}

/// Whether it is not known what the server did last.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error.code(), Code::Offline | Code::Timeout | Code::Storage)
}

/// Sentences that end with a value of the row lose that end; those with one in their midst lose what is quoted.
fn without_values(number: u32, sentence: &str) -> String {
    let end = match number {
        2601 | 2627 => sentence.find(" The duplicate key value is"),
        2628 => sentence.find(" Truncated value:"),
        241 | 242 | 244 | 245 | 248 | 295 | 296 | 8114 | 8169 => sentence.find('\''),
        _ => None,
    };
    let kept = end.and_then(|end| sentence.get(..end)).unwrap_or(sentence);
    kept.trim_end_matches([' ', ':']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_out_of_what_is_said() {
        for (number, sentence, kept) in [
            (
                2627,
                "Violation of PRIMARY KEY constraint 'PK_t'. Cannot insert duplicate key in object 'dbo.t'. The duplicate \
                 key value is (secret).",
                "Violation of PRIMARY KEY constraint 'PK_t'. Cannot insert duplicate key in object 'dbo.t'.",
            ),
            (
                2628,
                "String or binary data would be truncated in table 'db.dbo.t', column 'a'. Truncated value: 'secr'.",
                "String or binary data would be truncated in table 'db.dbo.t', column 'a'.",
            ),
            (
                245,
                "Conversion failed when converting the nvarchar value 'secret' to data type int.",
                "Conversion failed when converting the nvarchar value",
            ),
            (208, "Invalid object name 'dbo.t'.", "Invalid object name 'dbo.t'."),
        ] {
            assert_eq!(without_values(number, sentence), kept);
        }
    }

    #[test]
    fn numbers_have_codes() {
        for (number, code) in [
            (18456, Code::Auth),
            (229, Code::Permission),
            (208, Code::NotFound),
            (2627, Code::Conflict),
            (1205, Code::Busy),
            (40501, Code::Throttled),
            (1105, Code::Quota),
            (547, Code::Invalid),
            (50_001, Code::Invalid),
            (40197, Code::Offline),
            (102, Code::Storage),
        ] {
            assert_eq!(code_of(number).0, code, "{number}");
        }
    }
}
