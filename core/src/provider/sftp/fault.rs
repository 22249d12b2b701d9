//! What a server's answers mean.

use std::fmt::Display;

use crate::error::{Code, Error};

/// Status codes (section 7 of the draft; those above 8 are of later drafts, and some servers send them all the same).
pub(super) mod status {
    pub(crate) const OK: u32 = 0;
    pub(crate) const EOF: u32 = 1;
    pub(crate) const NO_SUCH_FILE: u32 = 2;
    pub(crate) const PERMISSION_DENIED: u32 = 3;
    pub(crate) const FAILURE: u32 = 4;
    pub(crate) const BAD_MESSAGE: u32 = 5;
    pub(crate) const NO_CONNECTION: u32 = 6;
    pub(crate) const CONNECTION_LOST: u32 = 7;
    pub(crate) const UNSUPPORTED: u32 = 8;
    pub(crate) const NO_SUCH_PATH: u32 = 10;
    pub(crate) const WRITE_PROTECTED: u32 = 12;
    pub(crate) const NO_SPACE: u32 = 14;
    pub(crate) const QUOTA_EXCEEDED: u32 = 15;
}

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server says so.
    Status { code: u32, words: String },
    /// The connection has ended; whether the server acted is unknown.
    Lost,
    /// No answer came.
    Silent,
    /// The answer is none to this request.
    Odd,
}

impl Fault {
    pub(super) fn is_status(&self, wanted: u32) -> bool {
        matches!(self, Self::Status { code, .. } if *code == wanted)
    }

    /// There is definitely no such item.
    pub(super) fn is_absence(&self) -> bool {
        self.is_status(status::NO_SUCH_FILE) || self.is_status(status::NO_SUCH_PATH)
    }

    /// The server does not know the request, or not for this file system.
    pub(super) fn is_unsupported(&self) -> bool {
        self.is_status(status::UNSUPPORTED)
    }

    /// The connection is of no use any more, and another one may be.
    pub(super) fn is_interruption(&self) -> bool {
        match self {
            Self::Lost | Self::Silent => true,
            Self::Status { code, .. } => matches!(*code, status::NO_CONNECTION | status::CONNECTION_LOST),
            Self::Odd => false,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Lost => Code::Offline,
            Self::Silent => Code::Timeout,
            Self::Odd => Code::Storage,
            Self::Status { code, words } => match *code {
                status::NO_SUCH_FILE | status::NO_SUCH_PATH => Code::NotFound,
                status::PERMISSION_DENIED | status::WRITE_PROTECTED => Code::Permission,
                status::NO_SPACE | status::QUOTA_EXCEEDED => Code::Quota,
                status::BAD_MESSAGE => Code::Invalid,
                status::NO_CONNECTION | status::CONNECTION_LOST => Code::Offline,
                status::UNSUPPORTED => Code::Unsupported,
                // One code for everything else; some servers say more in words.
                _ if says_full(words) => Code::Quota,
                _ => Code::Storage,
            },
        }
    }

    /// The error of `action` on `subject`.
    pub(super) fn at(&self, action: &'static str, subject: impl Display) -> Error {
        let error = Error::new(self.code(), action, subject);
        match self {
            Self::Lost => error.because("the connection to the server was lost"),
            Self::Silent => error.because("the server does not answer"),
            Self::Odd => error.because("the server's answer makes no sense"),
            Self::Status { code, words } if words.is_empty() => error.because(format_args!("the server says {code}")),
            Self::Status { words, .. } => error.because(format_args!("the server says: {}", words.escape_debug())),
        }
    }
}

fn says_full(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("no space") || words.contains("quota")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_their_codes() {
        let says = |code, words: &str| Fault::Status { code, words: words.into() };
        for (fault, code) in [
            (says(status::NO_SUCH_FILE, "No such file"), Code::NotFound),
            (says(status::PERMISSION_DENIED, ""), Code::Permission),
            (says(status::FAILURE, "Failure"), Code::Storage),
            (says(status::FAILURE, "write: No space left on device"), Code::Quota),
            (says(status::FAILURE, "Disc quota exceeded"), Code::Quota),
            (says(status::CONNECTION_LOST, ""), Code::Offline),
            (says(status::UNSUPPORTED, ""), Code::Unsupported),
            (says(9999, ""), Code::Storage),
            (Fault::Lost, Code::Offline),
            (Fault::Silent, Code::Timeout),
        ] {
            assert_eq!(fault.at("write", "x").code(), code, "{fault:?}");
        }
    }
}
